import codecs
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.errors import DataError
from tasks.core.readers import read_file

ROWS = [{"question": f"{n} + 1?", "answer": f"It is\u2028{n + 1}."} for n in range(2000)]
JSONL = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
CSV = b"question,answer\n" + b"".join(f"{n} + 1?,It is {n + 1}.\n".encode() for n in range(500))


def zstd(data):
    return pa.compress(data, codec="zstd", asbytes=True)


def read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return list(read_file(tmp_path / name))


def refusal(tmp_path, name, content):
    with pytest.raises(DataError) as caught:
        read(tmp_path, name, content)
    assert caught.value.remedy
    return caught.value.message


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".zst", zstd)])
def test_a_compressed_file_is_read_whole_or_not_at_all(tmp_path, suffix, compress):
    whole = compress(JSONL)
    assert [raw.value for raw in read(tmp_path, f"rows.jsonl{suffix}", whole)] == ROWS
    assert len(read(tmp_path, f"rows.jsonl{suffix}", whole + whole)) == 2 * len(ROWS)
    for torn in (whole[: len(whole) // 2], whole[:-1], whole + whole[:-5], whole + whole[:3], b"", b"never packed"):
        assert "cannot be read" in refusal(tmp_path, f"rows.jsonl{suffix}", torn)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", JSONL),
        ("rows.json", json.dumps(ROWS).encode()),
        ("rows.csv", b"question,answer\na,b\n"),
        ("rows.tsv", b"question\tanswer\na\tb\n"),
    ],
)
def test_a_byte_order_mark_changes_nothing(tmp_path, name, content):
    assert read(tmp_path, name, codecs.BOM_UTF8 + content) == read(tmp_path, name, content)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'250 + 1?,"It is 251.', "unexpected end of data (line 501)"),
        (b'250 + 1?,"It is" 251.', "expected after"),
        (b'250 + 1?,"It is 251.\n3,"4"', "(line 253)"),
    ],
)
def test_a_quote_that_is_not_closed_is_an_error_with_its_line(tmp_path, line, why):
    message = refusal(tmp_path, "rows.csv", CSV.replace(b"250 + 1?,It is 251.", line))
    assert "the row at line 252" in message
    assert why in message


def test_a_quote_left_open_in_a_large_file_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.core.readers._LARGEST_FIELD", 1000)
    message = refusal(tmp_path, "rows.csv", b'a,b\n1,"2\n' + CSV)
    assert "the row at line 2" in message
    assert int(message.rpartition("(line ")[2][:-1]) < 100  # of 503


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"question,answer,question\na,b,c\n", "two columns are called 'question'"),
        ("question,answer\na,b\n".encode("utf-16"), "its first line is not UTF-8 text"),
        ("question,réponse\na,b\n".encode("latin-1"), "its first line is not UTF-8 text"),
    ],
)
def test_a_header_that_cannot_be_used_is_an_error(tmp_path, content, said):
    assert said in refusal(tmp_path, "rows.csv", content)


def test_columns_without_a_name_may_be_several(tmp_path):
    [raw] = read(tmp_path, "rows.csv", b"question,,\na,b,c\n")
    assert raw.value == {"question": "a", "": "c"}


def test_quotes_that_pair_are_read_as_they_were_written(tmp_path):
    [raw] = read(tmp_path, "rows.csv", b'question,answer\n5" or ""?,"two\nlines, ""quoted"""\n')
    assert raw.value == {"question": '5" or ""?', "answer": 'two\nlines, "quoted"'}


def test_a_row_of_several_lines_is_named_by_its_first(tmp_path):
    content = b'question,answer\n1,"a\nb\nc"\n\n2,d\n"only\none"\n3,"e\n"\n'
    assert [(raw.origin, raw.reason) for raw in read(tmp_path, "rows.csv", content)] == [
        ("rows.csv:2", ""),
        ("rows.csv:6", ""),
        ("rows.csv:7", "wrong number of columns"),
        ("rows.csv:9", ""),
    ]
    assert "the row at line 4" in refusal(tmp_path, "rows.csv", b'a,b\n1,2\n\n3,"4\n')


def test_a_field_may_be_as_long_as_a_book(tmp_path):
    book = "word " * 400_000
    assert [raw.value for raw in read(tmp_path, "rows.csv", f'text\n"{book}"\nshort\n'.encode())] == [
        {"text": book},
        {"text": "short"},
    ]


def test_a_number_too_long_for_python_costs_its_row(tmp_path):
    rows = read(tmp_path, "rows.jsonl", b'{"n": ' + b"9" * 5000 + b'}\n{"n": 1}\n')
    assert [(raw.origin, raw.reason) for raw in rows] == [("rows.jsonl:1", "broken JSON"), ("rows.jsonl:2", "")]


def test_a_date_that_python_has_none_of_costs_its_row(tmp_path):
    table = pa.table({"day": pa.array([0, 10**15], pa.timestamp("s"))})
    pq.write_table(table, tmp_path / "rows.parquet")
    assert [raw.reason for raw in read_file(tmp_path / "rows.parquet")] == ["", "unreadable value"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rows.json", json.dumps({"data": ROWS[:2]}), "a JSON object, not an array of rows"),
        ("rows.json", '\ufeff {"a": 1}\n{"a": 2}\n', "a JSON object, not an array of rows"),
        ("rows.jsonl", json.dumps(ROWS[:2], indent=1), "a JSON value over several lines"),
        ("rows.jsonl", "\n" + json.dumps(ROWS[0], indent=1), "a JSON value over several lines"),
    ],
)
def test_the_wrong_kind_of_json_is_said_to_be_so(tmp_path, name, text, message):
    assert message in refusal(tmp_path, name, text.encode())
