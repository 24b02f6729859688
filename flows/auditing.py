"""`assay audit`: a printed table of scores and deltas, checked by its own numbers."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.audit.audit import audit
from tasks.audit.config import Audit, Known
from tasks.audit.printed import read_printed
from tasks.evaluate.registry import REGISTRY, Benchmark

#: Benchmarks whose questions hang together and whose usual score still is a number of right answers over all of them:
#: MathBench-A's is the mean of five stages of 300 questions each.
_EQUAL_PARTS = ("mathbench_a",)


def audit_file(path: Path) -> Audit:
    """Return what the numbers of a printed table say.

    Raises:
        DataError: naming the line that cannot be used.
    """
    printed = read_printed(path)
    known = {row.benchmark: found for row in printed.rows if (found := known_benchmark(row.benchmark))}
    return audit(printed, known)


def known_benchmark(name: str) -> Known | None:
    """Return what the registry knows of a benchmark by the name that a table has for it; None where it does not."""
    for own, one in REGISTRY.items():
        names = [own] if one.subsets else [own, one.abbr]
        if _plain(name) in map(_plain, names):
            return _known(own, one)
    return None


def _known(name: str, benchmark: Benchmark) -> Known:
    return Known(
        items=benchmark.items[0],
        math=benchmark.domain == "math",
        whole=benchmark.cluster == "item" or name in _EQUAL_PARTS,
    )


def _plain(name: str) -> str:
    """Return a name without what tables spell differently: ``OpenAI-Humaneval`` and ``openai_humaneval``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
