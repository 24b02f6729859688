from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.judge.keep import keep_one

ROWS = st.dictionaries(
    st.text("abc", min_size=1, max_size=3), st.lists(st.sampled_from(["right", "wrong", "undecided"]), max_size=5)
)


def rows(table):
    return [{"row_id": name, "sample": n, "verdict": v} for name in sorted(table) for n, v in enumerate(table[name])]


@settings(deadline=None)
@given(ROWS, st.integers(0, 100))
def test_one_right_answer_a_question_is_kept(table, seed):
    kept = dict(keep_one(rows(table), seed))
    assert set(kept) == {name for name, verdicts in table.items() if "right" in verdicts}
    assert all(table[name][sample] == "right" for name, sample in kept.items())


@settings(deadline=None)
@given(ROWS, ROWS)
def test_the_choice_owes_nothing_to_other_questions(table, others):
    alone = dict(keep_one(rows(table), 1))
    assert {**dict(keep_one(rows({**others, **table}), 1))}.items() >= alone.items()


def test_every_sample_has_its_chance():
    table = {f"{n:04}": ["right"] * 4 for n in range(2000)}
    counts = Counter(sample for _, sample in keep_one(rows(table), 0))
    assert all(400 < counts[sample] < 600 for sample in range(4))
    assert dict(keep_one(rows(table), 0)) != dict(keep_one(rows(table), 1))
