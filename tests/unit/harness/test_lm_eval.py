import pytest

from tasks.core.errors import DataError
from tasks.harness.formats import read


def filtered(make, kinds, count=3, metric="exact_match"):
    """A task's log as the harness writes it: all questions under one filter, then all under the next."""
    return [
        make.sample(i, {metric: float(k == 0 or i == 0)}, kind) for k, kind in enumerate(kinds) for i in range(count)
    ]


def test_a_log_is_found_from_its_output_folder_down_to_its_file(samples, known, notes, make):
    out = samples("gsm8k", [make.sample(i, {"exact_match": float(i)}) for i in range(2)])
    paths = (out, out / "org__model", out / "org__model" / f"samples_gsm8k_{make.date}.jsonl")
    found = [read(path, known, notes) for path in paths]
    assert all(one.format == "lm-evaluation-harness" and one.answers == found[0].answers for one in found)
    first, second = found[0].answers
    assert (first.benchmark, first.domain, first.metric, first.correct) == ("gsm8k", "math", "exact_match", 0.0)
    assert second.item == f"gsm8k/1-{make.sha('What is 1 plus 1?')[:12]}"
    assert second.origin.endswith(f"samples_gsm8k_{make.date}.jsonl:2")
    assert not list(notes)


def test_of_several_filters_the_lenient_one_counts_and_is_said(samples, known, notes, make):
    out = samples("gsm8k", filtered(make, ["strict-match", "flexible-extract"]))
    answers = read(out, known, notes).answers
    assert [answer.correct for answer in answers] == [1.0, 0.0, 0.0]
    assert {answer.metric for answer in answers} == {"exact_match, flexible-extract"}
    assert list(notes) == ["gsm8k: of the filters strict-match, flexible-extract, flexible-extract counts"]


def test_without_a_lenient_filter_the_first_counts(samples, known, notes, make):
    out = samples("gsm8k_cot_self_consistency", filtered(make, ["score-first", "maj@64", "maj@8"]))
    assert {one.metric for one in read(out, known, notes).answers} == {"exact_match, score-first"}


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ({"acc": 0.0, "acc_norm": 1.0}, "acc_norm"),
        ({"exact_match": 0, "math_verify": 1}, "math_verify"),
        ({"pass@1": 1.0}, "pass@1"),
        ({"em": 1.0, "f1": 1.0}, "em"),
        ({"brier": 1}, "brier"),
    ],
)
def test_of_several_metrics_one_counts(samples, known, notes, scores, chosen, make):
    answers = read(samples("hellaswag", [make.sample(i, scores) for i in range(2)]), known, notes).answers
    assert {(answer.metric, answer.correct) for answer in answers} == {(chosen, 1.0)}
    assert bool(list(notes)) == (len(scores) > 1)


@pytest.mark.parametrize("scores", [{"bleu": 0.3, "rouge": 0.2}, {"bleu": 35.2}, {}])
def test_a_task_that_cannot_be_scored_is_left_out_and_noted(samples, known, notes, scores, make):
    samples("hellaswag", [make.sample(0, {"acc": 1.0})])
    out = samples("truthfulqa_gen", [make.sample(0, scores)])
    found = read(out, known, notes)
    assert [answer.benchmark for answer in found.answers] == ["hellaswag"]
    [left_out] = found.left_out
    assert left_out.benchmark == "truthfulqa_gen"
    assert list(notes) == [left_out.why] and "truthfulqa_gen is left out" in left_out.why
    assert all(name in left_out.why for name in scores)


def test_where_no_task_is_left_the_reasons_are_said(samples, known, notes, make):
    out = samples("gsm8k", [make.sample(0, {"bleu": 0.3, "rouge": 0.2})])
    with pytest.raises(DataError, match="metrics bleu, rouge none is known"):
        read(out, known, notes)


def test_a_log_that_is_named_itself_has_to_be_scored(samples, known, notes, make):
    samples("hellaswag", [make.sample(0, {"acc": 1.0})])
    out = samples("truthfulqa_gen", [make.sample(0, {"bleu": 0.3, "rouge": 0.2})])
    [log] = (out / "org__model").glob("samples_truthfulqa_gen_*")
    with pytest.raises(DataError, match="truthfulqa_gen is left out"):
        read(log, known, notes)


