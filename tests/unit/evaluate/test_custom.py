from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.errors import DataError
from tasks.evaluate.config import BenchmarkConfig
from tasks.evaluate.custom import read_custom


def choice(path, **changes) -> BenchmarkConfig:
    return BenchmarkConfig(**{"name": "mine", "file": str(path), "kind": "choice", "domain": "math", **changes})


@pytest.mark.parametrize(
    ("answer", "letter"), [("B", "B"), ("b", "B"), (1, "B"), ("1", "B"), ("hen", "B"), ("A hen", None), (7, None)]
)
def test_a_gold_option_is_named_by_letter_position_or_text(tmp_path, answer, letter):
    path = tmp_path / "c.json"
    path.write_text(json.dumps([{"question": "?", "choices": ["cat", "hen"], "answer": answer}]))
    if letter is None:
        with pytest.raises(DataError, match=r"c\.json:1: answer .* is none of its 2 options"):
            read_custom(choice(path))
    else:
        found = read_custom(choice(path))
        assert (found.rows[0]["answer"], found.labels) == (letter, ("A", "B"))
        assert found.rows[0]["options"] == "A. cat\nB. hen"


def test_text_wins_over_position_where_options_are_numbers(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("question,a,b,answer\n1+0?,0,1,1\n")
    assert read_custom(choice(path, choices=("a", "b"))).rows[0]["answer"] == "B"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"question": "?"}\n', "column 'answer' is missing or empty"),
        ('{"question": "?", "answer": "1"}\n{"que\n', ":2: broken JSON"),
        ("[1]\n", ":1: not an object"),
        ("", "has no rows"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, text, message):
    path = tmp_path / "q.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_custom(BenchmarkConfig(name="mine", file=str(path), kind="qa", domain="math"))


def test_rows_must_have_the_same_number_of_options(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps([{"question": "?", "choices": list("xyz")[:n], "answer": 0} for n in (2, 3)]))
    with pytest.raises(DataError, match="rows have 2, 3 options"):
        read_custom(choice(path))


def test_gzip_and_few_shot_examples_are_read(tmp_path, qa_file):
    path = tmp_path / "q.jsonl.gz"
    path.write_bytes(gzip.compress(qa_file.read_bytes()))
    asked = {"name": "mine", "file": str(path), "kind": "qa", "domain": "math", "few_shot_file": str(qa_file)}
    found = read_custom(BenchmarkConfig(**asked, few_shot=2))
    assert len(found.rows) == len(found.examples) == 3
    with pytest.raises(DataError, match="3 examples for few_shot: 4"):
        read_custom(BenchmarkConfig(**asked, few_shot=4))


def test_a_benchmark_file_is_read_as_training_files_are(tmp_path):
    """One reader for both: separators within strings, byte-order marks and every format that `ingest` knows."""
    row = {"question": "a\u2028b", "answer": "1"}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "q.parquet")
    (tmp_path / "q.jsonl").write_text("\ufeff" + json.dumps(row, ensure_ascii=False) + "\n")
    (tmp_path / "q.tsv").write_text("question\tanswer\na\u2028b\t1\n")
    (tmp_path / "q.jsonl.zst").write_bytes(pa.compress((tmp_path / "q.jsonl").read_bytes(), "zstd", asbytes=True))
    for name in ("q.parquet", "q.jsonl", "q.tsv", "q.jsonl.zst"):
        asked = BenchmarkConfig(name="mine", file=str(tmp_path / name), kind="qa", domain="math")
        assert [found["question"] for found in read_custom(asked).rows] == ["a\u2028b"]
