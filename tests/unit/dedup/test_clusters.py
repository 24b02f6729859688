"""Clusters against those of comparing all with all, and what a bucket of many costs."""

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.dedup import clusters as module
from tasks.dedup.clusters import clusters
from tasks.dedup.config import FOR_QUESTIONS, FOR_TEXTS, DedupConfig
from tasks.dedup.sets import ShingleSets, shingle_sets, shingles

#: One row a band: everything that shares a single minimum is a candidate, so LSH misses next to nothing.
SEE_ALL = DedupConfig(key="text", shingle_words=1, bands=32, rows=1, threshold=0.6)
CONTENTS = st.lists(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=7).map(" ".join), min_size=1, max_size=12)


class Numpy:
    """A plain MinHash over the same hashes, for tests."""

    def __init__(self, permutations):
        random = np.random.default_rng(0)
        self.factors, self.terms = random.integers(1, 2**63, (2, permutations), dtype=np.uint64) | np.uint64(1)

    def signatures(self, hashes, offsets):
        permuted = (hashes[:, None] * self.factors + self.terms) >> np.uint64(32)
        return np.minimum.reduceat(permuted, offsets[:-1].astype(np.int64), axis=0)


def sets_of(texts, config=SEE_ALL):
    with tempfile.TemporaryDirectory() as folder:
        return shingle_sets(texts, config, Numpy(config.permutations), Path(folder) / "shingles")


def groups(texts, config=SEE_ALL):
    sets = sets_of(texts, config)
    found = clusters(sets, config.threshold)[sets.of_row]
    return {frozenset(np.flatnonzero(found == one).tolist()) for one in found}


def all_with_all(sets, threshold):
    """Return the clusters of sets by comparing all with all, joining groups until nothing changes."""
    found = {frozenset([number]) for number in range(len(sets))}
    for one, other in itertools.combinations(range(len(sets)), 2):
        if len(sets[one] & sets[other]) / len(sets[one] | sets[other]) >= threshold:
            joined = [group for group in found if one in group or other in group]
            found = found - set(joined) | {frozenset().union(*joined)}
    return found


@settings(deadline=None, max_examples=50)
@given(CONTENTS)
def test_clusters_are_the_components_of_near_duplicates(texts):
    assert groups(texts) == all_with_all([set(text.split()) for text in texts], SEE_ALL.threshold)


@settings(deadline=None, max_examples=50)
@given(CONTENTS, st.randoms())
def test_clusters_know_no_order(texts, random):
    order = random.sample(range(len(texts)), len(texts))
    shuffled = groups([texts[place] for place in order])
    assert {frozenset(order[place] for place in group) for group in shuffled} == groups(texts)


def test_a_chain_is_one_cluster_though_its_ends_are_unlike():
    chain = ["a b c d", "b c d e", "c d e f", "d e f g"]
    assert groups([*chain, "x y z"]) == {frozenset(range(4)), frozenset([4])}


def test_equal_sets_are_one_set():
    sets = sets_of(["a b", "b a b", "c"])
    assert sets.of_row.tolist() == [0, 0, 1]
    assert sets.bands.shape == (2, 32)


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
def test_a_bucket_of_rows_that_are_all_alike_is_not_compared_all_with_all(monkeypatch, threshold):
    """3,000 texts that differ in one word: comparing all with all would be 4.5 million pairs."""
    compared = 0
    jaccard = module._Bucket.jaccard

    def counted(bucket, one, others):
        nonlocal compared
        compared += len(others)
        return jaccard(bucket, one, others)

    monkeypatch.setattr(module._Bucket, "jaccard", counted)
    common = " ".join(f"w{letter}" for letter in "abcdefghijklmnopqrstuvwxyzabcdefghij")
    texts = [f"{common} {number}" for number in range(3000)]
    assert groups(texts, DedupConfig(key="text", shingle_words=1, threshold=threshold)) == {frozenset(range(3000))}
    assert compared < 20 * 3000


def test_short_texts_are_one_shingle():
    assert len(shingles("2+2", FOR_TEXTS)) == 1
    assert shingles("2 + 2", FOR_TEXTS) == shingles("2+2", FOR_TEXTS) != shingles("2+3", FOR_TEXTS)


def test_questions_of_other_numbers_share_nothing_and_of_the_same_numbers_what_they_would_without():
    one, same, other = (f"Take the {first} apples out of {second} bags" for first, second in ((3, 5), (5, 3), (3, 6)))
    assert not set(shingles(one, FOR_QUESTIONS)) & set(shingles(other, FOR_QUESTIONS))
    without = FOR_QUESTIONS.model_copy(update={"key": "text"})
    shared = [len(set(shingles(one, rule)) & set(shingles(same, rule))) for rule in (FOR_QUESTIONS, without)]
    assert shared == [1, 1]
    assert set(shingles(one, without)) & set(shingles(other, without))


def test_jaccard_is_exact():
    sets = sets_of(["a b c", "b c d", "x"])
    assert isinstance(sets, ShingleSets)
    assert (sets.jaccard(0, 1), sets.jaccard(0, 2), sets.jaccard(1, 1)) == (0.5, 0, 1)
