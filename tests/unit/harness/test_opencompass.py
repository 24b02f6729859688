import json

import pytest

from tasks.core.errors import DataError
from tasks.harness.formats import read


def correct(reading):
    return [answer.correct for answer in reading.answers]


def test_a_run_is_found_from_its_work_folder_down_to_its_file(opencompass, known, notes):
    work = opencompass([True, False, True])
    run = work / "20261001_120000"
    paths = (work, run, run / "results", run / "results" / "model-a", run / "results" / "model-a" / "gsm8k.json")
    found = [read(path, known, notes) for path in paths]
    assert all(one.format == "OpenCompass" and one.answers == found[0].answers for one in found)
    assert correct(found[0]) == [1.0, 0.0, 1.0]
    assert {(one.benchmark, one.domain, one.metric) for one in found[0].answers} == {("gsm8k", "math", "accuracy")}
    assert not list(notes)


def test_other_reference_answers_are_other_items(opencompass, known, notes, make):
    one, other = opencompass([True] * 3), opencompass([True] * 3, name="other")
    path = other / "20261001_120000" / "predictions" / "model-a" / "gsm8k.json"
    asked = json.loads(path.read_text())
    asked["1"]["gold"] = "17"
    make.json(path, asked)
    ours, theirs = (read(path, known, notes).answers for path in (one, other))
    assert [a.item == b.item for a, b in zip(ours, theirs, strict=True)] == [True, False, True]
    assert [a.prompt == b.prompt for a, b in zip(ours, theirs, strict=True)] == [True] * 3


def test_without_predictions_items_are_matched_by_position_which_is_said(opencompass, known, notes):
    reading = read(opencompass([True, False], predictions=False), known, notes)
    assert [answer.item for answer in reading.answers] == ["gsm8k/0", "gsm8k/1"]
    assert "position alone" in "".join(notes)


def test_predictions_in_parts_are_put_together(opencompass, known, notes, make):
    work = opencompass([True, False, True])
    whole = work / "20261001_120000" / "predictions" / "model-a" / "gsm8k.json"
    before = read(work, known, notes).answers
    entries = list(json.loads(whole.read_text()).values())
    make.json(whole.with_name("gsm8k_0.json"), {str(i): one for i, one in enumerate(entries[:2])})
    make.json(whole.with_name("gsm8k_1.json"), {"0": entries[2]})
    whole.unlink()
    assert read(work, known, notes).answers == before


def test_the_newest_of_several_runs_counts_and_is_said(opencompass, known, notes, make):
    work = opencompass([True, False])
    make.json(work / "20261002_090000" / "results" / "model-a" / "gsm8k.json", make.gsm8k_result([True, True]))
    assert correct(read(work, known, notes)) == [1.0, 1.0]
    assert "2 runs; the newest counts, 20261002_090000" in "".join(notes)


def test_a_run_that_came_to_no_results_does_not_count(opencompass, known, notes):
    work = opencompass([True, False])
    (work / "20261002_090000" / "results" / "model-a").mkdir(parents=True)
    assert correct(read(work, known, notes)) == [1.0, 0.0]
    assert not list(notes)


def test_several_models_are_refused_with_their_names(opencompass, known, notes, make):
    work = opencompass([True, False])
    make.json(work / "20261001_120000" / "results" / "model-b" / "gsm8k.json", make.gsm8k_result([True, True]))
    with pytest.raises(DataError, match="2 models: model-a, model-b"):
        read(work, known, notes)


def test_subjects_are_one_benchmark_of_clusters(tmp_path, known, notes, make):
    folder = tmp_path / "results" / "m"
    for subject in ("anatomy", "virology"):
        details = {"type": "PPL"} | {
            str(i): {"origin_prediction": {"A": {"PPL": 1.5}}, "predictions": "A", "references": "AB"[i],
                     "correct": i == 0} for i in range(2)
        }  # fmt: skip
        make.json(folder / f"lukaemon_mmlu_{subject}.json", {"accuracy": 50.0, "details": details})
    answers = read(tmp_path, known, notes).answers
    assert {answer.benchmark for answer in answers} == {"mmlu"}
    assert [answer.cluster for answer in answers] == ["lukaemon_mmlu_anatomy"] * 2 + ["lukaemon_mmlu_virology"] * 2
    assert [answer.correct for answer in answers] == [1, 0, 1, 0]


