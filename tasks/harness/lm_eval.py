"""The sample logs of EleutherAI's lm-evaluation-harness (0.4.x, ``--log_samples --output_path``).

``<output>/<model>/samples_<task>_<date>.jsonl`` has one object for each question and filter: `doc_id`, `doc`, `filter`,
`metrics` (the names of its scores, each a field of its own), `doc_hash` and `prompt_hash`. Early versions wrote the
same objects as one array, in ``.json``. Source: ``evaluator.evaluate`` and ``EvaluationTracker.save_results_samples``.

Three choices are made, and said:

- of several runs of a task in one folder, the newest counts;
- of several filters, which score the same answers again, ``flexible-extract`` counts, or else the first in the file: a
  difference in how answers are laid out is no difference in math;
- of several metrics, the first of `_METRICS` counts: equivalence before spelling, and scores normalised by length
  before plain ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.errors import DataError
from tasks.harness.answers import Answer, Notes, share_of_one
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


def read_log(path: Path, known: Sequence[Known], notes: Notes) -> Iterator[Answer]:
    """Yield the answers of one task, in order.

    Raises:
        DataError: naming the line that cannot be used, or the file where no one score can be chosen.
    """
    task, _ = _dated(path)
    samples = [_sample(row, origin) for origin, row in rows(path)]
    if not samples:
        raise DataError(f"{path}: it is empty", remedy="evaluate again with --log_samples")
    filters = list(dict.fromkeys(sample.filter for sample in samples))
    chosen = _FILTER if _FILTER in filters else filters[0]
    if len(filters) > 1:
        notes.add(f"{task}: of the filters {', '.join(filters)}, {chosen} counts")
    metric = _metric(samples[0], path, task, notes)
    where = place(task, known)
    for sample in samples:
        if sample.filter == chosen:
            yield Answer(
                benchmark=where.benchmark,
                item=f"{task}/{sample.item}",
                correct=share_of_one(sample.scores.get(metric), metric, sample.origin),
                metric=metric if chosen == _NO_FILTER else f"{metric}, {chosen}",
                origin=sample.origin,
                cluster=sample.cluster or where.cluster,
                domain=where.domain,
                prompt=sample.prompt,
            )


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
    content = str(row.get("doc_hash") or "")[:12]
    document = row["doc"] if isinstance(row.get("doc"), dict) else {}
    passage = document.get("passage")  # DROP's: several questions on one text
    return _Sample(
        origin=origin,
        item=f"{row['doc_id']}-{content}" if content else str(row["doc_id"]),
        filter=str(row.get("filter", _NO_FILTER)),
        scores={str(name): row.get(name) for name in names},
        prompt=row.get("prompt_hash"),
        cluster=f"passage-{hashlib.sha256(passage.encode()).hexdigest()[:12]}" if isinstance(passage, str) else None,
    )


def _metric(sample: _Sample, path: Path, task: str, notes: Notes) -> str:
    names = list(sample.scores)
    chosen = next((name for name in _METRICS if name in names), names[0] if len(names) == 1 else None)
    if chosen is None:
        raise DataError(
            f"{path}: of the metrics {', '.join(names) or '(none)'} none is known to say which answers are right",
            remedy='write the one that counts as JSON Lines of {"benchmark", "item", "correct"}',
        )
    if len(names) > 1:
        notes.add(f"{task}: of the metrics {', '.join(names)}, {chosen} counts")
    return chosen
