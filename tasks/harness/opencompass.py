"""OpenCompass's output folders (0.5.x): which items a model got right, from its results with details.

::

    <work dir>/<time>/results/<model>/<dataset>.json       metrics and, by --dump-eval-details (the default), details
                     /predictions/<model>/<dataset>.json   what was asked, and the reference answer, by position

A path may be any of these, down to one dataset's results; of several times the newest counts, and is said. Details name
no items, so items are matched by position. Where the predictions lie beside the results, the reference answer is part
of an item's name, so that other items at the same positions are noticed. MathBench's four circular variants of a
question are one item, right if all four are. The items have to have OpenCompass's own mean, where it says one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.details import HEADLINES, circular_question, headline, in_order, outcome, single
from tasks.core.errors import AssayError, DataError, IntegrityError
from tasks.harness.answers import Answer, Notes, share_of_one
from tasks.harness.catalogue import Known, place

_NUMBERED = re.compile(r"_[0-9]+$")
_JUDGED = re.compile(r"_replica\d+$")
_AGAIN = "remove it, and evaluate again: `opencompass CONFIG -m eval -r TIME --dump-eval-details`"


class _Asked(NamedTuple):
    """What a model was asked, as text, and the reference answer; empty where nobody says."""

    prompt: str = ""
    gold: str = ""


def model_folder(path: Path, notes: Notes) -> Path | None:
    """Return the folder of one model's results at or below a folder, None where there is none.

    Raises:
        DataError: if there are several models.
    """
    if any(map(is_result, results_in(path))):
        return path
    runs = sorted(child for child in [path, *path.glob("*")] if any(child.glob("results/*/*.json")))
    if len(runs) > 1:
        notes.add(f"{path} holds {len(runs)} runs; the newest counts, {runs[-1].name}")
    results = runs[-1] / "results" if runs else path
    models = sorted(child for child in results.glob("*") if any(map(is_result, results_in(child))))
    if len(models) > 1:
        raise DataError(
            f"{results} holds {len(models)} models: {', '.join(model.name for model in models)}",
            remedy=f"name one model's folder for each side, such as {models[0]}",
        )
    return models[0] if models else None


def results_in(folder: Path) -> list[Path]:
    """Return the files of results in a model's folder; what an evaluator's judge wrote beside them is none."""
    return sorted(file for file in folder.glob("*.json") if not _JUDGED.search(file.stem))


def is_result(file: Path) -> bool:
    """Whether a file is what OpenCompass writes of one model on one dataset."""
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(value, dict) and ("details" in value or "error" in value or headline(value) is not None)


def read_result(file: Path, known: Sequence[Known], notes: Notes) -> Iterator[Answer]:
    """Yield the answers of one model on one dataset, in order.

    Raises:
        DataError: if the file is broken or has no details, if its scoring failed, or its items do not have its mean.
    """
    result, where, asked = _loaded(file), place(file.stem, known), _asked(file)
    details = _details(result, file)
    if not asked:
        notes.add(f"{where.benchmark}: no predictions beside the results, so items are matched by position alone")
        asked = [_Asked()] * len(details)
    elif len(asked) % len(details):  # a benchmark that is run several times has its predictions end to end
        raise DataError(f"{file}: details of {len(details)} of {len(asked)} items", remedy=_AGAIN)
    metric = next((name for name in HEADLINES if name in result), "mean of its details")
    answers = []
    for position, (detail, said) in enumerate(zip(details, asked, strict=False)):
        correct, name = _outcome(detail, file, position), f"{file.stem}/{position}"
        gold = said.gold or str(single(detail.get("references", "")))
        answers.append(
            Answer(
                benchmark=where.benchmark,
                item=f"{name}-{_digest(gold)}" if gold else name,
                correct=correct,
                metric=metric,
                origin=f"{file}, item {position}",
                cluster=_passage(said.prompt) if where.benchmark == "drop" else where.cluster,
                domain=where.domain,
                prompt=_digest(said.prompt) if said.prompt else None,
            )
        )
    if where.benchmark == "drop" and not any(answer.cluster for answer in answers):
        notes.add("drop: its passages are not known, so questions count as independent: the interval is too narrow")
    answers = _folded(answers, details, file)
    _check_mean(answers, result, file)
    yield from answers


def _loaded(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file}: broken JSON: {error}", remedy="copy it whole, or evaluate again") from error
    if not isinstance(value, dict):
        raise DataError(
            f"{file}: a JSON {type(value).__name__}, not an object", remedy="name OpenCompass's own results"
        )
    return value


def _details(result: dict[str, Any], file: Path) -> list[dict[str, Any]]:
    if "error" in result:
        raise DataError(f"{file}: OpenCompass says {result['error']!r}", remedy="its scoring failed: evaluate again")
    if not result.get("details"):
        raise DataError(f"{file}: no details, so it does not say which items are right", remedy=_AGAIN)
    try:
        return in_order(result["details"])
    except AssayError as error:
        raise DataError(f"{file}: {error.message}", remedy=_AGAIN) from error


def _outcome(detail: dict[str, Any], file: Path, position: int) -> float:
    origin = f"{file}, item {position}"
    try:
        return share_of_one(outcome(detail), "its score", origin)
    except IntegrityError as error:
        raise DataError(f"{origin}: {error.message}", remedy=error.remedy) from error


def _asked(file: Path) -> list[_Asked]:
    """Return what was asked, by position, from the predictions beside a file of results; empty where there are none."""
    folder = (
        file.parents[2] / "predictions" / file.parent.name if len(file.parents) > 2 else file.parent / "predictions"
    )
    whole = folder / file.name
    numbered = (part for part in folder.glob(f"{file.stem}_[0-9]*.json") if _NUMBERED.search(part.stem))
    parts = [whole] if whole.exists() else sorted(numbered, key=_part)
    found = []
    for part in parts:
        entries = _loaded(part)
        try:
            found += [_said(entries[str(position)]) for position in range(len(entries))]
        except (KeyError, AttributeError) as error:
            raise DataError(
                f"{part}: its positions have gaps", remedy="finish the inference, or copy it whole"
            ) from error
    return found


def _part(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def _said(entry: dict[str, Any]) -> _Asked:
    labels = [option.get("prompt", "") for name, option in entry.items() if name.startswith("label: ")]
    prompt = "\n".join(map(_text, [entry.get("origin_prompt") or "", *labels]))
    gold = entry.get("gold")
    return _Asked(prompt=prompt.strip(), gold="" if gold is None else str(single(gold)))


def _text(prompt: Any) -> str:
    """Return a prompt as text: it is one, or the turns of a chat."""
    if isinstance(prompt, list):
        return "\n".join(str(turn.get("prompt", "")) if isinstance(turn, dict) else str(turn) for turn in prompt)
    return str(prompt)


def _passage(prompt: str) -> str | None:
    """Return a name for the passage that one of DROP's questions is on, all that comes before the question."""
    passage = prompt.rpartition("Question:")[0]
    return f"passage-{_digest(passage)}" if passage else None


def _folded(answers: list[Answer], details: list[dict[str, Any]], file: Path) -> list[Answer]:
    """Return circular variants of a question as one item, right if all are; anything else as it is."""
    numbers = [circular_question(single(one.get("references", one.get("ref")))) for one in details]
    if not all(numbers):
        return answers
    variants: dict[str, list[Answer]] = {}
    for answer, number in zip(answers, numbers, strict=True):
        variants.setdefault(number[0] if number else "", []).append(answer)
    if len(sizes := {len(group) for group in variants.values()}) > 1:
        raise DataError(f"{file}: its questions have {sorted(sizes)} variants", remedy="evaluate it whole")
    return [group[0]._replace(correct=min(one.correct for one in group)) for group in variants.values()]


def _check_mean(answers: list[Answer], result: dict[str, Any], file: Path) -> None:
    said, mean = headline(result), 100 * sum(answer.correct for answer in answers) / len(answers)
    if said is not None and abs(said - mean) > 0.01:
        raise DataError(f"{file}: its items average {mean:.2f}, OpenCompass says {said:.2f}", remedy=_AGAIN)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]