@pytest.mark.parametrize("field", ["references", "ref"])
def test_circular_variants_are_one_item_right_if_all_are(tmp_path, known, notes, field, make):
    letters = ["A", "B", "C", "D", "A", "B", "C", "A"]
    details = {
        str(i): {
            field: f"{i // 4}--{'ABCD'[i % 4]}--ABCD",
            "predictions": letter,
            "is_correct": letter == "ABCD"[i % 4],
        }
        for i, letter in enumerate(letters)
    }
    make.json(tmp_path / "mathbench-college-single_choice_en.json", {"acc_4": 87.5, "perf_4": 50.0, "details": details})
    answers = read(tmp_path, known, notes).answers
    assert [(answer.benchmark, answer.correct) for answer in answers] == [("mathbench_a", 1.0), ("mathbench_a", 0.0)]


def test_runs_of_a_benchmark_are_averaged_within_an_item(tmp_path, known, notes, make):
    details = [{"example_abbr": "aime2024_0", "pred": ["1", "2"], "correct": [True, False]},
               {"example_abbr": "aime2024_1", "pred": ["1", "1"], "correct": [True, True]}]  # fmt: skip
    make.json(tmp_path / "aime2024.json", {"accuracy (2 runs average)": 75.0, "details": details})
    assert correct(read(tmp_path, known, notes)) == [0.5, 1.0]


def test_drop_is_clustered_by_passage(opencompass, known, notes, make):
    work = opencompass([True, False, True])
    run = work / "20261001_120000"
    (run / "results" / "model-a" / "gsm8k.json").rename(run / "results" / "model-a" / "drop.json")
    (run / "predictions" / "model-a" / "gsm8k.json").unlink()
    asked = {
        str(i): {"origin_prompt": f"Passage: {text}\nQuestion: {i}?", "prediction": "4", "gold": "4"}
        for i, text in enumerate(("one", "one", "two"))
    }
    make.json(run / "predictions" / "model-a" / "drop.json", asked)
    clusters = [answer.cluster for answer in read(work, known, notes).answers]
    assert clusters[0] == clusters[1] != clusters[2]
    assert not list(notes)
    (run / "predictions" / "model-a" / "drop.json").unlink()
    assert {answer.cluster for answer in read(work, known, notes).answers} == {None}
    assert "the interval is too narrow" in list(notes)[-1]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"accuracy": 50.0}, "no details"),
        ({"accuracy": 50.0, "details": None}, "no details"),
        ({"error": "preds and refrs have different length"}, "different length"),
        ({"accuracy": 50.0, "details": [{"pred": "4"}]}, "item 0: .* holds no score"),
        ({"accuracy": 50.0, "details": ["right", "wrong"]}, "item 0: .* is no score"),
        ({"accuracy": 90.0, "details": [{"correct": True}, {"correct": False}]}, "average 50.00, .* says 90.00"),
        ({"score": 50.0, "details": {"1": {"correct": True}}}, "gaps"),
    ],
)
def test_results_that_do_not_say_who_was_right_are_refused_by_file(tmp_path, known, notes, result, said, make):
    make.json(tmp_path / "gsm8k.json", result)
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path, known, notes)
    assert "gsm8k.json" in caught.value.message
    assert caught.value.remedy


def test_details_that_are_fewer_than_the_predictions_are_refused(opencompass, known, notes, make):
    work = opencompass([True, False, True])
    result = make.gsm8k_result([True, False])
    make.json(work / "20261001_120000" / "results" / "model-a" / "gsm8k.json", result)
    with pytest.raises(DataError, match="details of 2 of 3 items"):
        read(work, known, notes)


def test_what_a_judge_wrote_beside_the_results_is_no_result(opencompass, known, notes, make):
    work = opencompass([True, False])
    before = read(work, known, notes).answers
    judged = {"0": {"origin_prompt": "Is it right?", "prediction": "A", "gold": "4"}}
    make.json(work / "20261001_120000" / "results" / "model-a" / "gsm8k_replica0.json", judged)
    make.json(work / "20261001_120000" / "results" / "model-a" / "aime_replica0.json", judged)
    assert read(work, known, notes).answers == before


def test_a_torn_file_among_others_is_named(opencompass, known, notes):
    work = opencompass([True, False])
    (work / "20261001_120000" / "results" / "model-a" / "math.json").write_text('{"accuracy": 50.0, "deta')
    with pytest.raises(DataError, match=r"math\.json: broken JSON"):
        read(work, known, notes)
