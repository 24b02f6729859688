"""Math-Verify, imported here alone. Only worker processes call it: an expression can hang or crash what reads it.

`verify` is not symmetric, and either direction alone can be fooled: it takes (2, 1) for "x = 1, y = 2", and the point
(3, 4) for the list "4, 3", but not the other way round. So an answer is right only where both directions say so.
"""

from __future__ import annotations

import logging
from typing import Any

from tasks.judge.engine import Finding


def load() -> None:
    """Import Math-Verify, which takes seconds, so that the first comparison's clock does not count it."""
    import math_verify  # noqa: F401

    # It warns of the time-outs that it is not given; the worker has its own.
    logging.getLogger("math_verify").setLevel(logging.ERROR)


def compare(gold: str, answer: str) -> Finding:
    """Return whether Math-Verify finds two normalised answers equal, gold first and answer first.

    Raises:
        Exception: whatever sympy raises; a time-out or a crash is the caller's to notice.
    """
    from math_verify import verify

    parsed_gold, parsed_answer = _parse(gold), _parse(answer)
    for name, text, parsed in (("reference", gold, parsed_gold), ("answer", answer, parsed_answer)):
        if not parsed:
            return Finding("undecided", "unparsed", f"Math-Verify cannot read the {name} {text[:200]}")
    # Its own time-outs use SIGALRM, one for every step; here one clock stops the whole comparison.
    options = {"timeout_seconds": None, "raise_on_error": True, "allow_set_relation_comp": True}
    forward, backward = verify(parsed_gold, parsed_answer, **options), verify(parsed_answer, parsed_gold, **options)
    if forward != backward:
        first = "gold" if forward else "answer"
        return Finding("undecided", "directions", f"equal only with the {first} first: {answer} for {gold}")
    sign = "=" if forward else "is not"
    return Finding("right" if forward else "wrong", "math", f"{answer} {sign} {gold}, in both directions")


def _parse(text: str) -> list[Any]:
    """Return what Math-Verify reads in a bare answer, which it wants in a math environment; empty where it cannot."""
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    targets = [LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig()]
    found = parse(f"${text}$", targets, parsing_timeout=None, raise_on_error=True)
    return [value for value in found if not isinstance(value, str)]  # a string is what it could not parse