def test_a_log_from_before_metrics_and_filters_were_named_is_read(samples, known, notes, make):
    rows = [make.sample(i, {"acc": 1.0}) for i in range(2)]
    for row in rows:
        for name in ("metrics", "filter", "doc_hash", "prompt_hash", "target_hash"):
            del row[name]
    answers = read(samples("arc_easy", rows), known, notes).answers
    assert [(one.item, one.metric, one.prompt) for one in answers] == [
        ("arc_easy/0", "acc", None),
        ("arc_easy/1", "acc", None),
    ]


def test_subjects_are_one_benchmark_of_clusters(samples, known, notes, make):
    samples("mmlu_anatomy", [make.sample(0, {"acc": 1.0})])
    out = samples("mmlu_virology", [make.sample(0, {"acc": 0.0})])
    answers = read(out, known, notes).answers
    assert [(a.benchmark, a.cluster, a.domain) for a in answers] == [
        ("mmlu", "mmlu_anatomy", "knowledge"),
        ("mmlu", "mmlu_virology", "knowledge"),
    ]
    assert len({answer.item for answer in answers}) == 2


def test_questions_on_one_passage_are_a_cluster(samples, known, notes, make):
    rows = [make.sample(i, {"em": 1.0, "f1": 1.0}, doc={"passage": text}) for i, text in enumerate(("a", "a", "b"))]
    clusters = [answer.cluster for answer in read(samples("drop", rows), known, notes).answers]
    assert clusters[0] == clusters[1] != clusters[2]


def test_the_newest_run_of_each_task_counts(samples, known, notes, make):
    samples("gsm8k", [make.sample(0, {"exact_match": 0.0})])
    samples("hellaswag", [make.sample(0, {"acc": 0.0})])
    out = samples("gsm8k", [make.sample(0, {"exact_match": 1.0})], date="2026-10-02T00-00-00.000001")
    found = {answer.benchmark: answer.correct for answer in read(out, known, notes).answers}
    assert found == {"gsm8k": 1.0, "hellaswag": 0.0}
    assert "gsm8k: 2 runs" in "".join(notes)


def test_several_models_are_refused(samples, known, notes, tmp_path, make):
    out = samples("gsm8k", [make.sample(0, {"exact_match": 0.0})])
    make.lines(out / "org__other" / f"samples_gsm8k_{make.date}.jsonl", [make.sample(0, {"exact_match": 0.0})])
    with pytest.raises(DataError, match="2 models: org__model, org__other"):
        read(out, known, notes)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"doc_id": 1, "resps": [], "metrics": ["acc"], "acc": "high"}', ":2: acc is 'high', a str"),
        ('{"doc_id": 1, "resps": [], "metrics": ["acc"], "acc": 1.5}', ":2: acc is 1.5"),
        ('{"doc_id": 1, "resps": [], "metrics": ["acc"], "acc": NaN}', ":2: acc is nan"),
        ('{"doc_id": 1, "resps": [], "metrics": ["acc"]}', ":2: acc is None"),
        ('{"doc_id": 1, "resps": [], "metrics": 5, "acc": 1}', ":2: metrics is 5, no list"),
        ('{"doc_id": "\\ud800", "resps": [], "metrics": ["acc"], "acc": 1}', ":2: its item is .*ud800', not UTF-8"),
        ('{"resps": []}', ":2: no doc_id"),
        ('{"doc_id": 1, "res', ":2: broken JSON"),
        ("[]", ":2: not an object"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(samples, known, notes, line, said, make):
    out = samples("hellaswag", [make.sample(0, {"acc": 1.0})])
    path = out / "org__model" / f"samples_hellaswag_{make.date}.jsonl"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match=said) as caught:
        read(out, known, notes)
    assert caught.value.remedy


def test_a_log_that_is_an_array_is_read_too(make, tmp_path, known, notes):
    rows = [make.sample(i, {"exact_match": 1.0}) for i in range(2)]
    path = make.json(tmp_path / f"samples_gsm8k_{make.date}.json", rows)
    assert [answer.correct for answer in read(path, known, notes).answers] == [1.0, 1.0]
    assert read(tmp_path, known, notes).answers == read(path, known, notes).answers
