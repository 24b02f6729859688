"""Chunks of vectors: committed whole or not at all."""

import numpy as np
import pytest

from tasks.core.vectors import shard_name, vector_shards
from tasks.embed.chunks import chunked, commit, gather, is_committed

VECTORS = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_texts_come_in_numbered_chunks():
    assert list(chunked("abcde", 2)) == [(0, ["a", "b"]), (1, ["c", "d"]), (2, ["e"])]
    assert list(chunked([], 2)) == []


def test_a_committed_chunk_is_found_and_gathered(tmp_path):
    scratch, made = tmp_path / "scratch", tmp_path / "made"
    scratch.mkdir(), made.mkdir()
    assert not is_committed(scratch, 0, 3)
    commit(scratch, 0, VECTORS)
    commit(scratch, 1, VECTORS[:1])
    assert is_committed(scratch, 0, 3)
    gather(scratch, 2, made)
    assert np.array_equal(np.concatenate(list(vector_shards(made))), np.concatenate([VECTORS, VECTORS[:1]]))


def truncate(scratch):
    path = scratch / shard_name(0)
    path.write_bytes(path.read_bytes()[:-1])


def flip(scratch):
    path = scratch / shard_name(0)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def lose_manifest(scratch):
    (scratch / "chunk-00000.json").unlink()


def lose_vectors(scratch):
    (scratch / shard_name(0)).unlink()


@pytest.mark.parametrize("tear", [truncate, flip, lose_manifest, lose_vectors])
def test_a_torn_chunk_does_not_count(tmp_path, tear):
    commit(tmp_path, 0, VECTORS)
    tear(tmp_path)
    assert not is_committed(tmp_path, 0, 3)


def test_a_chunk_of_other_rows_does_not_count(tmp_path):
    commit(tmp_path, 0, VECTORS)
    assert not is_committed(tmp_path, 0, 4)
