"""The sample logs of EleutherAI's lm-evaluation-harness (0.4.x, ``--log_samples --output_path``).

``<output>/<model>/samples_<task>_<date>.jsonl`` has one object for each question and filter: `doc_id`, `doc`, `filter`,
`metrics` (the names of its scores, each a field of its own), `doc_hash` and `prompt_hash`. Early versions wrote the
same objects as one array, in ``.json``. Source: ``evaluator.evaluate`` and ``EvaluationTracker.save_results_samples``.

Three choices are made, and said:

- of several runs of a task in one folder, the newest counts;
- of several filters, which score the same answers again, ``flexible-extract`` counts, or else the first in the file: a
  difference in how answers are laid out is no difference in math;
- of several metrics, the first of `_METRICS` counts: equivalence before spelling, and scores normalised by length
  before plain ones. A task that has none of them is left out, but for a lone metric that is a share for every answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.errors import DataError
from tasks.harness.answers import Answer, LeftOut, Notes, is_share, share_of_one
from tasks.harness.catalogue import Known, place
from tasks.harness.plain import rows

FIELDS = frozenset({"doc_id", "resps"})

_NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(\.\d+)?)\.jsonl?")
_METRICS = (
    "math_verify", "exact_match", "acc_norm", "acc", "pass@1", "pass_at_1", "prompt_level_strict_acc", "em", "f1",
)  # fmt: skip
_FILTER = "flexible-extract"
_NO_FILTER = "none"


@dataclass
class _Sample:
    """What counts of one line: the answers themselves are long, and not needed."""

    origin: str
    item: str
    filter: str
    scores: dict[str, Any]
    prompt: str | None
    cluster: str | None


def is_log(path: Path) -> bool:
    """Whether a file has the name of a log."""
    return bool(_NAME.fullmatch(path.name))


def newest_logs(folder: Path, notes: Notes) -> list[Path]:
    """Return the newest log of each task below a folder, in order of task.

    Raises:
        DataError: if there are logs of several models, which are several sides of a comparison.
    """
    found = sorted(filter(is_log, folder.rglob("samples_*.json*")))
    if len(models := sorted({str(path.parent.relative_to(folder)) for path in found})) > 1:
        raise DataError(
            f"{folder} holds samples of {len(models)} models: {', '.join(models)}",
            remedy="name one model's folder for each side",
        )
    newest: dict[str, list[Path]] = {}
    for path in sorted(found, key=lambda path: _dated(path)[1]):
        newest.setdefault(_dated(path)[0], []).append(path)
    for task, paths in sorted(newest.items()):
        if len(paths) > 1:
            notes.add(f"{task}: {len(paths)} runs in {folder}; the newest counts, {paths[-1].name}")
    return [paths[-1] for _, paths in sorted(newest.items())]


def read_log(path: Path, known: Sequence[Known], notes: Notes) -> list[Answer] | LeftOut:
    """Return the answers of one task, in order, or why it is left out: none of its metrics says which are right.

    Raises:
        DataError: naming the line that cannot be used.
    """
    task, _ = _dated(path)
    samples = [_sample(row, origin) for origin, row in rows(path)]
    if not samples:
        raise DataError(f"{path}: it is empty", remedy="evaluate again with --log_samples")
    where, metrics, metric = place(task, known), list(samples[0].scores), _metric(samples)
    if metric is None:
        named = f"of its metrics {', '.join(metrics)} none is known to say" if metrics else "it has no metric that says"
        return LeftOut(where.benchmark, f"{task} is left out: {named} which answers are right")
    filters = list(dict.fromkeys(sample.filter for sample in samples))
    chosen = _FILTER if _FILTER in filters else filters[0]
    if len(filters) > 1:
        notes.add(f"{task}: of the filters {', '.join(filters)}, {chosen} counts")
    if len(metrics) > 1:
        notes.add(f"{task}: of the metrics {', '.join(metrics)}, {metric} counts")
    return [
        Answer(
            benchmark=where.benchmark,
            item=f"{task}/{sample.item}",
            correct=share_of_one(sample.scores.get(metric), metric, sample.origin),
            metric=metric if chosen == _NO_FILTER else f"{metric}, {chosen}",
            origin=sample.origin,
            cluster=sample.cluster or where.cluster,
            domain=where.domain,
            prompt=sample.prompt,
        )
        for sample in samples
        if sample.filter == chosen
    ]


def _dated(path: Path) -> tuple[str, str]:
    """Return the task and the date in a log's name."""
    if named := _NAME.fullmatch(path.name):
        return named["task"], named["date"]
    raise DataError(
        f"{path}: not a name that lm-evaluation-harness gives a log", remedy="name it samples_<task>_<date>.jsonl again"
    )


def _sample(row: dict[str, Any], origin: str) -> _Sample:
    if missing := sorted(FIELDS - row.keys()):
        raise DataError(
            f"{origin}: no {' and '.join(missing)}, so no sample of lm-evaluation-harness",
            remedy="copy the log whole, or evaluate again with --log_samples",
        )
    names = row.get("metrics") or [name for name in _METRICS if name in row]
    if not isinstance(names, list):
        raise DataError(f"{origin}: metrics is {names!r}, no list", remedy="copy the log whole, or evaluate again")
    content, prompt = str(row.get("doc_hash") or "")[:12], row.get("prompt_hash")
    document = row["doc"] if isinstance(row.get("doc"), dict) else {}
    passage = document.get("passage")  # DROP's: several questions on one text
    return _Sample(
        origin=origin,
        item=f"{row['doc_id']}-{content}" if content else str(row["doc_id"]),
        filter=str(row.get("filter", _NO_FILTER)),
        scores={str(name): row.get(str(name)) for name in names},
        prompt=None if prompt is None else str(prompt),
        cluster=f"passage-{_digest(passage)}" if isinstance(passage, str) else None,
    )


def _metric(samples: Sequence[_Sample]) -> str | None:
    """Return the metric that counts; None where none says which answers are right."""
    names = list(samples[0].scores)
    if known := next((name for name in _METRICS if name in names), None):
        return known
    alone = names[0] if len(names) == 1 else None
    return alone if alone and all(is_share(sample.scores.get(alone)) for sample in samples) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]
