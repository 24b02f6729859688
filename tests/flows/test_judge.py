"""Judging by the real Math-Verify: hand-labelled outputs, real labelled answers, expressions that hang or kill."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.judging import JudgedAnswer, judge_file
from tasks.core.errors import EngineError
from tasks.judge import workers
from tasks.judge.config import JudgeConfig
from tasks.judge.consistency import Answer, judge_answers_of_a_row
from tasks.judge.equivalence import Equivalence
from tasks.judge.extract import extract
from tasks.judge.references import gold_answer
from tasks.judge.workers import Workers

pytestmark = pytest.mark.engine

LABELLED = Path(__file__).parents[1] / "unit" / "judge" / "labelled.jsonl"
DATA = Path(__file__).parents[3] / "shared" / "data"
SOLUTIONS, MATH500 = DATA / "gsm8k" / "model_solutions.jsonl", DATA / "math500" / "test.jsonl"
HANGS = r"\int_0^1 e^{x^2}\sin(x^3)dx"

needs_solutions = pytest.mark.skipif(not SOLUTIONS.exists(), reason=f"{SOLUTIONS} is not here")
needs_math500 = pytest.mark.skipif(not MATH500.exists(), reason=f"{MATH500} is not here")


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def math_verify():
    with Workers(1, deadline=10) as engine:
        yield engine


@pytest.mark.parametrize("row", read(LABELLED), ids=lambda row: row["trap"])
def test_hand_labelled_outputs_are_judged_as_labelled(row, math_verify):
    gold = gold_answer(row["question"], row["gold"])
    answer = Answer(0, extract(row["output"]))
    judged, _ = judge_answers_of_a_row(gold, [answer], JudgeConfig(), Equivalence(math_verify).compare)
    assert judged[0].finding.verdict == row["verdict"], judged[0]


@needs_solutions
def test_the_verdicts_agree_with_the_labels_of_real_solutions(math_verify):
    compare, agree, disagree = Equivalence(math_verify).compare, 0, []
    for question in read(SOLUTIONS):
        gold = gold_answer(question["question"], question["ground_truth"])
        for system, solution in question.items():
            if system in ("question", "ground_truth"):
                continue
            answer = Answer(0, extract(solution["solution"]))
            judged, _ = judge_answers_of_a_row(gold, [answer], JudgeConfig(), compare)
            same = (judged[0].finding.verdict == "right") == solution["is_correct"]
            agree += same
            disagree += [] if same else [(question["question"], system, judged[0])]
    assert agree + len(disagree) == 5276
    assert agree / 5276 >= 0.999, disagree
    assert disagree == []  # each one that there is must be in docs/how-to/judge.md


@needs_math500
def test_every_gold_answer_equals_itself_by_algebra_too(math_verify):
    golds = [row["answer"] for row in read(MATH500)]
    assert len(golds) == 500
    assert [gold for gold in golds if math_verify.compare(gold, gold).verdict != "right"] == []
    boxed = [extract(row["solution"]).answer for row in read(MATH500)]
    found = [Equivalence(math_verify).compare(g, b) for g, b in zip(golds, boxed, strict=True)]
    assert [one for one in found if one.verdict != "right"] == []


@needs_math500
def test_no_two_different_gold_answers_are_equal(math_verify):
    golds, rng, compare = [row["answer"] for row in read(MATH500)], random.Random(0), Equivalence(math_verify).compare
    pairs = []
    while len(pairs) < 2000:
        one, other = rng.sample(golds, 2)
        if one != other:
            pairs.append((one, other))
    assert [pair for pair in pairs if compare(*pair).verdict == "right"] == []


@pytest.mark.parametrize(
    ("expression", "method"),
    [
        (HANGS, "deadline"),
        ("9^{9^{9^{9}}}", "deadline"),
        ("(10^{10})!", "deadline"),
        ("(" * 900 + "x" + ")" * 900, "deadline"),
    ],
)
def test_an_expression_that_hangs_is_undecided_and_the_next_one_is_judged(expression, method):
    with Workers(1, deadline=1) as engine:
        found = engine.compare("5", expression)
        assert (found.verdict, found.method) == ("undecided", method)
        assert engine.compare("x+1", "1+x").verdict == "right"


def test_a_deadline_is_in_processor_seconds():
    """A worker that is stopped for longer than its deadline goes on where it was."""
    with Workers(1, deadline=1) as engine:
        engine.compare("x+1", "1+x")
        pid = engine._workers[0]._process.pid
        os.kill(pid, signal.SIGSTOP)
        waker = subprocess.Popen(
            [sys.executable, "-c", f"import os, time; time.sleep(3); os.kill({pid}, {signal.SIGCONT.value})"]
        )
        assert engine.compare("x+1", "1+x").verdict == "right"
        waker.wait()


class TestAFaultInsideAWorker:
    """`_serve` runs in the worker; what it calls is replaced there by what fails."""

    @pytest.fixture
    def broken(self, tmp_path, monkeypatch):
        def run(body):
            script = tmp_path / "broken.py"
            script.write_text(BROKEN.format(body=body))
            done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
            return [tuple(found) for found in json.loads(done.stdout)]

        return run

    def test_a_crash_leaves_the_others_judged(self, broken):
        found = broken("os.kill(os.getpid(), signal.SIGSEGV)")
        assert [one[:2] for one in found] == [("right", "math"), ("undecided", "crash"), ("right", "math")]
        assert "SIGSEGV" in found[1][2]

    def test_eating_memory_leaves_the_others_judged(self, broken):
        found = broken("x = [bytearray(1 << 28) for _ in range(100)]")
        assert [one[:2] for one in found] == [("right", "math"), ("undecided", "memory"), ("right", "math")]

    def test_an_error_of_sympys_leaves_the_others_judged(self, broken):
        found = broken("raise RecursionError")
        assert [one[:2] for one in found] == [("right", "math"), ("undecided", "failed"), ("right", "math")]


BROKEN = """
import json, os, signal, sys
from tasks.judge import math_verify, workers

