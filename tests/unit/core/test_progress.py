"""How far a step is with its table."""

from tasks.core.progress import counted


def test_a_row_is_done_when_the_next_one_is_asked_for():
    seen = []
    rows = counted("abc", seen.append)
    assert next(rows) == "a" and seen == []
    assert next(rows) == "b" and seen == [1]
    assert list(rows) == ["c"] and seen == [1, 2, 3]


def test_rows_are_the_same_where_nobody_listens():
    assert list(counted("abc", None)) == ["a", "b", "c"]
