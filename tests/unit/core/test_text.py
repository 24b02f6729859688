"""The rules by which texts are compared, and the hashes that stand for their n-grams."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.text import fold, ngrams, word_hashes, words

# Artifacts made on other days were compared by these hashes.
SUM, ONE_TWO = 18357923229362041550, 10905525725756348110

RULES = {
    "superscript and minus": ("x² − 10¹²", "x ^ 2 - 10 ^ 12"),
    "one fraction": ("½ of 3⁄4", "1 / 2 of 3 / 4"),
    "symbols": ("a ≤ b ≠ c × √2", "a < = b ne c * sqrt 2"),
    "the same as commands": (r"a \leq b \neq c \times \sqrt{2}", "a < = b ne c * sqrt 2"),
    "Greek": ("Δx = 2πλ", "delta x = 2 pi lambda"),
    "Greek as commands": (r"\Delta x = 2\pi\lambda", "delta x = 2 pi lambda"),
    "degrees": (r"40^\circ and 40^{\circ} and 40°", "40 degree and 40 degree and 40 degree"),
    "full width, invisible": ("Ａ\u200bＢ\u00a01", "ab 1"),
    "dfrac": (r"$\dfrac{1}{2}+\tfrac12$", "1 / 2 + 1 / 2"),
    "nested": (r"\frac{\frac{a}{b}}{c^{2}}", "a / b / c ^ 2"),
    "delimiters": (r"\(x\) \[y\] $$z$$", "x y z"),
    "spacing": (r"a\,b\;c\!d~e\quad f", "a b cd e f"),
    "sizes": (r"\left( x \bigr)", "x"),
    "environments": (r"\begin{array}{c|c} 1 & 2 \\[2pt] 3 & 4 \end{array}", "1 2 3 4"),
    "fonts": (r"\text{area of } \mathbf{v} = \boxed{\mathrm{cm}^2}", "area of v = cm ^ 2"),
    "drawing": ("Find AB. [asy] draw((0,0)--(1,1)); [/asy] Now.", "find ab now"),
    "drawing cut off": ("Find AB. [asy] dot", "find ab dot"),
    "thousands": (r"1,000 1{,}000 1\,000 20,\!000 1,000,000", "1000 1000 1000 20000 1000000"),
    "not thousands": ("(1,2) (3,4567) 3.14", "1 2 3 4567 3.14"),
    "digits and letters": ("12x3 4th", "12 x 3 4 th"),
    "apostrophes and hyphens": ("Janet’s two-digit x-y", "janets two digit x - y"),
    "bold": ("**Note** 2*3", "note 2 * 3"),
    "Chinese": ("小明有3个", "小 明 有 3 个"),
    "accents stay": ("Élan", "élan"),
    "currency and percent": (r"\$5 or 5\%", "5 or 5 %"),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule):
    text, expected = RULES[rule]
    assert words(text) == expected.split()


def test_punctuation_alone_is_itself():
    assert words(" ??? ") == ["???"]
    assert words("  ") == [""]


@given(st.text(max_size=60))
def test_every_text_has_words_without_white_space_or_capitals(text):
    found = words(text)
    assert found
    if len(found) > 1:
        assert all(word and not word.isspace() and word == word.casefold() for word in found)


@given(
    st.lists(
        st.sampled_from(["the", "sum", "of", "3.5", "x", "+", "12", "两", "café", "sqrt"]), min_size=1, max_size=12
    )
)
def test_normalised_words_are_their_own_normal_form(known):
    assert words(" ".join(known)) == known


@pytest.mark.parametrize("unit", ["[asy] ", r"\frac{", r"\begin{", "^{a", r"\text{x} ", "a-'b,", "é"])
def test_a_megabyte_of_anything_takes_no_more_than_its_size(unit):
    assert words(unit * (1_000_000 // len(unit)))


def test_ngrams_are_of_consecutive_words_and_of_all_where_there_are_fewer():
    hashes = word_hashes(["a", "b", "c", "a", "b", "c"])
    found = ngrams(hashes, 3)
    assert len(found) == 4
    assert found[0] == found[3]
    assert len(set(found.tolist())) == 3
    assert ngrams(hashes[:2], 3).tolist() == ngrams(hashes[:2], 2).tolist()
    assert ngrams(hashes[:2], 3) != ngrams(hashes[1::-1], 3)


def test_hashes_are_the_same_in_every_process():
    assert word_hashes(["sum"]).tolist() == [SUM]
    assert fold([np.array([1], np.uint64), np.array([2], np.uint64)]).tolist() == [ONE_TWO]
