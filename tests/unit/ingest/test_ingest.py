import csv
import glob
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tasks.core.errors import DataError, InfrastructureError
from tasks.core.rows import read_rows
from tasks.core.store import Store
from tasks.ingest import hub
from tasks.ingest.config import STAGE_VERSION, HubDataset, SourceConfig
from tasks.ingest.source import check_dropped, columns_of, files, identity
from tasks.ingest.task import ingest

ROWS = [{"question": f"{n} + 1?", "answer": f"It is {n + 1}."} for n in range(4)]
TEXT = "".join(json.dumps(row) + "\n" for row in ROWS)


def read(tmp_path, source):
    store = Store(tmp_path / "store")
    ref = ingest.fn(source, store.root)
    folder = store.folder(ref)
    return list(read_rows(folder)), list(read_rows(folder / "dropped"))


def write_csv(path, delimiter):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["question", "answer"], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)


WRITERS = {
    "rows.jsonl": lambda path: path.write_text(TEXT),
    "rows.json": lambda path: path.write_text(json.dumps(ROWS)),
    "rows.csv": lambda path: write_csv(path, ","),
    "rows.tsv": lambda path: write_csv(path, "\t"),
    "rows.parquet": lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path),
    "rows.jsonl.gz": lambda path: path.write_bytes(gzip.compress(TEXT.encode())),
    "rows.jsonl.zst": lambda path: path.write_bytes(zstandard.compress(TEXT.encode())),
    "rows.json.gz": lambda path: path.write_bytes(gzip.compress(json.dumps(ROWS).encode())),
}


def parquet_bytes():
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(ROWS), sink)
    return sink.getvalue().to_pybytes()


WRITERS["rows.parquet.gz"] = lambda path: path.write_bytes(gzip.compress(parquet_bytes()))


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_records(tmp_path, name):
    WRITERS[name](tmp_path / name)
    records, dropped = read(tmp_path, SourceConfig(name="s", file=str(tmp_path / name)))
    assert dropped == []
    assert [[m["content"] for m in r["messages"]] for r in records] == [[r["question"], r["answer"]] for r in ROWS]
    assert {r["row_id"] for r in records} == ROW_IDS


def test_a_question_set_may_lack_references(tmp_path):
    rows = [
        {"q": "1 + 1?", "a": "2"},
        {"q": "Why?", "a": ""},
        {"q": "When?", "a": None},
        {"q": "How?"},
        {"q": "", "a": "3"},
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"name": "s", "file": str(tmp_path / "q.jsonl"), "max_dropped": 0.5}
    records, dropped = read(tmp_path / "1", SourceConfig(**source, columns={"question": "q", "reference": "a"}))
    assert [len(record["messages"]) for record in records] == [2, 1, 1, 1]
    assert [(row["reason"], row["detail"]) for row in dropped] == [("empty field", "q")]
    alone, _ = read(tmp_path / "2", SourceConfig(**source, columns={"question": "q"}))
    assert [len(record["messages"]) for record in alone] == [1, 1, 1, 1]


def test_a_reference_of_the_wrong_type_is_dropped(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"q": "1 + 1?", "a": "2"}\n{"q": "2 + 2?", "a": {"value": 4}}\n')
    source = SourceConfig(
        name="s", file=str(tmp_path / "q.jsonl"), max_dropped=0.5, columns={"question": "q", "reference": "a"}
    )
    records, dropped = read(tmp_path, source)
    assert (len(records), [row["reason"] for row in dropped]) == (1, ["wrong type"])


# A row's id is for life: should these change, every store's rows change their names.
ROW_IDS = {
    "77fc51cdb56601702ff60cee950a3d40",
    "88d8284e5f9fc444f430fc0f20dea0b6",
    "8188c126f61ccfefb1d03522fb1f87d0",
    "f3a42d8dd89a4e1d4503183a5ca90cc5",
}


