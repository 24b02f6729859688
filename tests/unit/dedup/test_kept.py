import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.dedup.kept import kept_rows

ROWS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from("pqr"), st.text("0123", max_size=3)), max_size=12)


def test_the_best_source_then_the_smallest_id():
    clusters = np.array([7, 7, 7, 2, 7])
    kept = kept_rows(clusters, ["web", "book", "book", "web", "notes"], ["a", "z", "c", "b", "0"], ["book", "web"])
    assert kept.tolist() == [2, 2, 2, 3, 2]


@given(ROWS, st.permutations("pqr"), st.randoms())
def test_the_rule_knows_no_order_of_rows(rows, priority, random):
    def chosen(rows):
        kept = kept_rows(
            np.array([row[0] for row in rows], np.int64), *zip(*((s, i) for _, s, i in rows), strict=True), priority
        )
        return sorted((row, rows[place]) for row, place in zip(rows, kept, strict=True))

    if rows:
        assert chosen(random.sample(rows, len(rows))) == chosen(rows)
