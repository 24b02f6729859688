"""Runs one task: OpenCompass's inference, the gold answers' bits, OpenCompass's scoring, and the raw result on disk."""

from __future__ import annotations

import gc
import hashlib
import importlib.metadata
import importlib.util
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict
from opencompass.tasks.openicl_eval import OpenICLEvalTask
from opencompass.tasks.openicl_infer import OpenICLInferTask
from opencompass.utils import build_dataset_from_cfg

from tasks.core.store import write_json
from tasks.evaluate.driver.suites import datasets_of
from tasks.evaluate.engine import RawResult, RawRow, RawSubset, Suite, Task
from tasks.evaluate.shares import shares

_EVERYTHING = 10**9  # one batch for OpenCompass: the model sorts and cuts it itself
_BOOKKEEPING = ("subdivision", "idx")


class Runner:
    """Holds the model that was loaded last."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._held: tuple[str, ...] = ()
        self._model: Any = None

    def run(self, task: Task) -> None:
        """Run a task and write its raw result to ``task.out``, by rename."""
        started = time.monotonic()
        model = self._load(task)
        work = Path(task.out).with_suffix(".work")
        shutil.rmtree(work, ignore_errors=True)
        configs = datasets_of(task.suite, task.profile)
        loaded = [build_dataset_from_cfg(ConfigDict(config)).test for config in configs]
        takes = _takes(task.suite, configs, [len(rows) for rows in loaded])
        plan = [(c, rows.select(range(take))) for c, rows, take in zip(configs, loaded, takes, strict=True) if take]
        # Each row is computed once a label, and once more for its gold answer's bits.
        passes = [take * (len(_labels(config)) + 1) for config, take in zip(configs, takes, strict=True) if take]
        done = 0

        def on_rows(count: int) -> None:
            nonlocal done
            done += count
            self._tell(event="rows", key=task.key, count=count, done=done, total=sum(passes))

        cut, subsets = 0, []
        for config, rows in plan:
            subsets.append(_subset(task, model, config, rows, work, on_rows))
            cut += model.prompts_cut
        result = RawResult(
            key=task.key, benchmark=task.suite.name, subsets=tuple(subsets), versions=versions(),
            seconds=round(time.monotonic() - started, 3), prompts_cut=cut,
        )  # fmt: skip
        write_json(Path(task.out), result.model_dump(mode="json"))
        shutil.rmtree(work, ignore_errors=True)

    def _load(self, task: Task) -> Any:
        wanted = (task.folder, task.model, task.profile, task.dtype, task.device, task.engine, str(task.max_context))
        if wanted != self._held:
            self._model, self._held = None, ()
            gc.collect()
            self._model = _model_class(task.engine)(
                task.folder, chat=task.profile == "chat", dtype=task.dtype, device=task.device,
                batch_size=task.batch_size, max_context=task.max_context,
            )  # fmt: skip
            self._held = wanted
        return self._model


def versions() -> dict[str, str]:
    """Return the versions of the engines that stand behind a score."""
    return {name: importlib.metadata.version(name) for name in ("opencompass", "transformers", "torch", "math-verify")}


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


def _takes(suite: Suite, configs: list[dict[str, Any]], sizes: list[int]) -> list[int]:
    """How many rows to take of each subset. A limit counts items, and the variants of one question are one item."""
    per_item = [4 if config.get("with_circular") and "single_choice" in config["name"] else 1 for config in configs]
    items = [size // per for size, per in zip(sizes, per_item, strict=True)]
    expected = " or ".join(map(str, suite.items))
    if suite.items and sum(items) not in suite.items:
        raise ValueError(
            f"{suite.name} has {sum(items)} items in these files, and should have {expected}: complete the files, "
            "or set `limit` or `subsets` to declare that you want fewer"
        )
    return [share * per for share, per in zip(shares(items, suite.limit), per_item, strict=True)]


def _labels(config: dict[str, Any]) -> list[str]:
    template = config["infer_cfg"]["prompt_template"]["template"]
    by_likelihood = config["infer_cfg"]["inferencer"]["type"].__name__ == "PPLInferencer"
    return list(template) if by_likelihood else [""]


def _subset(task: Task, model: Any, config: dict[str, Any], rows: Any, work: Path, on_rows: Any) -> RawSubset:
    abbr, labels = config["abbr"], _labels(config)
    golds = [_gold(task.suite, row, labels, config) for row in rows]
    model.begin([dict(row) for row in rows], labels, on_rows)
    config = ConfigDict(config)
    config["reader_cfg"] = {**config["reader_cfg"], "test_range": f"[:{len(rows)}]"}
    name = f"{task.model}-{task.key[:12]}"
    setup = ConfigDict(
        models=[{"abbr": name, "type": "CausalModel", "path": task.folder, "batch_size": _EVERYTHING,
                 "max_seq_len": model.max_seq_len, "max_out_len": task.suite.max_output_tokens or 512}],
        datasets=[[config]], work_dir=str(work), eval={"runner": {"task": {"dump_details": True}}},
    )  # fmt: skip
    OpenICLInferTask(setup).run(cur_model=model, cur_model_abbr=name)
    truncated, tokens = list(model.truncated), list(model.tokens)
    answered = _in_order(work / "predictions" / name / f"{abbr}.json", len(rows))
    bits = _bits(model, answered, golds, labels)
    OpenICLEvalTask(setup).run()
    scored = json.loads((work / "results" / name / f"{abbr}.json").read_text())
    raw = [
        _row(task.suite, abbr, i, row, answered[i], golds[i], labels, bits[i])
        | {"truncated": truncated[i] if truncated else False, "tokens": tokens[i] if tokens else 0}
        for i, row in enumerate(rows)
    ]
    return RawSubset(
        abbr=abbr, size=len(rows), rows=tuple(RawRow(**row) for row in raw), details=scored.pop("details", None),
        metrics={k: float(v) for k, v in scored.items() if isinstance(v, int | float)},
    )  # fmt: skip


def _in_order(path: Path, count: int) -> list[dict[str, Any]]:
    found = json.loads(path.read_text())
    if len(found) != count:
        raise ValueError(f"{path.name}: {len(found)} predictions for {count} rows")
    return [found[str(i)] for i in range(count)]


def _gold(suite: Suite, row: dict[str, Any], labels: list[str], config: dict[str, Any]) -> str:
    """The gold answer's text, as the model would write it: a letter where it chooses one."""
    if labels != [""]:
        return _letter(str(row[config["reader_cfg"]["output_column"]]))
    column = "answer" if suite.custom else suite.gold
    value = row[column] if column else ""
    if suite.cluster == "passage":
        value = str(value).split("|")[0]  # the first of DROP's accepted answers
    return _letter(str(value)) if suite.cluster == "question" else str(value)


