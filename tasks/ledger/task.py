"""The ledger task: the scores of one candidate and of the control in, what was fixed and what was broken out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prefect import task

from tasks.core.ledgers import ChangedItem, Ledger, Targeted
from tasks.core.rows import CHANGES, write_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.ledger.artifact import LEDGER, identity
from tasks.ledger.changes import Paired, by_difficulty, by_level, by_topic, kinds
from tasks.ledger.config import LedgerConfig, SeedScores, Texts
from tasks.ledger.examples import Example, examples, excerpt
from tasks.ledger.load import Nearness, answers, load_nearness, load_pairs, near_rows, questions
from tasks.ledger.targeted import WeakItem, targeted


@task(name="ledger", task_run_name="ledger of {candidate}")
def write_ledger(
    candidate: str, config: LedgerConfig, scores: Sequence[SeedScores], texts: Texts, store_root: Path
) -> ArtifactRef:
    """Publish which items a candidate fixed and broke: CHANGES rows, and ``ledger.json`` (`core.ledgers.Ledger`).

    Args:
        scores: every (benchmark, seed), each with the scores of both arms.
        texts: what is known of the items and of the rows near to them; what is not known is left out.

    Raises:
        IntegrityError: if the two arms answered other items.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        pairs, nearness = load_pairs(store, scores, texts.labels), load_nearness(store, texts)
        draft.num_rows = write_rows(draft.folder, _changed_rows(pairs, nearness), CHANGES)
        draft.columns = CHANGES
        ledger = make_ledger(candidate, config, pairs, nearness, texts.failures is not None)
        shown = tuple(_shown(store, config, pairs, nearness, scores, texts))
        whole = ledger.model_copy(update={"shown": shown})
        (draft.folder / LEDGER).write_text(whole.model_dump_json(indent=1) + "\n", encoding="utf-8")
        draft.provenance = {"fixed": ledger.fixed, "broken": ledger.broken}

    return store.produce(identity(candidate, config, scores, texts), build)


def make_ledger(
    candidate: str, config: LedgerConfig, pairs: Sequence[Paired], nearness: Nearness, failures: bool
) -> Ledger:
    """Return a candidate's ledger without the items that are shown; pure."""
    found = [kind for pair in pairs for kind in kinds(pair.change)]
    return Ledger(
        candidate=candidate,
        n_seeds=pairs[0].control.shape[0],
        items=len(found),
        fixed=found.count("fixed"),
        broken=found.count("broken"),
        topics=tuple(by_topic(pairs)),
        levels=tuple(by_level(pairs)),
        difficulties=tuple(by_difficulty(pairs)),
        shown=(),
        targeted=_targeted(config, pairs, nearness, failures),
    )


def _targeted(config: LedgerConfig, pairs: Sequence[Paired], nearness: Nearness, failures: bool) -> Targeted | None:
    if nearness.share is None:
        return None
    weak = [one for pair in pairs if pair.benchmark in config.primary for one in _weak(config, pair, nearness)]
    return targeted(weak, config.confidence, failures=failures, declared=config.near)


def _weak(config: LedgerConfig, pair: Paired, nearness: Nearness) -> Iterator[WeakItem]:
    right = pair.control.mean(axis=0).tolist()
    for item, share, kind in zip(pair.items, right, kinds(pair.change), strict=True):
        if share < 0.5:
            name = (pair.benchmark, item)
            overlap = (nearness.overlap or {}).get(name)
            yield WeakItem(
                stratum=(pair.benchmark, round(share, 6)),
                fixed=kind == "fixed",
                share=(nearness.share or {}).get(name, 0.0),
                held=None if overlap is None else overlap >= config.held,
            )


def _changed_rows(pairs: Sequence[Paired], nearness: Nearness) -> Iterator[dict[str, Any]]:
    for pair in pairs:
        right, difficulty = (pair.control.mean(axis=0), pair.candidate.mean(axis=0)), pair.difficulty
        for place, kind in enumerate(kinds(pair.change)):
            if kind is not None:
                name = (pair.benchmark, pair.items[place])
                nearest = nearness.rows.get(name)
                yield {
                    "benchmark": pair.benchmark,
                    "item": pair.items[place],
                    "topic": pair.topics[place],
                    "level": pair.levels[place] or None,
                    "difficulty": difficulty[place],
                    "change": kind,
                    "control": float(right[0][place]),
                    "candidate": float(right[1][place]),
                    "overlap": (nearness.overlap or {}).get(name),
                    "near": (nearness.share or {}).get(name),
                    "row_id": nearest[0][0] if nearest else None,
                }


def _shown(
    store: Store,
    config: LedgerConfig,
    pairs: Sequence[Paired],
    nearness: Nearness,
    scores: Sequence[SeedScores],
    texts: Texts,
) -> Iterator[ChangedItem]:
    """Yield the items that are shown, with their texts, both arms' outputs and the rows near to them."""
    drawn = [one for kind in ("fixed", "broken") for one in examples(pairs, kind, config.primary, config.shown)]
    names = [(one.benchmark, one.item) for one in drawn]
    asked = questions(store, texts.items, names)
    rows = near_rows(store, texts.records, [(name, nearness.rows.get(name, [])) for name in names])
    for one, name in zip(drawn, names, strict=True):
        at = _at(scores, one)
        control, gold = answers(store, at.control, [one.item])[one.item]
        candidate, _ = answers(store, at.candidate, [one.item])[one.item]
        overlap = (nearness.overlap or {}).get(name)
        yield ChangedItem(
            benchmark=one.benchmark,
            item=one.item,
            topic=one.topic,
            level=one.level,
            difficulty=one.difficulty,
            change=one.change,
            control=round(one.control, 6),
            candidate=round(one.candidate, 6),
            seed=at.seed,
            question=excerpt(asked.get(name)),
            gold=excerpt(gold),
            control_output=excerpt(control),
            candidate_output=excerpt(candidate),
            overlap=None if overlap is None else round(overlap, 6),
            nearest=rows[name],
        )


def _at(scores: Sequence[SeedScores], one: Example) -> SeedScores:
    """Return the scores of an example's benchmark at its seed; seeds count in order, as they were paired."""
    return sorted((s for s in scores if s.benchmark == one.benchmark), key=lambda s: s.seed)[one.seed]