def test_a_row_id_is_of_content_and_source_and_not_of_place(tmp_path):
    (tmp_path / "a.jsonl").write_text(TEXT)
    (tmp_path / "b.jsonl").write_text("".join(reversed(TEXT.splitlines(keepends=True))))
    ids = {}
    for source, file in (("s", "a"), ("s", "b"), ("other", "a")):
        records, _ = read(tmp_path / f"{source}{file}", SourceConfig(name=source, file=str(tmp_path / f"{file}.jsonl")))
        ids[source + file] = {r["row_id"] for r in records}
    assert ids["sa"] == ids["sb"]
    assert not ids["sa"] & ids["othera"]


BAD = [
    (b'{"question": "a", "answer": "b"', "broken JSON"),
    (b'{"question": "a"}', "missing field"),
    (b'{"question": "a", "answer": "  "}', "empty field"),
    (b'{"question": "a", "answer": 3}', "wrong type"),
    (b'{"question": "a", "answer": "\xff\xfe"}', "invalid UTF-8"),
    (b'{"question": "a", "answer": "\\ud800"}', "invalid UTF-8"),
    (b'["a", "b"]', "not an object"),
    (b'{"question": "a", "answer": "b", "id": ' + b"9" * 5000 + b"}", "broken JSON"),
]


