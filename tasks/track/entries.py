"""What a study shows in a tracker, as journal entries.

::

    study                          kind=study      params, verdict.<candidate> tags, the table of deltas, the report
    ├── <candidate>                kind=candidate  delta/<benchmark>, delta_low/..., delta_high/...;
    │                                              delta_domain/<domain>, delta_domain_low/..., ...;
    │                                              delta_regraded/..., delta_clean_<share>/...;
    │                                              worth_of_<filter>/...; fixed, broken; cost/<unit>,
    │                                              cost_per_point/<unit>; tag verdict
    └── <arm> seed <seed>          kind=anneal     loss, learning_rate, ... over steps; accuracy/<benchmark>; datasets

Every run carries the tag ``study``, and those of a candidate the tags ``candidate`` and ``verdict`` as well, so a
search for ``tags.candidate = 'x'`` finds its deltas and its anneals. Differences and accuracies are in points.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tasks.core.results import CandidateResult, Comparison
from tasks.core.rows import read_rows
from tasks.core.store import Store
from tasks.track.config import TrackConfig, TrackedArm, TrackedStudy
from tasks.track.journal import Entry

#: Columns of STEPS that are shown over steps.
SERIES = ("loss", "learning_rate", "tokens_per_second", "mfu")
#: The file of a study's deltas, a row a candidate and benchmark.
TABLE = "deltas.json"
_NUMBERS_PER_ENTRY = 4_000


def study_entries(data: TrackedStudy, store: Store, config: TrackConfig) -> Iterator[Entry]:
    """Yield all that a study shows; the study's own run first, each run before what belongs to it.

    Raises:
        IntegrityError: if an anneal or the report is no longer in the store.
    """
    root = data.study_hash
    verdicts = {one.name: one.verdict for one in data.comparison.candidates} if data.comparison else {}
    tags = {"kind": "study", "study": data.study, "study_hash": data.study_hash}
    tags |= {f"verdict.{_safe(name)}": verdict for name, verdict in verdicts.items()}
    yield _run(root, None, data.study, tags)
    yield from _params(root, data.params)
    if data.comparison is not None:
        yield _table(data, data.comparison)
        for candidate in data.comparison.candidates:
            yield from _candidate_entries(data, candidate)
    for arm in data.arms:
        yield from _arm_entries(data, arm, verdicts.get(arm.arm), store, config)
    if data.report is not None:
        store.folder(data.report)
        yield Entry(kind="artifact", run=root, body={"folder": data.report.path, "digest": data.report.digest})


def _candidate_entries(data: TrackedStudy, candidate: CandidateResult) -> Iterator[Entry]:
    run = f"{data.study_hash}/{candidate.name}"
    tags = {"kind": "candidate", "study": data.study, "candidate": candidate.name, "verdict": candidate.verdict}
    yield _run(run, data.study_hash, candidate.name, tags | {"mlflow.note.content": candidate.sentence})
    yield from _params(run, {**data.params, "candidate": candidate.name})
    yield from _metrics(run, [[_safe(name), value, 0] for name, value in _numbers(data, candidate)])


def _numbers(data: TrackedStudy, candidate: CandidateResult) -> Iterator[tuple[str, float]]:
    """Yield a candidate's numbers as the report has them; what has no number, such as a missing bound, is left out."""
    for delta in candidate.deltas:
        yield from _bounded("delta", delta.benchmark, delta.delta, delta.low, delta.high)
    for pooled in candidate.domains:
        yield from _bounded("delta_domain", pooled.domain, pooled.delta, pooled.low, pooled.high)
    if (gain := candidate.overall) is not None:
        yield from _bounded("delta", "mean of primaries", gain.delta, gain.low, gain.high)
    for graded in candidate.regraded:
        yield from _bounded("delta_regraded", graded.benchmark, graded.delta, graded.low, graded.high)
    for clean in candidate.conditioned:
        if clean.n_matched:
            yield from _bounded(f"delta_clean_{clean.threshold:g}", clean.benchmark, clean.delta, clean.low, clean.high)
    for worth in (
        one for one in (data.comparison.filters if data.comparison else ()) if one.candidate == candidate.name
    ):
        yield from _bounded(f"worth_of_{worth.filter}", worth.benchmark, worth.delta, worth.low, worth.high)
    for ledger in (one for one in data.ledgers if one.candidate == candidate.name):
        yield from (("fixed", ledger.fixed), ("broken", ledger.broken))
    for unit in (unit for one in data.points if one.candidate == candidate.name for unit in one.units):
        yield f"cost/{unit.unit}", unit.total
        yield from _bounded("cost_per_point", unit.unit, unit.estimate, unit.low, unit.high)


