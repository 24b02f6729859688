"""What a benchmark of a study comes down to: its suite, its files and the identity of its scores. No engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.core.digests import input_digest
from tasks.core.errors import DataError, StudyError
from tasks.core.identity import Identity, fingerprint
from tasks.core.results import Domain
from tasks.evaluate.config import STAGE_VERSION, BenchmarkConfig, EvaluateConfig
from tasks.evaluate.custom import CustomBenchmark, read_custom
from tasks.evaluate.engine import CustomSuite, Suite
from tasks.evaluate.registry import REGISTRY

STAGE = "evaluate"
_CUSTOM_OUTPUT_TOKENS = 512


def domain_of(benchmark: BenchmarkConfig) -> Domain:
    """Return a benchmark's domain."""
    if benchmark.domain is not None:
        return benchmark.domain
    return REGISTRY[benchmark.name].domain


def metric_of(benchmark: BenchmarkConfig) -> str:
    """Return what a benchmark's score is, in words."""
    return "accuracy" if benchmark.custom else REGISTRY[benchmark.name].metric


def is_written_out(benchmark: BenchmarkConfig) -> bool:
    """Return whether a benchmark's answers are free text, and not the letter of an option."""
    if benchmark.custom:
        return benchmark.kind == "qa"
    # Of the registry's mathematics only MathBench asks for letters, in circular variants.
    return REGISTRY[benchmark.name].cluster != "question"


def check_allowed(benchmarks: Sequence[BenchmarkConfig], config: EvaluateConfig) -> None:
    """Refuse benchmarks that run model-written code, unless the study allows it.

    Raises:
        StudyError: naming them.
    """
    running = sorted({b.name for b in benchmarks if not b.custom and REGISTRY[b.name].runs_code})
    if running and not config.allow_unsandboxed_code:
        raise StudyError(
            f"benchmarks: {', '.join(running)} would run code that the model wrote, and there is no sandbox for it yet",
            remedy="leave them out, or set `evaluate: {allow_unsandboxed_code: true}` on a machine that has nothing to "
            "lose",
        )


def registered_suite(benchmark: BenchmarkConfig, config: EvaluateConfig) -> Suite:
    """Return the suite of a registry benchmark in a profile."""
    known = REGISTRY[benchmark.name]
    source = known.chat if config.profile == "chat" else known.base
    whole = benchmark.limit is None and benchmark.subsets is None
    return Suite(
        name=benchmark.name,
        module=source.module,
        variable=source.variable,
        abbrs=known.abbrs(benchmark.subsets),
        items=known.items if whole else (),
        limit=benchmark.limit,
        max_output_tokens=benchmark.max_output_tokens or source.max_output_tokens,
        stop_words=benchmark.stop_words,
        gold=known.gold,
        cluster=known.cluster,
    )


def custom_suite(benchmark: BenchmarkConfig, folder: Path) -> Suite:
    """Return the suite of a custom benchmark, its rows written in one shape into `folder`.

    Raises:
        DataError: naming the file and line that cannot be used.
    """
    found: CustomBenchmark = read_custom(benchmark)
    found.write(folder)
    return Suite(
        name=benchmark.name,
        abbrs=(benchmark.name,),
        limit=benchmark.limit,
        max_output_tokens=benchmark.max_output_tokens or _CUSTOM_OUTPUT_TOKENS,
        stop_words=benchmark.stop_words,
        gold="answer",
        cluster="column" if benchmark.cluster else "item",
        custom=CustomSuite(
            rows=str(folder / "rows.jsonl"),
            examples=str(folder / "examples.jsonl") if found.examples else "",
            few_shot=benchmark.few_shot,
            labels=found.labels,
            prompt=benchmark.template,
            extract=benchmark.extract,
            pattern=benchmark.pattern or "",
        ),
    )


def suite_of(benchmark: BenchmarkConfig, config: EvaluateConfig, folder: Path) -> Suite:
    """Return the suite of a benchmark; what a custom one needs is written into `folder`.

    Raises:
        DataError: see `custom_suite`.
    """
    return custom_suite(benchmark, folder) if benchmark.custom else registered_suite(benchmark, config)


def data_files(benchmark: BenchmarkConfig, data: Path) -> list[Path]:
    """Return the files that a benchmark reads.

    Raises:
        DataError: naming what is missing and where to put it.
    """
    if benchmark.custom:
        paths = [Path(name) for name in (benchmark.file, benchmark.few_shot_file) if name is not None]
    else:
        paths = [data / name for name in REGISTRY[benchmark.name].data_files(benchmark.subsets)]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more files" if len(missing) > 1 else ""
        raise DataError(
            f"benchmarks.{benchmark.name}: {missing[0].absolute()}{more} not found",
            remedy=f"put the benchmark's files there, or leave {benchmark.name} out"
            + ("" if benchmark.custom else "; `subsets` asks for some of its files only"),
        )
    return paths


def data_digest(benchmark: BenchmarkConfig, data: Path) -> str:
    """Return the digest of a benchmark's files, by content.

    Raises:
        DataError: where one is missing.
    """
    return fingerprint([input_digest(path) for path in data_files(benchmark, data)])


def asked_of(benchmark: BenchmarkConfig, config: EvaluateConfig) -> dict[str, Any]:
    """Return what of a benchmark is identity beside its files: its declaration, and OpenCompass's part of it."""
    suite = None if benchmark.custom else registered_suite(benchmark, config).model_dump()
    # Its domain is for `compare` to know, and changes no score.
    return {**benchmark.model_dump(exclude={"file", "few_shot_file", "domain"}), "suite": suite}


def evaluation_identity(
    *, model_digest: str, tokenizer: str = "", benchmark: BenchmarkConfig, config: EvaluateConfig, data: Path
) -> Identity:
    """Return the identity of one model's scores on one benchmark. It reads the benchmark's files, and starts nothing.

    Raises:
        DataError: where a file is missing.
    """
    how = config.model_dump(exclude={"allow_unsandboxed_code"}) | {"benchmark": asked_of(benchmark, config)}
    inputs = {"model": model_digest, "benchmark": data_digest(benchmark, data)}
    return Identity.of(STAGE, STAGE_VERSION, how, inputs | ({"tokenizer": tokenizer} if tokenizer else {}))
