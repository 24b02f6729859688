import json

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.judging import BadRow, JudgedAnswer, judge_lines, totals
from flows.reviewing import ask_labels, draw_sample, read_labels, write_sheet
from tasks.core.errors import DataError
from tasks.core.identity import Identity
from tasks.core.rows import OUTCOMES, QUESTIONS, VERDICTS, write_rows
from tasks.core.store import Store
from tasks.judge.config import JudgeConfig
from tasks.judge.engine import Finding
from tasks.judge.review import Drawn, quality

runner = CliRunner()

LINES = [
    '{"gold": "18", "out": ["#### 18", "so \\\\boxed{19}", "I do not know that, sorry"]}',
    '{"gold": 72, "out": 72}',
    "not json",
    "",
    '{"out": "3"}',
    '{"gold": true, "out": "3"}',
    '{"gold": "3", "out": []}',
    '{"gold": "3", "out": {"text": "3"}}',
    "[1, 2]",
    '{"gold": null, "out": "3"}',
    '{"gold": "#### 5", "out": "\\\\boxed{5}"}',
]


class Nothing:
    def compare(self, gold, answer):
        return Finding("undecided", "scripted", "")


def judged(path, gold="gold", answer="out"):
    return list(judge_lines(path, gold, answer, JudgeConfig(), Nothing()))


@pytest.fixture
def answers(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(LINES))
    return path


def test_every_answer_gets_a_verdict_with_its_line(answers):
    found = [(one.line, one.index, one.verdict) for one in judged(answers) if isinstance(one, JudgedAnswer)]
    assert found == [(1, 0, "right"), (1, 1, "wrong"), (1, 2, "undecided"), (2, 0, "right"), (11, 0, "right")]


def test_bad_rows_are_named_with_their_line_and_are_not_fatal(answers):
    bad = {one.line: one.problem for one in judged(answers) if isinstance(one, BadRow)}
    assert list(bad) == [3, 5, 6, 7, 8, 9, 10]
    assert "no JSON" in bad[3] and "'gold'" in bad[5] and "bool" in bad[6]
    assert "empty list" in bad[7] and "dict" in bad[8] and "not an object" in bad[9] and "NoneType" in bad[10]


def test_totals_add_up(answers):
    found = totals(judged(answers))
    assert found.model_dump() == {"answers": 5, "right": 3, "wrong": 1, "undecided": 1, "bad_rows": 7}


@pytest.mark.parametrize("text", ["", "\n\n", "not json\n", '{"a": 1}\n' * 3])
def test_a_file_of_bad_rows_alone_is_an_error(tmp_path, text):
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match="no row"):
        judged(path)


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        judged(tmp_path / "none.jsonl")


def test_the_command_prints_one_verdict_an_answer_and_the_totals(answers):
    done = runner.invoke(app, ["judge", str(answers), "--gold", "gold", "--answer", "out"])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[1].split()[:3] == ["line", "1.1", "wrong"] and "19 is not 18" in lines[1]
    assert lines[-1] == "answers 5  right 3  wrong 1  undecided 1  bad rows 7"


@pytest.fixture
def printed(answers, tmp_path):
    done = runner.invoke(app, ["judge", str(answers), "--gold", "gold", "--answer", "out", "--json"])
    path = tmp_path / "verdicts.json"
    path.write_text(done.stdout)
    return path


def test_json_is_one_document(printed):
    found = json.loads(printed.read_text())
    assert list(found) == ["rows", "bad_rows", "totals"]
    assert found["rows"][1] == {
        "line": 1, "index": 1, "verdict": "wrong", "method": "number", "answer": "19", "gold": "18",
        "evidence": "boxed; 19 is not 18",
    }  # fmt: skip
    assert found["totals"]["answers"] == len(found["rows"]) == 5


def test_a_sheet_is_labelled_elsewhere_and_read_back(printed, tmp_path):
    drawn = draw_sample(printed, 10, seed=0)
    sheet = tmp_path / "sheet.csv"
    write_sheet(sheet, drawn)
    lines = sheet.read_text().splitlines()
    assert len(lines) == 6
    sheet.write_text(
        "\n".join([lines[0], *(line + label for line, label in zip(lines[1:], "yynYN", strict=True))]) + "\n"
    )
    found = quality(drawn, read_labels(sheet, drawn))
    assert found.strata["right"].labelled == 3 and found.precision.estimate == pytest.approx(2 / 3)
    assert found.recall.estimate == pytest.approx(2 / 3)


