"""A gain that sits on leaked benchmark items, found out on the real engines.

Every question asks for a code that nothing tells but the answer itself. One candidate holds half of the benchmark's
questions with their answers, the other as many questions of its own kind. So whatever is gained is known by heart.
"""

import random

import pytest
import yaml
from small_study import NAMES, make_small_study, write_jsonl

from flows.findings import comparison_of
from flows.record import latest, read_record
from tasks.core.rows import OVERLAPS, read_rows
from tasks.core.store import Store

# Slow, since it trains a study of its own: every run tests the rule, in tests/unit/compare/test_conditioned.py.
pytestmark = [pytest.mark.engine, pytest.mark.slow]
ITEMS = 60


def asked(count, seed):
    """Questions that share no words but the first and the last, each with a code of its own."""
    rng = random.Random(seed)
    fruit = ("apples", "pears", "plums", "figs", "limes", "nuts")
    for n in range(count):
        words = [rng.choice(NAMES), "has", str(rng.randrange(1000)), rng.choice(fruit), "on day", str(n)]
        yield {"question": f"{' '.join(words)} of {seed}. Code?", "answer": str(rng.randrange(100, 1000))}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, prefect_api, blank):
    study = make_small_study(tmp_path_factory.mktemp("leak"), prefect_api, blank)
    items = list(asked(ITEMS, "spring"))
    write_jsonl(study.folder / "codes.jsonl", items)
    write_jsonl(study.folder / "leaky.jsonl", items[: ITEMS // 2])
    write_jsonl(study.folder / "fresh.jsonl", list(asked(ITEMS // 2, "autumn")))
    declared = yaml.safe_load(study.file.read_text()) | {
        "candidates": [{"name": name, "file": f"{name}.jsonl"} for name in ("leaky", "fresh")],
        "candidate_weight": 0.5,
        "max_epochs": 1000,
        "tokens": 250 * 4 * 128,
    }
    study.file.write_text(yaml.safe_dump(declared))
    done = study.assay("run", study.file)
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"leaky: its rows hold 50 % or more of {ITEMS // 2} of {ITEMS} items of codes" in " ".join(
        done.stderr.split()
    )
    return study


def test_a_gain_by_heart_is_contaminated(finished):
    store = Store(finished.folder / "store")
    record = read_record(store, latest(store, "small").record)
    leaky, fresh = comparison_of(store, record).candidates
    assert leaky.deltas[0].finding == "up" and leaky.deltas[0].delta > 20
    assert leaky.verdict == "contaminated"
    assert "only on benchmark items that its rows match" in leaky.sentence
    assert fresh.verdict in ("no effect", "inconclusive")
    decided = next(one for one in leaky.conditioned if one.threshold == 0.5)
    assert (decided.n_items, decided.n_matched, decided.shown_up) == (30, 30, False)
    assert decided.matched_delta > 40 and decided.p_matched < 0.001
    assert {one.n_matched for one in fresh.conditioned} == {0}
    rows = list(read_rows(store.folder(record.overlaps["leaky"]), OVERLAPS))
    assert len({row["item"] for row in rows if row["ratio"] == 1}) == 30


def test_both_graders_say_so(finished):
    store = Store(finished.folder / "store")
    record = read_record(store, latest(store, "small").record)
    for candidate in comparison_of(store, record).candidates:
        [second] = candidate.regraded
        assert (second.grader, second.finding) == ("math-verify", candidate.deltas[0].finding)
    assert all(set(run.grades) == {"codes"} for run in record.runs)
