import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.auditing import known_benchmark
from flows.cli import app
from tasks.core.errors import DataError

runner = CliRunner()
TABLE = Path(__file__).parents[3] / "docs" / "data" / "arxiv-2510.07169.csv"


@pytest.mark.parametrize(
    ("name", "items", "math", "whole"),
    [
        ("MMLU", 14042, False, False), ("MMLU-Pro", 12032, False, False), ("CMMLU", 11528, False, False),
        ("GPQA-Diamond", 198, False, True), ("HellaSwag", 10042, False, True), ("BBH", 6511, False, False),
        ("DROP", 9535, False, False), ("MATH", 5000, True, True), ("GSM8K", 1319, True, True),
        ("MathBench-a", 1500, True, True), ("MathBench-t", 2209, True, False),
        ("OpenAI-Humaneval", 164, False, True), ("Sanitized-MBPP", 257, False, True),
    ],
)  # fmt: skip
def test_a_benchmark_is_known_by_the_name_that_tables_have_for_it(name, items, math, whole):
    known = known_benchmark(name)
    assert (known.items, known.math, known.whole) == (items, math, whole)


def test_other_names_are_not_guessed_at():
    assert known_benchmark("MMLU-Redux") is None


def test_the_command_prints_what_the_numbers_say():
    text = runner.invoke(app, ["audit", str(TABLE)]).stdout
    assert "4 groups of datasets" in text
    assert "sign: T6 IC2-Math, MATH (line 61)" in text
    assert "would mend it: delta +3.70" in text


def test_numbers_are_shown_to_the_places_of_their_columns(tmp_path):
    rows = ["1,a,GSM8K,50.5,1.2", "1,b,GSM8K,49.1,-0.2", "1,a,MATH,50.52,1.24", "1,b,MATH,50.5,1.22"]
    (tmp_path / "t.csv").write_text("\n".join(["table,dataset,benchmark,score,delta", *rows, "1,a,MMLU,60,0.125"]))
    text = runner.invoke(app, ["audit", str(tmp_path / "t.csv")]).stdout
    assert "49.3 " in text and "49.30" not in text
    assert "49.28" in text and "59.875" in text


def test_the_json_is_whole():
    found = json.loads(runner.invoke(app, ["audit", str(TABLE), "--json"]).stdout)
    assert list(found) == ["rows", "missing", "groups", "defects", "chances", "unknown"]
    assert len(found["chances"]) == 151


def test_a_bad_table_ends_in_an_error_with_its_line(tmp_path):
    (tmp_path / "t.csv").write_text("table,dataset,benchmark,score,delta\n3,a,MATH,x,1\n")
    error = runner.invoke(app, ["audit", str(tmp_path / "t.csv")]).exception
    assert isinstance(error, DataError) and "t.csv:2" in error.message and error.remedy
