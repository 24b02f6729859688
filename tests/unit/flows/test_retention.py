"""What `assay make` says of the judging behind a dataset."""

import io

import pytest
from rich.console import Console

from flows.retention import judgings
from flows.tables import retention_table
from tasks.core.identity import Identity
from tasks.core.store import Store, write_json
from tasks.judge.consistency import Agreement
from tasks.judge.engine import Finding
from tasks.judge.retention import Tally

RIGHT, WRONG, OPEN = (Finding(verdict, "number", "") for verdict in ("right", "wrong", "undecided"))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def publish(store, stage, sources, summary=None):
    def build(draft):
        (draft.folder / "file").write_text(f"{stage} {sources}")
        if summary is not None:
            write_json(draft.folder / "summary.json", summary.model_dump())
        draft.num_rows, draft.sources = 1, sources

    return store.produce(Identity.of(stage, 1, {"sources": sources}, {}), build)


def tally(*agreements):
    counted = Tally()
    counted.add("short", "gsm8k", [RIGHT, WRONG], *agreements)
    counted.add("none", "web", [WRONG, OPEN], *agreements)
    return counted.summary(1)


def distilled(store, summary):
    by_rules = publish(store, "judge", {}, tally())
    settled = publish(store, "judge-settled", {"verdicts": by_rules.path}, summary)
    kept = publish(store, "keep", {"verdicts": settled.path})
    # Another recipe's rows were cleaned to the same: its judging is not this dataset's.
    other = publish(store, "keep", {"verdicts": publish(store, "judge", {"a": "b"}, tally()).path})
    clean = publish(store, "decontaminate", {"records": other.path})
    return settled, publish(store, "recipe", {"made": kept.path, "records": clean.path})


def printed(judging):
    console = Console(file=io.StringIO(), width=140)
    console.print(retention_table(judging))
    return console.file.getvalue()


def test_the_verdicts_that_a_dataset_was_chosen_by_are_found_as_they_were_settled(store):
    summary = tally()
    settled, made = distilled(store, summary)
    [judging] = judgings(store, made)
    assert (judging.step, judging.artifact, judging.summary) == ("keep", settled.path, summary)


def test_each_judging_of_a_chain_is_told_apart(store):
    failed = publish(store, "failures", {"verdicts": publish(store, "judge", {}, tally()).path})
    solved = publish(store, "judge", {"outcomes": failed.path}, tally())
    assert [one.step for one in judgings(store, publish(store, "keep", {"verdicts": solved.path}))] == [
        "failures", "keep",
    ]  # fmt: skip


def test_what_was_never_judged_has_nothing_to_say(store):
    assert judgings(store, publish(store, "ingest", {})) == []


def test_retention_is_shown_by_type_of_reference_and_by_source(store):
    _, made = distilled(store, tally())
    [judging] = judgings(store, made)
    lines = [line.split() for line in printed(judging).splitlines()]
    assert ["all", "2", "1", "4", "1", "2", "1"] in lines
    assert ["reference:", "none", "1", "0", "2", "0", "1", "1"] in lines
    assert ["reference:", "short", "1", "1", "2", "1", "1", "0"] in lines
    assert ["source:", "gsm8k", "1", "1", "2", "1", "1", "0"] in lines
    assert "unanswered: 1 question" in printed(judging) and "agreement" not in printed(judging)


def test_agreement_is_told_apart_from_accuracy(store):
    whole = Agreement("4", frozenset({0, 1}), 1.0, "")
    _, made = distilled(store, tally(whole))
    [judging] = judgings(store, made)
    said = " ".join(printed(judging).split())
    assert "agreement: of 2 questions, the largest class of equal answers has 100.0 % of the answers on average" in said
    assert "2 are unanimous" in said
    assert f"accuracy: not told by agreement; assay review {judging.artifact}" in said


def test_refused_majorities_are_named(store):
    tied = Agreement(None, frozenset({0}), 0.5, "tie")
    _, made = distilled(store, tally(tied))
    said = " ".join(printed(*judgings(store, made)).split())
    assert "has 50.0 % of the answers on average, 0 are unanimous; no majority: 2 tie" in said
