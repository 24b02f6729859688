"""What decontaminating costs and what it finds:  .venv/bin/python tests/benchmarks/decontaminate.py [ROWS]

Real items (GSM8K's and MATH-500's test questions, ../shared/data) are planted in rows: copied, typeset otherwise,
inside longer text, and with one to four words replaced. The table shows which share of the items each rule finds,
and what it would drop that holds none: of 300 web pages, of GSM8K's training split, of MATH-500's questions held
against the other ones, and two chapters each of two text books as a single row. Then rows a CPU second and peak memory
over generated rows.
"""

import json
import random
import re
import resource
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from flows.record import machine
from tasks.core.rows import ITEMS, RECORDS, read_rows, write_rows
from tasks.core.store import Draft
from tasks.decontaminate.config import DecontaminateConfig
from tasks.decontaminate.index import build_index
from tasks.decontaminate.overlap import Matcher
from tasks.decontaminate.task import write_clean

DATA = Path(__file__).parents[3] / "shared" / "data"
RULES = [(8, 0.5), (8, 0.3), (8, 0.7), (5, 0.5), (13, 0.5)]


def load(file, field):
    return [json.loads(line)[field] for line in (DATA / file).read_text("utf-8").splitlines()]


def edited(count):
    def plant(text, draw):
        words = text.split()
        for at in draw.sample(range(len(words)), min(count, len(words))):
            words[at] = "replaced"
        return " ".join(words)

    return plant


PLANTED = {
    "copied": edited(0),
    "LaTeX typeset otherwise": lambda text, _: re.sub(
        "=", r"\\;=\\;", text.replace(r"\frac", r"\dfrac").replace("$", " $ ")
    ),
    "in 400 other words": lambda text, _: f"{'Some words about nothing. ' * 50}{text}{' And then some more. ' * 50}",
    **{f"{count} word{'s' * (count > 1)} replaced": edited(count) for count in range(1, 5)},
}


def recall(items):
    """Print what each rule finds."""
    pages = [page["text"] for page in json.loads((DATA / "web" / "c4_sample.json").read_text("utf-8"))]
    training = load("gsm8k/train.jsonl", "question")
    books = [re.sub("<[^>]+>", " ", path.read_text("utf-8")) for path in sorted(DATA.glob("openstax/**/*.cnxml"))]
    print("share of items found (unchecked ones left out), rows dropped")
    print(f"{'':25}", *(f"n={n} ratio={ratio}".rjust(15) for n, ratio in RULES))
    configs = [DecontaminateConfig(n=n, ratio=ratio) for n, ratio in RULES]
    indexes = [build_index(items, config) for config in configs]
    matchers = [Matcher(index) for index in indexes]
    for name, plant in PLANTED.items():
        shares = []
        for config, index, matcher in zip(configs, indexes, matchers, strict=True):
            draw, checked = random.Random(0), index.checked()
            found = [
                any(overlap.item == number for overlap in matcher.overlaps(plant(item[2], draw), config.ratio))
                for number, item in enumerate(items)
                if checked[number]
            ]
            shares.append(sum(found) / len(found))
        print(f"{name:25}", *(f"{share:15.1%}" for share in shares))
    problems = [item[2] for item in items if item[0] == "math_500"]
    for name, texts, own in (
        ("of 300 web pages", pages, {}),
        (f"of {len(training):,} of GSM8K's train", training, {}),
        ("of two books, each one row", ["\n".join(books)], {}),
        ("of 500 of MATH-500 itself", problems, {text: number for number, (_, _, text) in enumerate(items)}),
    ):
        counts = [
            sum(any(found.item != own.get(text) for found in matcher.overlaps(text, config.ratio)) for text in texts)
            for config, matcher in zip(configs, matchers, strict=True)
        ]
        print(f"{name:25}", *(f"{count:15,}" for count in counts))
    print(f"{'items unchecked':25}", *(f"{(~index.checked()).sum():15,}" for index in indexes))


def speed(items, count):
    """Print rows/s over `count` generated questions with answers, one in a hundred a planted item."""
    draw = random.Random(0)
    words = [word for _, _, text in items for word in text.split() if word.isalpha()]  # a formula is a span already

    def records():
        for number in range(count):
            text = draw.choice(items)[2] if draw.random() < 0.01 else " ".join(draw.choices(words, k=100))
            yield {"row_id": f"{number:08d}", "source": "s", "origin": "", "text": text, "messages": None}

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "records", records(), RECORDS)
        write_rows(folder / "items", (dict(zip(ITEMS, item, strict=True)) for item in items), ITEMS)
        draft = Draft(folder=folder / "out", scratch=folder)
        started = time.process_time()
        write_clean("all", DecontaminateConfig(), read_rows(folder / "records"), read_rows(folder / "items"), draft)
        seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{count:,} rows of 100 words: {count / seconds:,.0f} rows a CPU second,", end=" ")
    print(f"{draft.num_dropped:,} dropped, peak {peak:,.0f} MB")


if __name__ == "__main__":
    print(f"{date.today()}  {machine()}; other work shared the machine\n")
    if not DATA.exists():
        sys.exit(f"{DATA} is not there")
    given = [("gsm8k", str(at), text) for at, text in enumerate(load("gsm8k/test.jsonl", "question"))]
    given += [("math_500", str(at), text) for at, text in enumerate(load("math500/test.jsonl", "problem"))]
    recall(given)
    speed(given, int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