def _bounded(
    name: str, what: str, value: float | None, low: float | None, high: float | None
) -> Iterator[tuple[str, float]]:
    for key, number in ((name, value), (f"{name}_low", low), (f"{name}_high", high)):
        if number is not None:
            yield f"{key}/{what}", number


def _table(data: TrackedStudy, comparison: Comparison) -> Entry:
    """Return every delta of a study as one table, which MLflow shows side by side over runs; domains have no scores."""
    fields = ("benchmark", "domain", "role", "control", "candidate", "delta", "low", "high", "n_items", "n_seeds")
    pooled = {"role": "domain", "control": None, "candidate": None, "n_seeds": len(comparison.seeds)}
    rows = [
        [data.study, candidate.name, candidate.verdict, *(shown[field] for field in fields)]
        for candidate in comparison.candidates
        for shown in (
            *(delta.model_dump() for delta in candidate.deltas),
            *(one.model_dump() | pooled | {"benchmark": one.label} for one in candidate.domains),
        )
    ]
    columns = ["study", "name", "verdict", *fields]
    return Entry(kind="table", run=data.study_hash, body={"name": TABLE, "columns": columns, "data": rows})


def _arm_entries(
    data: TrackedStudy, arm: TrackedArm, verdict: str | None, store: Store, config: TrackConfig
) -> Iterator[Entry]:
    run = f"{data.study_hash}/{arm.arm}/{arm.seed}"
    tags = {"kind": "anneal", "study": data.study, "arm": arm.arm, "seed": str(arm.seed)}
    if verdict is not None:
        tags |= {"candidate": arm.arm, "verdict": verdict}
    yield _run(run, data.study_hash, f"{arm.arm} seed {arm.seed}", tags)
    yield from _params(run, {"arm": arm.arm, "seed": arm.seed, **arm.params})
    for dataset in arm.datasets:
        yield Entry(kind="dataset", run=run, body=dataset.model_dump(mode="json"))
    numbers = {f"accuracy/{_safe(name)}": value for name, value in arm.accuracy.items()} | arm.totals
    yield from _metrics(run, [[_safe(name), value, 0] for name, value in sorted(numbers.items())])
    if arm.steps is not None:
        rows = list(read_rows(store.folder(arm.steps) / arm.steps_folder, ["step", *SERIES]))
        yield from _metrics(run, _series(thinned(rows, config.max_points)))


def thinned(rows: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """Return at most `most` of the rows, evenly spaced, the first and the last among them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(place * (len(rows) - 1) / (most - 1))] for place in range(most)]


def _series(rows: Iterable[dict[str, Any]]) -> list[list[Any]]:
    return [[name, row[name], row["step"]] for row in rows for name in SERIES if _is_number(row[name])]


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)  # a loss that blew up has no point to draw


def _run(run: str, parent: str | None, name: str, tags: dict[str, str]) -> Entry:
    return Entry(kind="run", run=run, body={"parent": parent, "name": name, "tags": tags})


def _params(run: str, params: dict[str, Any]) -> Iterator[Entry]:
    if params:
        yield Entry(kind="params", run=run, body={_safe(name): str(value) for name, value in params.items()})


def _metrics(run: str, points: list[list[Any]]) -> Iterator[Entry]:
    for start in range(0, len(points), _NUMBERS_PER_ENTRY):
        yield Entry(kind="metrics", run=run, body={"points": points[start : start + _NUMBERS_PER_ENTRY]})


def _safe(name: str) -> str:
    """Return a name as trackers take it: letters, digits, ``_-./`` and blanks."""
    return re.sub(r"[^\w\-./ ]", "_", name)
