import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.mix.packing import IGNORED, Document, best_fit, pack, pack_size


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
    documents = [Document("a", [1, 2, 3], [True] * 3), Document("b", [4, 5], [False, True])]
    [row] = pack(documents, 5)
    assert row == {
        "input_ids": [1, 2, 3, 4, 5],
        "labels": [IGNORED, 2, 3, IGNORED, 5],
        "lengths": [3, 2],
        "row_ids": ["a", "b"],
    }
    assert pack_size([row]).model_dump() == {"sequences": 1, "samples": 2, "tokens": 5, "supervised_tokens": 3}