def test_bad_rows_are_dropped_with_file_line_and_reason(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(TEXT.encode() + b"\n".join(line for line, _ in BAD) + b"\n\n")
    records, dropped = read(tmp_path, SourceConfig(name="s", file=str(path), max_dropped=0.7))
    assert len(records) == len(ROWS)
    assert [(d["origin"], d["reason"]) for d in dropped] == [
        (f"rows.jsonl:{len(ROWS) + n}", reason) for n, (_, reason) in enumerate(BAD, start=1)
    ]


def test_rows_of_files_with_one_name_are_told_apart_by_their_folders(tmp_path):
    for folder in ("a", "a/b", "c"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        (tmp_path / "set" / folder / "rows.jsonl").write_text('{"text": "once"}\n{"text": ""}\n')
    source = SourceConfig(name="s", file=str(tmp_path / "set" / "**" / "rows.jsonl"), max_dropped=0.5)
    records, dropped = read(tmp_path, source)
    assert [row["origin"] for row in records] == ["a/b/rows.jsonl:1", "a/rows.jsonl:1", "c/rows.jsonl:1"]
    assert [row["origin"] for row in dropped] == ["a/b/rows.jsonl:2", "a/rows.jsonl:2", "c/rows.jsonl:2"]
    assert len({row["row_id"] for row in records}) == 1  # of content and source: a folder changes none


def test_too_many_bad_rows_are_an_error_that_keeps_them(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(TEXT.encode() + BAD[0][0])
    with pytest.raises(DataError, match="1 of 5 rows cannot be used") as caught:
        read(tmp_path, SourceConfig(name="s", file=str(path), max_dropped=0.1))
    folder = caught.value.remedy.split(";")[0].removeprefix("see ")
    assert [row["reason"] for row in read_rows(Path(folder))] == ["broken JSON"]


def test_an_invalid_byte_in_csv_costs_one_row(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"question,answer\na,b\nc,\xff\ne,f\nonly-one\n")
    records, dropped = read(tmp_path, SourceConfig(name="s", file=str(path), max_dropped=0.6))
    assert len(records) == 2
    assert [d["reason"] for d in dropped] == ["invalid UTF-8", "wrong number of columns"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", b'[{"question": "a", "answer": "b"}, {"quest'),
        ("rows.jsonl.gz", gzip.compress(TEXT.encode() * 50)[:-20]),
        ("rows.jsonl.zst", zstandard.compress(bytes(range(256)) * 900)[:-20]),
        ("rows.parquet", b"PAR1 but no more"),
        ("rows.docx", b"text"),
        ("rows.jsonl", b""),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_with_a_remedy(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(tmp_path, SourceConfig(name="s", file=str(tmp_path / name)))
    assert caught.value.remedy


def test_a_missing_column_names_those_that_are_there(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"problem": "a", "solution": "b"}\n')
    source = SourceConfig(name="s", file=str(tmp_path / "rows.jsonl"))
    with pytest.raises(DataError, match="problem, solution"):
        columns_of(source)
    mapped = source.model_copy(update={"columns": {"question": "problem", "answer": "solution"}})
    assert columns_of(mapped) == {"question": "problem", "answer": "solution"}


def test_chats_and_texts_are_records_too(tmp_path):
    chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    (tmp_path / "chat.jsonl").write_text(json.dumps({"messages": chat}) + "\n")
    (tmp_path / "text.jsonl").write_text(json.dumps({"text": "once"}) + "\n")
    chats, _ = read(tmp_path, SourceConfig(name="c", file=str(tmp_path / "chat.jsonl")))
    texts, _ = read(tmp_path, SourceConfig(name="t", file=str(tmp_path / "text.jsonl")))
    assert chats[0]["messages"] == chat
    assert (texts[0]["text"], texts[0]["messages"]) == ("once", None)


@pytest.mark.parametrize(
    "chat",
    [
        [],
        [{"role": "user", "content": "hi"}],
        [{"role": "assistant", "content": "ho"}],
        [{"role": "boss", "content": "x"}],
        ["text"],
        "text",
    ],
)
def test_a_chat_without_a_question_or_an_answer_is_dropped(tmp_path, chat):
    good = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    (tmp_path / "c.jsonl").write_text(json.dumps({"messages": good}) + "\n" + json.dumps({"messages": chat}) + "\n")
    records, dropped = read(tmp_path, SourceConfig(name="c", file=str(tmp_path / "c.jsonl"), max_dropped=0.5))
    assert (len(records), len(dropped)) == (1, 1)


def test_the_identity_is_of_the_files_content(tmp_path):
    for name in ("a.jsonl", "moved.jsonl"):
        (tmp_path / name).write_text(TEXT)
    first = identity(SourceConfig(name="s", file=str(tmp_path / "a.jsonl")))
    assert identity(SourceConfig(name="s", file=str(tmp_path / "moved.jsonl"), max_dropped=0.5)) == first
    (tmp_path / "a.jsonl").write_text(TEXT + " ")
    assert identity(SourceConfig(name="s", file=str(tmp_path / "a.jsonl"))) != first


def test_the_artifact_is_pinned(tmp_path):
    """What ingesting gives: should this change, raise STAGE_VERSION."""
    path = tmp_path / "rows.jsonl"
    path.write_text(TEXT)
    ref = ingest.fn(SourceConfig(name="s", file=str(path)), tmp_path / "store")
    assert (STAGE_VERSION, ref.digest[:16]) == (3, "a2417417152aceb4")


@pytest.mark.parametrize("name", ["data[1].jsonl", "data1.jsonl", "data[[]1].jsonl", "data?.jsonl"])
def test_glob_characters_in_a_path_do_no_harm(tmp_path, name):
    folder = tmp_path / "st [v2]"
    folder.mkdir()
    for made in ("data[1].jsonl", "data1.jsonl"):
        (folder / made).write_text(TEXT)
    expected = {"data1.jsonl": "data1.jsonl", "data?.jsonl": "data1.jsonl"}.get(name, "data[1].jsonl")
    escaped = f"{glob.escape(str(folder))}/{name}"
    assert files(SourceConfig(name="s", file=escaped)) == [folder / expected]
    if name != "data?.jsonl":  # a pattern cannot stand behind a folder that looks like one
        assert files(SourceConfig(name="s", file=f"{folder}/{name}")) == [folder / expected]


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "rows.jsonl").mkdir()
    with pytest.raises(DataError, match="a folder"):
        identity(SourceConfig(name="s", file=str(tmp_path / "rows.jsonl")))


def test_rows_that_cannot_be_read_are_said_to_be_so_and_not_to_lack_columns(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROWS))
    with pytest.raises(DataError, match=r"rows\.jsonl:1: not an object \(a JSON list\)"):
        columns_of(SourceConfig(name="s", file=str(path)))


def test_a_lowered_max_dropped_is_enforced_on_the_counts_alone(tmp_path):
    source = SourceConfig(name="s", file="rows.jsonl", max_dropped=0.5)
    check_dropped(source, 2, {"broken JSON": 1, "wrong type": 1}, tmp_path)
    with pytest.raises(DataError, match=r"2 of 4 rows cannot be used \(1 broken JSON, 1 wrong type\)"):
        check_dropped(source.model_copy(update={"max_dropped": 0.4}), 2, {"broken JSON": 1, "wrong type": 1}, tmp_path)


@pytest.mark.parametrize("revision", [None, "", "main", "v1.0", "0" * 39, "0" * 41, "A" * 40])
def test_a_hub_id_needs_a_commit(revision):
    with pytest.raises(DataError, match="a commit of 40 digits") as caught:
        identity(SourceConfig(name="s", hub=HubDataset(id="owner/name", revision=revision)))
    assert "dataset's page" in caught.value.remedy


def test_a_commit_is_a_hub_ids_identity():
    first, second = (SourceConfig(name="s", hub=HubDataset(id="owner/name", revision=c * 40)) for c in "ab")
    assert identity(first) == identity(first)
    assert identity(first) != identity(second)


@pytest.mark.filterwarnings("ignore")
def test_a_folder_in_the_hubs_layout_streams_through_datasets(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text(TEXT)
    records, _ = read(tmp_path, SourceConfig(name="s", hub=HubDataset(id=str(tmp_path / "data"))))
    assert len(records) == len(ROWS)
    assert records[0]["origin"].endswith("train:1")


@pytest.mark.filterwarnings("ignore")
def test_a_broken_row_in_a_hub_folder_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text(TEXT + '{"question": broken\n')
    with pytest.raises(DataError) as caught:
        read(tmp_path, SourceConfig(name="s", hub=HubDataset(id=str(tmp_path / "data"))))
    assert "`file`" in caught.value.remedy


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionError("reset"), InfrastructureError),
        (TimeoutError("late"), InfrastructureError),
        (OSError("502 Server Error"), InfrastructureError),
        (FileNotFoundError("no such split"), DataError),
        (ValueError("not JSON"), DataError),
        (TypeError("cannot be cast"), DataError),
    ],
)
@pytest.mark.parametrize("rows_before", [None, 2])
def test_what_datasets_raises_is_mapped_at_once_and_later_in_the_stream(monkeypatch, error, kind, rows_before):
    def load(*args, **kwargs):
        if rows_before is None:
            raise error
        return stream()

    def stream():
        yield from ROWS[:rows_before]
        raise error

    monkeypatch.setattr("datasets.load_dataset", load)
    rows = hub.read(HubDataset(id="owner/name", revision="0" * 40))
    with pytest.raises(kind, match="owner/name") as caught:
        list(rows)
    assert caught.value.__cause__ is error


def test_a_column_may_lie_inside_another(tmp_path):
    rows = [
        {"question": "1 + 1?", "reference_answer": "2", "responses": [{"response": "It is 2."}, {"response": "Two."}]},
        {"question": "Why?", "reference_answer": "", "responses": []},
        {"question": "How?", "responses": "so"},
    ]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"question": "question", "answer": "responses.0.response"}
    records, dropped = read(
        tmp_path, SourceConfig(name="s", file=str(tmp_path / "r.jsonl"), columns=columns, max_dropped=0.9)
    )
    assert [record["messages"][1]["content"] for record in records] == ["It is 2."]
    assert [row["detail"] for row in dropped] == ["responses.0.response"] * 2


def test_a_column_whose_name_has_a_dot_is_itself(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"a.b": "words", "a": {"b": "others"}}\n')
    records, _ = read(tmp_path, SourceConfig(name="s", file=str(tmp_path / "r.jsonl"), columns={"text": "a.b"}))
    assert records[0]["text"] == "words"


def test_a_chat_may_lie_inside_a_column(tmp_path):
    chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    (tmp_path / "c.jsonl").write_text(json.dumps({"data": {"chat": chat}}) + "\n")
    source = SourceConfig(name="c", file=str(tmp_path / "c.jsonl"), columns={"messages": "data.chat"})
    records, dropped = read(tmp_path, source)
    assert ([row["messages"] for row in records], dropped) == ([chat], [])
