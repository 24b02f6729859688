"""How the answer of a custom benchmark is read from a text, and when two answers are the same. Pure.

The answer column is read as the model's text is, so ``... #### 5`` may stand in both.
"""

from __future__ import annotations

import re

_NUMBER = r"-?\d[\d,]*(?:\.\d+)?|-?\.\d+"


def extract(text: str, kind: str, pattern: str) -> str:
    """Return the answer that `text` gives, or an empty string where it gives none.

    With a pattern, its last match counts (its first group, if it has one). Without one, ``number`` takes the last
    number, ``text`` the first line that is not empty, ``math`` the whole text.
    """
    if pattern:
        found = list(re.finditer(pattern, text))
        if not found:
            return ""
        text = found[-1].group(1 if found[-1].re.groups else 0) or ""
    if kind == "number":
        numbers = re.findall(_NUMBER, text)
        return numbers[-1].replace(",", "") if numbers else ""
    if kind == "text" and not pattern:
        return next((line.strip() for line in text.splitlines() if line.strip()), "")
    return text.strip()


def same(answer: str, gold: str, kind: str) -> bool:
    """Return whether two extracted answers are equal: as numbers, or as text with case and runs of spaces apart."""
    if not answer or not gold:
        return False
    if kind == "number":
        return abs(float(answer) - float(gold)) < 1e-6 * max(1.0, abs(float(gold)))
    return " ".join(answer.split()).casefold() == " ".join(gold.split()).casefold()