def test_a_sheet_never_overwrites_labels(printed, tmp_path):
    drawn = draw_sample(printed, 10, seed=0)
    write_sheet(tmp_path / "sheet.csv", drawn)
    with pytest.raises(DataError, match="there already"):
        write_sheet(tmp_path / "sheet.csv", drawn)


def test_labelling_is_taken_up_where_it_was_left(printed, tmp_path):
    drawn, path = draw_sample(printed, 10, seed=0), tmp_path / "labels.csv"
    said = iter(["y", "what?", "n", "s", "q"])
    first = ask_labels(drawn, path, lambda row, left: next(said))
    assert list(first.values()) == [True, False]
    asked = []
    second = ask_labels(drawn, path, lambda row, left: asked.append((row["row_id"], left)) or "y")
    assert [left for _, left in asked] == [3, 2, 1]
    assert len(second) == 5 and second.items() >= first.items()
    assert read_labels(path, drawn) == second


def test_a_label_that_means_nothing_is_named(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("row_id,sample,label\na,0,y\nb,0,perhaps\n")
    with pytest.raises(DataError, match="row 3"):
        read_labels(path, Drawn([], {}))


def test_labels_of_other_answers_are_refused(printed, tmp_path):
    """Lines of every file are numbered from one: a second file's rows have the names of the first one's."""
    ask_labels(draw_sample(printed, 10, seed=0), tmp_path / "labels.csv", lambda row, left: "y")
    other = json.loads(printed.read_text())
    other["rows"][1]["answer"] = "20"
    (tmp_path / "other.json").write_text(json.dumps(other))
    drawn = draw_sample(tmp_path / "other.json", 10, seed=0)
    with pytest.raises(DataError, match=r"row 5: this label is of another answer than 1, sample 1"):
        read_labels(tmp_path / "labels.csv", drawn)


def test_labels_need_no_answers(printed, tmp_path):
    (tmp_path / "labels.csv").write_text("row_id,sample,label\n1,0,y\n")
    assert read_labels(tmp_path / "labels.csv", draw_sample(printed, 10, seed=0)) == {("1", 0): True}


def test_rows_of_an_artifact_come_with_their_question_and_output(tmp_path):
    store = Store(tmp_path)

    def publish(stage, columns, rows, sources=None):
        def build(draft):
            draft.num_rows, draft.columns = write_rows(draft.folder, rows, columns), columns
            draft.sources = sources or {}

        return store.produce(Identity.of(stage, 1, {}, {}), build)

    asked = publish(
        "questions",
        QUESTIONS,
        [{"row_id": "q", "source": "s", "origin": "o", "question": "How many?", "reference": "5"}],
    )
    answered = publish(
        "generate", OUTCOMES, [{**dict.fromkeys(OUTCOMES), "row_id": "q", "sample": 0, "text": "#### 5"}]
    )
    verdict = {
        "row_id": "q",
        "sample": 0,
        "answer": "5",
        "gold": "5",
        "verdict": "right",
        "method": "exact",
        "evidence": "stated",
    }
    rules = publish("judge", VERDICTS, [verdict], {"outcomes": answered.path, "references": asked.path})
    settled = publish("judge-settled", VERDICTS, [verdict], {"verdicts": rules.path})
    for ref in (rules, settled):
        row = draw_sample(store.folder(ref), 10, seed=0).rows[0]
        assert (row["question"], row["output"]) == ("How many?", "#### 5")


def test_review_reports_with_intervals(printed, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("row_id,sample,label\n1,0,y\n2,0,y\n11,0,n\n1,1,n\n1,2,n\n")
    done = runner.invoke(app, ["review", str(printed), "--labels", str(labels)])
    assert done.exit_code == 0
    assert "precision  66.7 %, 95 % interval 66.7 % to 66.7 %" in done.stdout
    found = json.loads(runner.invoke(app, ["review", str(printed), "--labels", str(labels), "--json"]).stdout)
    assert found["recall"] == {"estimate": 1.0, "low": 1.0, "high": 1.0}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"rows": [{}]}', '{"rows": []}'])
def test_what_holds_no_verdicts_is_an_error(tmp_path, text):
    path = tmp_path / "verdicts.json"
    path.write_text(text)
    with pytest.raises(DataError):
        draw_sample(path, 10, seed=0)
