"""Which benchmark a task of another tool is, or is a part of, and what it measures. Pure.

Tools cut a benchmark into tasks (``mmlu_anatomy``, ``lukaemon_mmlu_anatomy``, ``bbh_cot_fewshot_navigate``) that are
too small to be compared one by one: they are put together again under what is left of the name, each task a cluster
where the benchmark's subjects hang together. What is known of benchmarks is handed in (`Known`); beside it there is a
short list of names that tools spell otherwise, or that are not in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from tasks.core.identity import Frozen
from tasks.core.results import Domain


class Known(Frozen):
    """A benchmark that is known.

    Attributes:
        subsets: the names of its parts, empty where it has none.
        tasks: what OpenCompass calls the benchmark or its parts.
        clustered: whether the items of a part hang together.
    """

    name: str
    domain: Domain
    subsets: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    clustered: bool = False


class Place(NamedTuple):
    """Where a task belongs; `domain` is None where nobody knows, `cluster` where its items are independent."""

    benchmark: str
    domain: Domain | None
    cluster: str | None = None


#: The subjects of MATH (Hendrycks et al., 2021) in the spellings of lm-evaluation-harness.
_MATH_SUBJECTS = (
    "algebra", "counting_and_prob", "counting_and_probability", "geometry", "intermediate_algebra", "num_theory",
    "number_theory", "prealgebra", "precalc", "precalculus",
)  # fmt: skip
_MATH = re.compile(rf"(.*math)_({'|'.join(_MATH_SUBJECTS)})(_hard)?")
_WRAPPERS = re.compile(r"^(leaderboard|tinybenchmarks|lukaemon|openai|sanitized)_")
#: Opening words of names, up to a separator or a number.
_NAMES: tuple[tuple[Domain, str], ...] = (
    (
        "math",
        r"gsm\w*|mgsm|(minerva|hendrycks|deepmind)_math|math|mathbench|mathqa|aime|amc|olympiad\w*|svamp|asdiv|mawps"
        r"|cmath|multiarith|theoremqa",
    ),
    ("knowledge", r"c?mmlu|ceval|gpqa|arc|openbookqa|triviaqa|nq|sciq|agieval|truthfulqa|medqa|medmcqa|simpleqa"),
    ("reasoning", r"hellaswag|bbh|drop|winogrande|piqa|boolq|commonsense_qa|copa|musr|siqa|social_iqa|race|wsc"),
    ("coding", r"humaneval\w*|mbpp\w*|livecodebench|lcb|apps|bigcodebench|cruxeval|ds"),
)


def place(task: str, known: Sequence[Known]) -> Place:
    """Return the benchmark that a task is or belongs to, by its name."""
    for one in known:
        if task in one.tasks:
            return Place(one.name, one.domain, task if one.clustered and one.subsets else None)
    if part := _part(task, known):
        return part
    if math := _MATH.fullmatch(_plain(task)):
        return Place(f"{math[1]}{math[3] or ''}", "math")
    return Place(task, domain_of(task, known))


def domain_of(name: str, known: Sequence[Known]) -> Domain | None:
    """Return what a benchmark measures, by its name; None where nobody knows."""
    bare = _WRAPPERS.sub("", _plain(name))
    whole = [one for one in known if bare == one.name or bare.startswith(f"{one.name}_")]
    if whole:
        return max(whole, key=lambda one: len(one.name)).domain
    return next((domain for domain, names in _NAMES if re.match(rf"(?:{names})(?![a-z])", bare)), None)


def _part(task: str, known: Sequence[Known]) -> Place | None:
    """Return the place of a task that is called after a part of a known benchmark, the longest name that fits."""
    plain, best = _plain(task), None
    for one in known:
        for subset in one.subsets:
            group = plain.removesuffix(f"_{_plain(subset)}")
            if (
                group != plain
                and re.search(rf"(^|_){one.name}(_|$)", group)
                and (not best or len(group) < len(best[1]))
            ):
                best = one, group
    if best is None:
        return None
    one, group = best
    return Place(group, one.domain, task if one.clustered else None)


def _plain(name: str) -> str:
    return re.sub(r"[-/ .]", "_", name).lower()
