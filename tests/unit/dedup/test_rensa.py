"""rensa against datasketch: the same estimates within their error, and the same clusters."""

import itertools
import random

import numpy as np
import pytest

from tasks.dedup.clusters import clusters
from tasks.dedup.config import FOR_QUESTIONS, DedupConfig
from tasks.dedup.rensa import RensaMinHasher
from tasks.dedup.sets import shingle_sets


class Datasketch:
    """datasketch's MinHash, as the reference."""

    def __init__(self, permutations, seed):
        self.permutations, self.seed = permutations, seed

    def signatures(self, hashes, offsets):
        from datasketch import MinHash

        rows = []
        for start, stop in itertools.pairwise(offsets.tolist()):
            sketch = MinHash(self.permutations, seed=self.seed + 1)
            sketch.update_batch([value.tobytes() for value in hashes[start:stop]])
            rows.append(sketch.hashvalues.astype(np.uint64))
        return np.array(rows)


def problems(count, seed=0):
    """Problems of 20 to 60 words; every fifth is an earlier one with up to four words changed."""
    draw = random.Random(seed)
    vocabulary = [a + b + c for a in ("ba", "ke", "li", "mo") for b in ("nu", "ra", "se") for c in ("ti", "vo", "zu")]
    texts = []
    for number in range(count):
        if number % 5 == 4:
            words = draw.choice(texts).split()
            for _ in range(draw.randint(0, 4)):
                words[draw.randrange(len(words))] = draw.choice(vocabulary)
        else:
            words = draw.choices(vocabulary, k=draw.randint(20, 60))
        texts.append(" ".join(words))
    return texts


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("hasher", [RensaMinHasher, Datasketch])
def test_estimates_are_unbiased_within_their_error(hasher, seed):
    random_ = np.random.default_rng(seed)
    first = random_.integers(0, 2**63, (200, 50), dtype=np.uint64)
    second = np.concatenate([first[:, :40], random_.integers(0, 2**63, (200, 10), dtype=np.uint64)], axis=1)
    flat, offsets = np.concatenate([first, second]).ravel(), np.arange(0, 400 * 50 + 1, 50).astype(np.uint64)
    signatures = hasher(128, seed).signatures(flat, offsets)
    assert signatures.shape == (400, 128)
    estimates = (signatures[:200] == signatures[200:]).mean(axis=1)
    truth = 40 / 60
    error = np.sqrt(truth * (1 - truth) / 128)
    assert abs(estimates.mean() - truth) < 4 * error / np.sqrt(200)
    assert estimates.std() < 1.2 * error


def test_both_give_the_same_clusters(tmp_path):
    texts = problems(600)
    found = []
    for hasher in (RensaMinHasher, Datasketch):
        sets = shingle_sets(texts, FOR_QUESTIONS, hasher(FOR_QUESTIONS.permutations, 0), tmp_path / hasher.__name__)
        labels = clusters(sets, FOR_QUESTIONS.threshold)[sets.of_row].tolist()
        found.append({frozenset(n for n, label in enumerate(labels) if label == one) for one in labels})
    assert found[0] == found[1]
    assert any(len(cluster) > 1 for cluster in found[0])


def test_the_seed_draws_the_permutations(tmp_path):
    hashes, offsets = np.arange(10, dtype=np.uint64), np.array([0, 10], np.uint64)
    drawn = [RensaMinHasher(8, seed).signatures(hashes, offsets).tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert DedupConfig(bands=2, rows=4).permutations == 8
