r"""Text as `dedup` and `decontaminate` compare it: words after normalising, and hashes of n-grams of words.

Two texts that a reader would call the same should have the same words, however they were typeset. The rules, in order:

1. *Unicode*: NFKC; superscript digits become ``^2``; invisible characters go; symbols that have a LaTeX name
   (``≤ × √ π``, all Greek letters) become what that name becomes; curly quotes, dashes and minus signs become plain.
2. *LaTeX*: ``[asy]`` drawings go; spacing (``\, \; \quad ~``), sizes (``\left \big``), environments, fonts and
   ``\text \boxed`` go, what they hold stays; ``\dfrac \tfrac \cfrac`` are ``\frac`` and ``\dbinom`` is ``\binom``;
   ``\frac{a}{b}`` and ``\frac12`` are ``a / b``; ``\times \cdot \div \le \ge`` are ``* * / <= >=``; any other command
   is the word of its name.
3. *Markup*: ``$``, ``**``, brackets and all other punctuation go. What stays are ``+ - * / = < > ^ %``.
4. *Numbers*: ``1,000``, ``1{,}000`` and ``1\,000`` are ``1000``; digits and letters that touch (``3x``) are two words.
5. *Words*: case folded; apostrophes go (``Janet's`` is ``janets``), a hyphen inside a word is a space; each Chinese or
   Japanese character is a word, since those scripts put no spaces. Accents stay.

What is *not* undone: the order of terms, names of variables, numbers written out. Those make another text.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_SYMBOLS = {
    "−": "-", "‐": "-", "‑": "-", "–": " ", "—": " ", "‘": "'", "’": "'", "ʼ": "'", "⁄": "/", "∕": "/",
    "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∗": "*", "÷": r"\div ", "≤": r"\le ", "⩽": r"\le ",
    "≥": r"\ge ", "⩾": r"\ge ", "≠": r"\ne ", "√": r"\sqrt ", "∞": r"\infty ", "°": r"^\circ ", "±": r"\pm ",
    "→": r"\to ", "∠": r"\angle ", "△": r"\triangle ", "∑": r"\sum ", "∏": r"\prod ", "∫": r"\int ", "∈": r"\in ",
    "∪": r"\cup ", "∩": r"\cap ", "≈": r"\approx ", "≡": r"\equiv ",
}  # fmt: skip
_GREEK = {
    chr(code): f"\\{unicodedata.name(chr(code)).split()[-1].lower()} "
    for code in (*range(0x391, 0x3AA), *range(0x3B1, 0x3CA))
    if unicodedata.name(chr(code), "").split()[1:3] in (["SMALL", "LETTER"], ["CAPITAL", "LETTER"])
}
_PLAIN = str.maketrans(_SYMBOLS | _GREEK | {"ς": r"\sigma ", "λ": r"\lambda ", "Λ": r"\lambda "})  # its name is LAMDA
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹]+")

_COMMANDS = {
    "dfrac": r"\frac", "tfrac": r"\frac", "cfrac": r"\frac", "dbinom": r"\binom", "tbinom": r"\binom",
    "times": " * ", "cdot": " * ", "ast": " * ", "div": " / ", "le": " <= ", "leq": " <= ", "leqslant": " <= ",
    "ge": " >= ", "geq": " >= ", "geqslant": " >= ", "lt": " < ", "gt": " > ", "neq": " ne ",
    "rightarrow": " to ", "varepsilon": " epsilon ", "varphi": " phi ", "vartheta": " theta ", "cdots": " ",
    "dots": " ", "ldots": " ",
} | dict.fromkeys((
    "left", "right", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "quad", "qquad", "displaystyle",
    "textstyle", "limits", "text", "textbf", "textit", "textrm", "textsf", "texttt", "mathrm", "mathbf", "mathit",
    "mathbb", "mathcal", "mathsf", "mbox", "hbox", "emph", "operatorname", "boxed", "fbox", "rm", "bf", "it", "hline",
    "noindent", "item",
), " ")  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[^{}]*\}(?:\{[lcr|\s]*\})?")
_LINE_BREAK = re.compile(r"\\\\(?:\[[^\]]{0,12}\])?")
_THIN_THOUSAND = re.compile(r"(?<=\d)(?:\\,|\{,\})(?=\d{3}(?!\d))")
_DEGREE = re.compile(r"\^\s*\{?\s*\\circ\b\s*\}?")
_SCRIPT = re.compile(r"([\^_])\s*\{\s*(\w+)\s*\}")
_FRACTION = re.compile(r"\\frac\s*(?:\{([^{}]*)\}|(\w))\s*(?:\{([^{}]*)\}|(\w))")
_NESTED_FRACTIONS = 4

# The mark first, then what is around it: `re` then jumps from mark to mark.
_THOUSAND = re.compile(r",(?<=\d,)(?=\d{3}(?!\d))")
_APOSTROPHE = re.compile(r"'(?<=[^\W\d_]')(?=[^\W\d_])")
_HYPHEN = re.compile(r"-(?<=[^\W\d_]{2}-)(?=[^\W\d_]{2})")
_BOLD = re.compile(r"\*\*+")
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"\d+(?:\.\d+)?|[{_UNSPACED}]|(?:(?![{_UNSPACED}])[^\W\d_])+|[-+*/=<>^%]")
_ASCII_WORD = re.compile(r"\d+(?:\.\d+)?|[a-z]+|[-+*/=<>^%]")

_WORDS_REMEMBERED = 1 << 18
#: Odd, so that no hash loses bits by it: 2^64 divided by the golden ratio (Knuth, volume 3, section 6.4).
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def words(text: str) -> list[str]:
    """Return the words of `text` by the rules above.

    There is always one: a text of nothing but punctuation is one word, itself, or it would equal all others like it.
    """
    plain = text if text.isascii() else _plain(text)
    if "[asy]" in plain:
        plain = _without_drawings(plain)
    if "\\" in plain:
        plain = _without_latex(plain)
    plain = _HYPHEN.sub(" ", _APOSTROPHE.sub("", _THOUSAND.sub("", plain.casefold())))
    found = (_ASCII_WORD if plain.isascii() else _WORD).findall(_BOLD.sub(" ", plain))
    return found or [text.strip()]


def spelling(text: str) -> str:
    """Return a digest of a text's words, 32 hex digits: equal for two texts however they were typeset."""
    return hashlib.blake2b("\x1f".join(words(text)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def word_hashes(words: Sequence[str]) -> Hashes:
    """Return a 64-bit hash of each word, in order; the same in every process."""
    return np.fromiter(map(_word_hash, words), np.uint64, len(words))


def ngrams(hashes: Hashes, n: int) -> Hashes:
    """Return a hash of every `n` consecutive words, in order; of all of them as one where there are fewer.

    `hashes` are those of the words, at least one.
    """
    n = min(n, len(hashes))
    return fold([hashes[start : len(hashes) - n + start + 1] for start in range(n)])


def fold(parts: Sequence[Hashes] | Hashes) -> Hashes:
    """Return one 64-bit hash for several in order, elementwise (a polynomial, then the finaliser of splitmix64)."""
    folded = parts[0].copy()
    for part in parts[1:]:
        folded *= _FACTOR
        folded += part
    folded ^= folded >> np.uint64(30)
    folded *= np.uint64(0xBF58476D1CE4E5B9)
    folded ^= folded >> np.uint64(27)
    folded *= np.uint64(0x94D049BB133111EB)
    folded ^= folded >> np.uint64(31)
    return folded


@lru_cache(maxsize=_WORDS_REMEMBERED)
def _word_hash(word: str) -> int:
    # Not Python's own hash, which is another one in every process.
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _plain(text: str) -> str:
    text = _SUPERSCRIPT_RUN.sub(lambda found: "^" + found[0].translate(_SUPERSCRIPTS), text)
    text = unicodedata.normalize("NFKC", text.translate(_PLAIN)).translate(_PLAIN)
    return text if text.isascii() else "".join(c for c in text if unicodedata.category(c) != "Cf")


def _without_drawings(text: str) -> str:
    first, *others = text.split("[asy]")
    parts = (other.partition("[/asy]") for other in others)
    return " ".join([first, *(after if closed else inside for inside, closed, after in parts)])


def _without_latex(text: str) -> str:
    text = _THIN_THOUSAND.sub("", text.replace(r"\!", ""))
    text = _LINE_BREAK.sub(" ", _ENVIRONMENT.sub(" ", text))
    text = _COMMAND.sub(lambda found: _COMMANDS.get(found[1], found[0]), _DEGREE.sub(" degree ", text))
    text = _SCRIPT.sub(r"\1\2 ", text)
    for _ in range(_NESTED_FRACTIONS):  # the innermost first
        text, changed = _FRACTION.subn(r" \1\2 / \3\4 ", text)
        if not changed:
            break
    return _COMMAND.sub(r" \1 ", text)