def _letter(gold: str) -> str:
    """``3--B--BCDA`` is MathBench's way to say: question 3, gold B, options in the order BCDA."""
    circular = re.fullmatch(r"\d+--([A-D])--[A-D]{4}", gold)
    return circular.group(1) if circular else gold


def _bits(
    model: Any, answered: list[dict[str, Any]], golds: list[str], labels: list[str]
) -> list[tuple[float | None, int | None]]:
    pairs = [_pair(model, answer, gold, labels) for answer, gold in zip(answered, golds, strict=True)]
    found = iter(model.answer_bits([pair for pair in pairs if pair is not None]))
    bits = [None if pair is None else next(found) for pair in pairs]
    return [
        (None, None) if pair is None or b is None else (b, len(pair[1].encode()))
        for pair, b in zip(pairs, bits, strict=True)
    ]


def _pair(model: Any, answer: dict[str, Any], gold: str, labels: list[str]) -> tuple[str, str] | None:
    """The prompt and the gold answer that follows it; None where there is no gold text."""
    if not gold:
        return None
    if labels != [""]:
        prompts = [answer[f"label: {label}"]["prompt"] for label in labels]
        shared = _common_start(prompts)
        return shared, answer[f"label: {gold}"]["prompt"][len(shared) :]
    prompt = model.sent(answer["origin_prompt"])
    gap = "" if model.chat or prompt[-1:].isspace() else " "
    return prompt, gap + gold


def _common_start(texts: list[str]) -> str:
    first, last = min(texts), max(texts)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]


def _row(
    suite: Suite,
    abbr: str,
    index: int,
    row: dict[str, Any],
    answer: dict[str, Any],
    gold: str,
    labels: list[str],
    bits: tuple[float | None, int | None],
) -> dict[str, Any]:
    content = {name: row[name] for name in sorted(row) if name not in _BOOKKEEPING}
    prompts = [answer[f"label: {label}"]["prompt"] for label in labels] if labels != [""] else answer["origin_prompt"]
    prediction = answer["prediction"]
    return {
        "item": f"{abbr}/{index}-{_digest(content)[:12]}",
        "cluster": _cluster(suite, abbr, row),
        "prompt": _digest(prompts),
        "prediction": prediction if isinstance(prediction, str) else json.dumps(prediction, ensure_ascii=False),
        "gold": gold,
        "bits": bits[0],
        "bytes": bits[1],
    }


def _cluster(suite: Suite, abbr: str, row: dict[str, Any]) -> str:
    """The cluster's name; empty where the item is its own."""
    if suite.cluster == "subset":
        return abbr
    if suite.cluster == "passage":
        passage = str(row["prompt"]).rpartition("Question:")[0] or str(row["prompt"])
        return f"passage-{_digest(passage)[:12]}"
    if suite.cluster == "question" and "--" in str(row["answer"]):
        return f"{abbr}/{str(row['answer']).partition('--')[0]}"
    if suite.cluster == "column":
        return str(row["cluster"])
    return ""


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()
