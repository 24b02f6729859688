import gzip
import json
import os

import pytest

from tasks.core.errors import DataError
from tasks.harness.formats import read

ROW = {"benchmark": "gsm8k", "item": 1, "correct": True}


def test_rows_are_read_with_all_they_say_and_other_fields_left_alone(make, tmp_path, known, notes):
    said = {"benchmark": "mine", "item": "a", "correct": 0.5, "seed": 3, "cluster": 7, "domain": "math", "metric": "f1"}
    path = make.lines(tmp_path / "scores.jsonl", [said | {"answer": "4"}, ROW])
    first, second = read(path, known, notes).answers
    assert first == (
        "mine", "a", 0.5, "f1", f"{path}:1", 3, "7", "math", None,
    )  # fmt: skip
    assert second == ("gsm8k", "1", 1.0, "accuracy", f"{path}:2", None, None, "math", None)


def test_compressed_files_and_folders_of_files_are_read(make, tmp_path, known, notes):
    with gzip.open(tmp_path / "scores.jsonl.gz", "wt") as file:
        file.write(json.dumps(ROW) + "\n")
    make.lines(tmp_path / "more.jsonl", [ROW | {"item": 2}])
    assert [answer.item for answer in read(tmp_path, known, notes).answers] == ["2", "1"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"correct": "yes"}, "correct is 'yes', a str"),
        ({"correct": "1"}, "correct is '1', a str"),
        ({"correct": 1.01}, "correct is 1.01"),
        ({"correct": -1}, "correct is -1"),
        ({"correct": float("nan")}, "correct is nan"),
        ({"correct": None}, "correct is None, a NoneType"),
        ({"item": ""}, "item is ''"),
        ({"item": 1.5}, "item is 1.5"),
        ({"benchmark": ["a"]}, r"benchmark is \['a'\]"),
        ({"seed": "one"}, "seed is 'one'"),
        ({"seed": True}, "seed is True"),
        ({"domain": "maths"}, "domain is 'maths'"),
        ({"metric": 1.5}, "metric is 1.5"),
    ],
)
def test_a_bad_value_is_named_with_its_line_and_a_remedy(make, tmp_path, known, notes, change, said):
    path = make.lines(tmp_path / "scores.jsonl", [ROW, ROW | {"item": 2} | change])
    with pytest.raises(DataError, match=rf"scores.jsonl:2: {said}") as caught:
        read(path, known, notes)
    assert caught.value.remedy


@pytest.mark.parametrize("field", ["benchmark", "item", "cluster", "metric"])
def test_half_of_a_surrogate_pair_is_no_name(tmp_path, known, notes, field):
    (tmp_path / "scores.jsonl").write_text(json.dumps(ROW | {field: "a\ud800"}))
    with pytest.raises(DataError, match=rf"scores.jsonl:1: {field} is 'a.ud800', with half of a surrogate pair"):
        read(tmp_path / "scores.jsonl", known, notes)


@pytest.mark.parametrize("field", ["benchmark", "item", "correct"])
def test_a_missing_field_is_named_with_its_line(make, tmp_path, known, notes, field):
    path = make.lines(tmp_path / "scores.jsonl", [ROW, {name: value for name, value in ROW.items() if name != field}])
    with pytest.raises(DataError, match=f"scores.jsonl:2: no {field}"):
        read(path, known, notes)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", "", "in no format that can be read: it has no rows"),
        ("a.jsonl", '{"prompt": "2+2", "output": "4"}', "its rows have prompt, output"),
        ("a.csv", "benchmark,item,correct\n", "in no format"),
        ("a.json", '{"results": {}}', "in no format"),
    ],
)
def test_a_file_that_nothing_fits_is_refused_with_what_would(tmp_path, known, notes, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path / name, known, notes)
    assert "OpenCompass" in caught.value.remedy and '"benchmark"' in caught.value.remedy


def test_folders_that_hold_nothing_or_two_kinds_are_refused(make, samples, opencompass, tmp_path, known, notes):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no results that can be read: nothing"):
        read(tmp_path / "empty", known, notes)
    with pytest.raises(DataError, match="does not exist"):
        read(tmp_path / "none", known, notes)
    work = opencompass([True, False])
    samples("gsm8k", [make.sample(0, {"exact_match": 1.0})], name=work.name)
    with pytest.raises(DataError, match="holds results of lm-evaluation-harness and OpenCompass"):
        read(work, known, notes)


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-16", "a.jsonl:1: invalid UTF-8: .*0xff"), ("utf-16-le", "a.jsonl:1: broken JSON")]
)
def test_a_file_in_another_encoding_is_refused_with_the_reason(tmp_path, known, notes, encoding, said):
    (tmp_path / "a.jsonl").write_bytes((json.dumps(ROW) + "\n").encode(encoding))
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path / "a.jsonl", known, notes)
    assert "UTF-8" in caught.value.remedy


@pytest.mark.parametrize("text", ['{"accuracy": 50', "[" * 100_000])
def test_a_broken_result_is_refused_with_the_reason(tmp_path, known, notes, text):
    (tmp_path / "gsm8k.json").write_text(text)
    with pytest.raises(DataError, match=r"gsm8k.json is in no format that can be read: broken JSON: "):
        read(tmp_path / "gsm8k.json", known, notes)


def test_a_pipe_is_refused(tmp_path, known, notes):
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        read(tmp_path / "pipe.jsonl", known, notes)


def test_what_cannot_be_opened_is_named(make, tmp_path, known, notes, monkeypatch):
    path = make.lines(tmp_path / "scores" / "a.jsonl", [ROW])

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "iterdir", refuse)
    with pytest.raises(DataError, match=r"scores: cannot be read: .*Permission denied"):
        read(path.parent, known, notes)