real = math_verify.compare

def compare(gold, answer):
    if answer == "poison":
        {body}
    return real(gold, answer)

math_verify.compare = compare

if __name__ == "__main__":
    with workers.Workers(1, deadline=30) as engine:
        print(json.dumps([engine.compare("x+1", answer) for answer in ("1+x", "poison", "1+x")]))
"""


def test_a_run_ends_with_every_other_row_judged(tmp_path):
    bad = [HANGS, "9" * 1_000_000, "(" * 500_000, r"\frac{" * 1000, "x" + "^x" * 900, "\x00\ud800"]
    rows = [{"gold": "x+1", "answer": ["1+x", rf"\boxed{{{poison}}}", "x+2"]} for poison in bad]
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    found = list(judge_file(file, "gold", "answer", JudgeConfig(deadline=1)))
    assert [(one.verdict) for one in found if one.index == 0] == ["right"] * len(bad)
    assert [(one.verdict) for one in found if one.index == 2] == ["wrong"] * len(bad)
    assert {one.verdict for one in found if one.index == 1} <= {"undecided", "wrong"}
    assert all(isinstance(one, JudgedAnswer) for one in found)


def test_no_worker_outlives_a_caller_that_was_killed(tmp_path):
    script = tmp_path / "caller.py"
    script.write_text(
        "from tasks.judge.workers import Workers\n"
        "if __name__ == '__main__':\n"
        "    engine = Workers(1, deadline=2)\n"
        "    engine.compare('x+1', '1+x')\n"
        "    print(engine._workers[0]._process.pid, flush=True)\n"
        f"    engine.compare('5', {HANGS!r})\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as caller:
        pid = int(caller.stdout.readline())
        caller.kill()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not Path(f"/proc/{pid}").exists()


def test_math_verify_that_cannot_be_loaded_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(workers, "_serve", _exits)
    with Workers(1, deadline=1) as engine, pytest.raises(EngineError, match="no process"):
        engine.compare("x", "y")


def _exits(*_):
    raise SystemExit(1)
