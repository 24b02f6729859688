import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.identity import fingerprint
from tasks.mix.config import STAGE_VERSION
from tasks.mix.packing import IGNORED, WINDOW_TOKENS, Document, best_fit, pack, pack_size, windows


def document(row_id, tokens, loss_from=0):
    return Document(row_id, np.array(tokens, np.int32), loss_from)


def plain(row):
    return {name: np.asarray(values).tolist() for name, values in row.items()}


@given(st.lists(st.integers(1, 60), max_size=80), st.integers(60, 90))
def test_every_document_is_in_one_bin_and_no_bin_overflows(lengths, capacity):
    bins = best_fit(lengths, capacity)
    assert sorted(index for one in bins for index in one) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in one) <= capacity for one in bins)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_no_two_bins_could_be_one(lengths):
    sums = sorted(sum(lengths[index] for index in one) for one in best_fit(lengths, 64))
    assert len(sums) < 2 or sums[0] + sums[1] > 64 or min(lengths) > 32


def test_short_documents_fill_sequences_where_best_fit_decreasing_does_not():
    lengths = [22 + n % 9 for n in range(900)]
    used = sum(lengths) / (192 * len(best_fit(lengths, 192)))
    assert used > 0.98


@pytest.mark.parametrize("length", [0, 11])
def test_a_length_that_cannot_fit_raises(length):
    with pytest.raises(ValueError, match="between 1 and 10"):
        best_fit([3, length], 10)


def test_a_sequence_keeps_documents_apart_and_whole():
    documents = [document("a", [1, 2, 3]), document("b", [4, 5], loss_from=1)]
    [row] = pack(documents, 5)
    assert plain(row) == {
        "input_ids": [1, 2, 3, 4, 5],
        "labels": [IGNORED, 2, 3, IGNORED, 5],
        "lengths": [3, 2],
        "row_ids": ["a", "b"],
    }
    assert pack_size([row]).model_dump() == {"sequences": 1, "samples": 2, "tokens": 5, "supervised_tokens": 3}


@given(st.lists(st.integers(0, 9)), st.integers(1, 5), st.integers(1, 20))
def test_windows_hold_everything_in_order_and_no_more_than_they_may(items, count, limit):
    found = list(windows(items, count, lambda item: item, limit))
    assert [item for window in found for item in window] == items
    assert all(1 <= len(window) <= count and sum(window[:-1]) < limit for window in found)


def test_the_memory_of_packing_does_not_grow_with_the_documents():
    """Bounded by a window's tokens, 4 bytes each, however many documents there are and however long."""
    length, count = 65_536, 2 * WINDOW_TOKENS // 65_536 + 100
    made = (document(str(n), np.full(length, n)) for n in range(count))
    tracemalloc.start()
    assert sum(1 for _ in pack(made, length)) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.25 * 4 * WINDOW_TOKENS


def test_packing_is_pinned():
    """The meaning of a pack: should this change, raise STAGE_VERSION."""
    documents = (document(str(n), range(n % 23 + 1), loss_from=n % 3) for n in range(500))
    rows = [plain(row) for row in pack(documents, 64)]
    assert (STAGE_VERSION, fingerprint(rows)[:16]) == (2, "f31edbfab8224527")
