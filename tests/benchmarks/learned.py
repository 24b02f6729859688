"""How often a ledger says learned or memorised, where the truth is known: 400 simulated candidates a row.

    .venv/bin/python -P tests/benchmarks/learned.py

Two benchmarks of 200 weak items each, one of which is near to the rows for the most part and easy to fix: what strata
are for. One item in ten is held.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from tasks.ledger.targeted import WeakItem, targeted

STUDIES, ITEMS = 400, 200
#: How likely items of a benchmark are near, and fixed by a candidate whose rows have nothing to do with it.
BENCHMARKS = {"easy": (0.7, 0.4), "hard": (0.3, 0.1)}
#: By what the odds of a near item to be fixed are multiplied, and those of a held one.
TRUTHS = {"neither": (1.0, 1.0), "learned": (2.5, 1.0), "memorised": (1.0, 10.0), "both": (2.5, 10.0)}


def candidate(rng: np.random.Generator, learned: float, memorised: float) -> list[WeakItem]:
    """Return the weak items of one candidate."""
    items = []
    for name, (share_near, base) in BENCHMARKS.items():
        for _ in range(ITEMS):
            near, held = rng.random() < share_near, rng.random() < 0.1
            odds = base / (1 - base) * (learned if near else 1) * (memorised if held else 1)
            fixed = rng.random() < odds / (1 + odds)
            items.append(WeakItem((name, 0.0), bool(fixed), 0.8 if near else 0.2, bool(held)))
    return items


def main() -> None:
    """Print a table, a truth a row."""
    rng = np.random.default_rng(0)
    print("| truth | learned, % | memorised, % | cannot tell, % |")
    print("|---|--:|--:|--:|")
    for truth, effects in TRUTHS.items():
        said = Counter[str]()
        for _ in range(STUDIES):
            found = targeted(candidate(rng, *effects), 0.95, failures=False, declared=0.5)
            said[found.conclusion if found else "cannot tell"] += 1
        shares = " | ".join(f"{100 * said[name] / STUDIES:.1f}" for name in ("learned", "memorised", "cannot tell"))
        print(f"| {truth} | {shares} |")


if __name__ == "__main__":
    main()
