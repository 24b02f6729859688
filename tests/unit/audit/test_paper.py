"""The printed tables of arXiv:2510.07169: what their own numbers say. They are data, so nothing here is a result."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.auditing import audit_file

TABLE = Path(__file__).parents[3] / "docs" / "data" / "arxiv-2510.07169.csv"
BENCHMARKS = (
    "MMLU", "MMLU-Pro", "CMMLU", "GPQA-Diamond", "HellaSwag", "BBH", "DROP", "MATH", "GSM8K", "MathBench-a",
    "MathBench-t", "OpenAI-Humaneval", "Sanitized-MBPP",
)  # fmt: skip
BASELINES = {
    "A": (65.41, 13.19, 77.91, 31.82, 81.79, 62.71, 62.84, 47.76, 82.49, 36.60, 63.77, 58.54, 54.47),
    "B": (61.99, None, None, 25.25, None, 62.42, 63.29, 33.04, 70.05, 30.33, 54.58, 48.17, 60.70),
    "C": (76.16, 52.18, 84.57, 31.31, 91.29, 74.32, 72.68, 55.18, 86.73, 47.80, 82.11, 50.61, 66.54),
    "D": (65.70, 13.51, 78.03, 34.85, 80.06, 62.93, 61.94, 43.24, 80.74, 35.33, 62.76, 53.66, 51.36),
}


@pytest.fixture(scope="module")
def found():
    return audit_file(TABLE)


def defect(found, benchmark, *datasets):
    [one] = [one for one in found.defects if one.benchmark == benchmark and one.datasets == datasets]
    return one


def test_all_rows_are_read(found):
    assert (found.rows, found.missing, found.unknown) == (151, 5, ())


def test_there_are_four_baselines(found):
    tables = {group.name: {dataset.split()[0] for dataset in group.datasets} for group in found.groups}
    assert tables == {"A": {"T3", "T4", "T9", "T10"}, "B": {"T6"}, "C": {"T7"}, "D": {"T8"}}
    assert [len(group.datasets) for group in found.groups] == [7, 2, 2, 1]


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_are_those_of_the_group(found, name):
    [group] = [group for group in found.groups if group.name == name]
    scores = {one.benchmark: one.score for one in group.baselines}
    assert tuple(scores.get(benchmark) for benchmark in BENCHMARKS) == BASELINES[name]


def test_ic2_on_math_is_a_sign_error(found):
    one = defect(found, "MATH", "T6 IC2-Math")
    assert (one.fault, one.mends) == ("sign", ("delta +3.70",))


def test_weakness_augmented_on_gsm8k_has_a_wrong_delta_since_its_score_is_a_number_of_answers(found):
    one = defect(found, "GSM8K", "T4 Math-Weakness-Augmented")
    assert (one.fault, one.mends) == ("contradiction", ("delta +1.06",))


def test_retrieval_augmented_on_mathbench_t_has_a_wrong_delta_or_score(found):
    one = defect(found, "MathBench-t", "T4 Math-Retrieval-Augmented")
    assert (one.fault, one.mends) == ("contradiction", ("delta +0.06", "score 63.93"))


def test_ic2_on_cmmlu_contradicts_the_other_dataset_of_its_group(found):
    one = defect(found, "CMMLU", "T6 IC2-Math", "T6 opc-fineweb-math")
    assert one.fault == "dispute"
    assert one.mends[0] == "T6 IC2-Math: delta +1.66 or score 77.26 (baseline 75.63)"


def test_weakness_augmented_on_mbpp_is_no_number_of_answers(found):
    one = defect(found, "Sanitized-MBPP", "T4 Math-Weakness-Augmented")
    assert (one.fault, one.mends) == ("no whole number", ("score 54.47 and delta +0.00",))


def test_nothing_else_is_found(found):
    assert len(found.defects) == 5
    assert all(line.startswith(str(TABLE)) for one in found.defects for line in one.lines)


@pytest.mark.parametrize(("correlation", "count"), [("0", 18), ("0.5", 32)])
def test_how_many_deltas_are_beyond_chance_one_by_one(found, correlation, count):
    assert sum(abs(one.z[correlation]) > 1.96 for one in found.chances) == count


def test_how_many_survive_holm_over_all_benchmarks_at_a_correlation_of_a_half(found):
    survivors = [one.benchmark for one in found.chances if one.all_from is not None and one.all_from <= 0.5]
    assert (len(survivors), survivors.count("MMLU-Pro")) == (19, 5)


def test_which_gains_in_math_survive_at_a_correlation_of_a_half(found):
    gains = [
        (one.dataset, one.benchmark)
        for one in found.chances
        if one.math and one.delta > 0 and one.all_from is not None and one.all_from <= 0.5
    ]
    assert gains == [
        ("T4 Math-Retrieval-Augmented", "MATH"),
        ("T10 Calculus-QA", "MATH"),
        ("T8 OpenR1-Math", "MATH"),
    ]
