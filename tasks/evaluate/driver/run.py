"""Runs one task, and writes its result to disk: scores a model, records what a benchmark asks it, lists the items."""

from __future__ import annotations

import gc
import importlib.metadata
import importlib.util
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opencompass.tasks.openicl_eval import OpenICLEvalTask

from tasks.core.rows import ITEMS, write_rows
from tasks.core.store import write_json
from tasks.evaluate.driver.inference import Asked, ask
from tasks.evaluate.driver.items import listed
from tasks.evaluate.driver.plan import Subset, planned
from tasks.evaluate.driver.recorder import Recorder
from tasks.evaluate.driver.replayer import Replayer
from tasks.evaluate.engine import Raw, RawResult, RawRow, RawSubset, RawTable, RawTables, Suite, Task
from tasks.evaluate.naming import cluster_name, digest, item_name

_Report = Callable[[int], None]


class Runner:
    """Holds the model that was loaded last."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._held: tuple[str, ...] = ()
        self._model: Any = None

    def run(self, task: Task) -> None:
        """Run a task and write its raw result to ``task.out``, by rename."""
        started = time.monotonic()
        work = Path(task.out).with_suffix(".work")
        shutil.rmtree(work, ignore_errors=True)
        plan = planned(task.suite, task.profile)
        works: dict[str, tuple[Callable[..., dict[str, Any]], type[Raw]]] = {
            "score": (self._score, RawResult),
            "record": (_record, RawTables),
            "items": (_list, RawTables),
        }
        does, kind = works[task.work]
        made = does(task, plan, work, self._reporter(task, sum(subset.passes for subset in plan)))
        seconds = round(time.monotonic() - started, 3)
        result = kind(key=task.key, benchmark=task.suite.name, versions=versions(), seconds=seconds, **made)
        write_json(Path(task.out), result.model_dump(mode="json"))
        shutil.rmtree(work, ignore_errors=True)

    def _reporter(self, task: Task, total: int) -> _Report:
        done = 0

        def on_rows(count: int) -> None:
            nonlocal done
            done += count
            self._tell(event="rows", key=task.key, count=count, done=done, total=total)

        return on_rows

    def _score(self, task: Task, plan: list[Subset], work: Path, on_rows: _Report) -> dict[str, Any]:
        model = self._load(task)
        cut, subsets = 0, []
        for subset in plan:
            asked = ask(task, model, subset, work, on_rows)
            cut += model.prompts_cut
            subsets.append(_scored(task.suite, subset, asked, work))
        return {"subsets": tuple(subsets), "prompts_cut": cut}

    def _load(self, task: Task) -> Any:
        """Return the model that answers; the one that was loaded last, where it is the same."""
        chat = task.profile == "chat"
        if task.engine == "vllm":
            return Replayer(task.folder, chat=chat, max_context=task.max_context, answers=task.answers)
        wanted = (task.folder, task.model, task.profile, task.dtype, task.device, task.engine, str(task.max_context))
        if wanted != self._held:
            self._model, self._held = None, ()
            gc.collect()
            self._model = _model_class(task.engine)(
                task.folder, chat=chat, dtype=task.dtype, device=task.device, batch_size=task.batch_size,
                max_context=task.max_context,
            )  # fmt: skip
            self._held = wanted
        return self._model


def versions() -> dict[str, str]:
    """Return the versions of the engines that stand behind a score."""
    return {name: importlib.metadata.version(name) for name in ("opencompass", "transformers", "torch", "math-verify")}


def _record(task: Task, plan: list[Subset], work: Path, on_rows: _Report) -> dict[str, Any]:
    into = _emptied(task)
    chat = task.profile == "chat"
    with Recorder(task.folder, chat=chat, max_context=task.max_context, into=into) as recorder:
        for subset in plan:
            ask(task, recorder, subset, work, on_rows)
    return {"tables": recorder.tables(), "context": recorder.max_seq_len}


def _list(task: Task, plan: list[Subset], work: Path, on_rows: _Report) -> dict[str, Any]:  # noqa: ARG001
    into = _emptied(task)
    return {"tables": (RawTable(folder=str(into), rows=write_rows(into, listed(task.suite, plan), ITEMS)),)}


def _emptied(task: Task) -> Path:
    folder = Path(task.out).with_suffix(".tables")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _model_class(engine: str) -> Any:
    """The class that answers: the project's own, or a test's stand-in, given as ``file.py:Class``."""
    if engine == "transformers":
        from tasks.evaluate.driver.model import CausalModel

        return CausalModel
    path, _, name = engine.rpartition(":")
    spec = importlib.util.spec_from_file_location("stand_in", path)
    if spec is None or spec.loader is None:
        raise LookupError(f"engine {engine!r} is neither transformers nor file.py:Class")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def _scored(suite: Suite, subset: Subset, asked: Asked, work: Path) -> RawSubset:
    OpenICLEvalTask(asked.setup).run()
    scored = json.loads((work / "results" / asked.name / f"{subset.abbr}.json").read_text())
    return RawSubset(
        abbr=subset.abbr, size=len(subset.rows), details=scored.pop("details", None),
        rows=tuple(_row(suite, subset, asked, i, row) for i, row in enumerate(subset.rows)),
        metrics={k: float(v) for k, v in scored.items() if isinstance(v, int | float)},
    )  # fmt: skip


def _row(suite: Suite, subset: Subset, asked: Asked, index: int, row: dict[str, Any]) -> RawRow:
    answer, (bits, length) = asked.answers[index], asked.bits[index]
    prompts: Any = [answer[f"label: {label}"]["prompt"] for label in subset.labels] or answer.get("origin_prompt")
    prediction = answer["prediction"]
    return RawRow(
        item=item_name(subset.abbr, index, row),
        cluster=cluster_name(suite, subset.abbr, row),
        prompt=digest(prompts),
        prediction=prediction if isinstance(prediction, str) else json.dumps(prediction, ensure_ascii=False),
        gold=asked.golds[index],
        truncated=asked.truncated[index],
        tokens=asked.tokens[index],
        bits=bits,
        bytes=length,
    )
