"""How right and how fast judging is:  .venv/bin/python tests/benchmarks/judge.py [DATA]

DATA is the folder of real data (../shared/data). Prints agreement with real labels, every disagreement, what is equal
among MATH-500's gold answers, what the hand-labelled outputs get, rows a second on one core beside plain Math-Verify,
and the memory and speed of the whole task as answers grow tenfold. Rates are by processor seconds, so that another
program on the machine changes none of them; those of worker processes are told apart.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path

import psutil

from flows.record import machine
from tasks.core.identity import Identity
from tasks.core.rows import OUTCOMES, QUESTIONS, write_rows
from tasks.core.store import Store
from tasks.judge.config import JudgeConfig
from tasks.judge.consistency import Answer, judge_answers_of_a_row
from tasks.judge.equivalence import Equivalence
from tasks.judge.extract import extract
from tasks.judge.references import gold_answer
from tasks.judge.workers import Workers

ROOT = Path(__file__).parents[2]
SIZES = (50_000, 500_000)


def main(data: Path) -> None:
    print(f"{date.today()}  {machine()}")
    solutions = [
        (row["question"], row["ground_truth"], found["solution"], found["is_correct"])
        for row in read(data / "gsm8k" / "model_solutions.jsonl")
        for found in row.values()
        if isinstance(found, dict)
    ]
    with Workers(1, deadline=5) as engine:
        real_labels(solutions, engine)
        gold_answers([row["answer"] for row in read(data / "math500" / "test.jsonl")], engine)
        hand_labels(engine)
    plain_math_verify(solutions)
    for size in SIZES:
        subprocess.run([sys.executable, __file__, "--task", str(size), data], check=True)


def read(path: Path) -> list:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def judge(question, reference, output, compare):
    gold = gold_answer(question, reference)
    judged, _ = judge_answers_of_a_row(gold, [Answer(0, extract(output))], JudgeConfig(), compare)
    return judged[0]


def real_labels(solutions, engine) -> None:
    compare, started = Equivalence(engine).compare, time.process_time()
    found = [judge(*row[:3], compare) for row in solutions]
    seconds = time.process_time() - started
    asked = sum(one.finding.method == "math" for one in found)
    same = sum((one.finding.verdict == "right") == row[3] for one, row in zip(found, solutions, strict=True))
    print(f"\nGSM8K, {len(solutions):,} labelled solutions: agreement {same / len(solutions):.2%}")
    print(f"  {len(solutions) / seconds:,.0f} rows/s on one core; {asked} rows went to a worker")
    for (verdict, method), count in sorted(Counter(one.finding[:2] for one in found).items()):
        print(f"  {verdict:10} {method:10} {count:6,}")
    for one, (question, _, _, label) in zip(found, solutions, strict=True):
        if (one.finding.verdict == "right") != label:
            print(f"  DISAGREES, label {label}: {question[:80]}... {one}")


def gold_answers(golds, engine) -> None:
    started = worker_seconds(engine)
    equal = sum(engine.compare(gold, gold).verdict == "right" for gold in golds)
    rate = len(golds) / (worker_seconds(engine) - started)
    print(f"\nMATH-500: {equal} of {len(golds)} gold answers equal themselves by algebra")
    print(f"  {rate:,.0f} comparisons/s in a worker, both directions")
    rng, compare, found = random.Random(0), Equivalence(engine).compare, Counter()
    while found.total() < 2000:
        one, other = rng.sample(golds, 2)
        if one != other:
            finding = compare(one, other)
            found[finding.verdict] += 1
            if finding.verdict == "right":
                print(f"  EQUAL: {one} and {other}: {finding.evidence}")
    print(f"  2,000 pairs of different ones: {dict(found)}")


def worker_seconds(engine: Workers) -> float:
    times = psutil.Process(engine._workers[0]._process.pid).cpu_times()
    return times.user + times.system


def hand_labels(engine) -> None:
    compare = Equivalence(engine).compare
    counts = Counter[tuple[str, str]]()
    for row in read(ROOT / "tests" / "unit" / "judge" / "labelled.jsonl"):
        counts[row["truth"], judge(row["question"], row["gold"], row["output"], compare).finding.verdict] += 1
    print(f"\nhand-labelled outputs, {counts.total()} (truth, verdict):")
    for (truth, verdict), count in sorted(counts.items()):
        print(f"  {truth:6} {verdict:10} {count:4}")


def plain_math_verify(solutions) -> None:
    """Math-Verify alone: it parses the reference and the whole output itself, in this process, without a clock."""
    import logging

    from math_verify import parse, verify

    logging.getLogger("math_verify").setLevel(logging.ERROR)
    some, started = random.Random(0).sample(solutions, 500), time.process_time()
    same = 0
    for _, reference, output, label in some:
        gold, answer = (parse(text, parsing_timeout=None) for text in (reference, output))
        same += verify(gold, answer, timeout_seconds=None) == label
    rate = len(some) / (time.process_time() - started)
    print(f"\nplain Math-Verify, 500 of the solutions: agreement {same / 500:.1%}, {rate:,.0f} rows/s on one core")


def whole_task(size: int, data: Path) -> None:
    """Publish verdicts on `size` answers, four a question, in this process."""
    from tasks.judge.task import judge_answers

    train = read(data / "gsm8k" / "train.jsonl")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        ids = [f"{number:08}" for number in range(size // 4)]

        def publish(stage, columns, rows):
            def build(draft):
                draft.num_rows, draft.columns = write_rows(draft.folder, rows, columns), columns

            return store.produce(Identity.of(stage, 1, {}, {}), build)

        def question(number, row_id):
            row = train[number % len(train)]
            texts = {"question": row["question"], "reference": row["answer"]}
            return {"row_id": row_id, "source": "gsm8k", "origin": "", **texts}

        def outcome(number, row_id, sample):
            row = train[(number + (sample == 3)) % len(train)]  # the last of four answers is another question's
            fields = {"row_id": row_id, "sample": sample, "text": row["answer"], "finish": "stop"}
            return {**dict.fromkeys(OUTCOMES), **fields}

        asked = publish("questions", QUESTIONS, (question(n, i) for n, i in enumerate(ids)))
        outcomes = (outcome(n, i, sample) for n, i in enumerate(ids) for sample in range(4))
        answered = publish("outcomes", OUTCOMES, outcomes)
        before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        judge_answers.fn("benchmark", JudgeConfig(mode="both"), answered, asked, store.root, workers=1)
        seconds, peak = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rate = f"{size / seconds:,.0f} answers/s"
    print(f"\nthe whole task, {size:,} answers, mode both: {rate}, peak {peak >> 10:,} MiB ({before >> 10:,} before)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--task"]:
        whole_task(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data")
