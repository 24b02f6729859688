"""`assay compare`: files in, the comparison of a study out."""

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.comparing import as_json, compare_results, parse_domains, report_data, write_report
from tasks.core.errors import AssayError, DataError, IntegrityError, StudyError

runner = CliRunner()
SOLUTIONS = Path(__file__).parents[4] / "shared" / "data" / "gsm8k" / "model_solutions.jsonl"


def scores(path, right, seeds=(None,), benchmark="gsm8k", items=60, **fields):
    """JSON lines in which an item is right with chance `right`, paired by item over files."""
    rows = []
    for seed in seeds:
        for item in range(items):
            luck = (
                random.Random(f"{benchmark}{item}").random()
                + random.Random(f"{path.name}{seed}{item}").uniform(-1, 1) / 20
            )
            rows.append({"benchmark": benchmark, "item": item, "correct": luck < right, **fields})
            if seed is not None:
                rows[-1]["seed"] = seed
    with path.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


@pytest.fixture
def sides(tmp_path):
    def build(candidates=("web",), gain=0.3, **options):
        control = scores(tmp_path / "base.jsonl", 0.4, **options)
        return [control], [scores(tmp_path / f"{name}.jsonl", 0.4 + gain, **options) for name in candidates]

    return build


def deltas(compared):
    return [
        (one.name, delta.benchmark, delta.n_seeds) for one in compared.comparison.candidates for delta in one.deltas
    ]


def test_one_seed_has_an_interval_over_items_and_no_verdict(sides):
    compared = compare_results(*sides(), {})
    [candidate] = compared.comparison.candidates
    assert candidate.verdict == "inconclusive"
    assert "the effect of the training data is not tested" in candidate.sentence
    assert candidate.deltas[0].low > 0 and candidate.deltas[0].n_seeds == 1


def test_seeds_in_the_file_make_a_verdict(sides):
    compared = compare_results(*sides(candidates=("web", "books"), seeds=(11, 12, 13)), {})
    assert compared.comparison.seeds == (11, 12, 13)
    assert [one.verdict for one in compared.comparison.candidates] == ["helps", "helps"]


def test_candidates_and_benchmarks_stay_in_the_order_they_were_named(sides, tmp_path):
    control, candidates = sides(candidates=("zeta", "alpha"))
    for path in (*control, *candidates):
        scores(path, 0.5, benchmark="aime24", items=30)
    assert deltas(compare_results(control, candidates, {})) == [
        (name, benchmark, 1) for name in ("zeta", "alpha") for benchmark in ("gsm8k", "aime24")
    ]


def test_paths_are_seeds_in_the_order_they_are_named(tmp_path):
    names = ("base-1", "base-2", "web-1", "web-2")
    files = {name: scores(tmp_path / f"{name}.jsonl", 0.4 if "base" in name else 0.7) for name in names}
    compared = compare_results([files["base-1"], files["base-2"]], [files["web-1"], files["web-2"]], {})
    assert compared.comparison.seeds == (1, 2)
    assert [one.arm for one in compared.inputs] == ["base", "web"]
    together = tmp_path / "all"
    together.mkdir()
    for arm in ("base", "web"):
        rows = [json.loads(line) | {"seed": k} for k in (1, 2) for line in files[f"{arm}-{k}"].read_text().splitlines()]
        (together / f"{arm}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert compare_results([together / "base.jsonl"], [together / "web.jsonl"], {}).comparison == compared.comparison


def test_without_a_math_benchmark_all_of_them_decide(sides):
    compared = compare_results(*sides(benchmark="hellaswag"), {})
    assert compared.comparison.candidates[0].deltas[0].role == "primary"
    assert "no benchmark is of domain math, so all of them decide" in compared.notes


def test_a_domain_is_asked_for_where_nobody_knows_it(sides):
    files = sides(benchmark="mine")
    with pytest.raises(StudyError, match="nobody says what mine measures") as caught:
        compare_results(*files, {})
    assert "--domain mine=math" in caught.value.remedy
    compared = compare_results(*files, parse_domains(["mine=coding"]))
    assert compared.comparison.candidates[0].deltas[0].domain == "coding"
    with pytest.raises(StudyError, match="other is not among the benchmarks"):
        compare_results(*files, {"mine": "math", "other": "math"})


@pytest.mark.parametrize("text", ["mine", "=math", "mine=maths", "mine="])
def test_a_domain_that_says_nothing_is_refused(text):
    with pytest.raises(StudyError, match="--domain"):
        parse_domains([text])


def test_a_benchmark_has_one_domain():
    assert parse_domains(["mine=math", "mine=math"]) == {"mine": "math"}
    with pytest.raises(StudyError, match="mine is said to be math and coding"):
        parse_domains(["mine=math", "mine=coding"])


def lines(path, *rows):
    with path.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def row(**fields):
    return {"benchmark": "gsm8k", "item": 0, "correct": 1} | fields


def _other_items(control, candidate):
    lines(candidate, row(item="more"))


def _twice(control, candidate):
    lines(candidate, row())


def _other_clusters(control, candidate):
    lines(control, row(item=99, seed=1, cluster="a"))
    lines(candidate, row(item=99, seed=1, cluster="b"))


def _one_item(control, candidate):
    for path in (control, candidate):
        lines(path, row(benchmark="math", seed=1))


def _seed_missing(control, candidate):
    lines(control, *(row(item=i, seed=2) for i in range(60)))


def _benchmark_missing(control, candidate):
    lines(control, *(row(item=i, benchmark="math", seed=1) for i in range(60)))


def _some_seeds(control, candidate):
    lines(candidate, {**row(item=99), "seed": None})


def _scored_otherwise(control, candidate):
    lines(candidate, row(item=99, seed=1, metric="f1"))


def _two_domains(control, candidate):
    lines(candidate, row(item=99, seed=1, domain="coding"))


@pytest.mark.parametrize(
    ("damage", "error", "said"),
    [
        (_other_items, IntegrityError, r"answered different items of gsm8k: none missing, 1 \(more\) added"),
        (_twice, DataError, r"web.jsonl:61: item '0' of gsm8k, seed 1, a second time; the first is at .*web.jsonl:1\n"),
        (_other_clusters, IntegrityError, "web, seed 1, and base, seed 1, .* different clusters, 1 of 61, first '99'"),
        (_one_item, IntegrityError, r"base, seed 1, has one item of math, too few to compare"),
        (_seed_missing, DataError, r"web \(.*web.jsonl\) has no results of gsm8k, seed 2, which base has"),
        (_benchmark_missing, DataError, "web .* has no results of math, seed 1"),
        (_some_seeds, DataError, "web.jsonl:61: no seed, unlike the rows before it"),
        (_scored_otherwise, DataError, r"scored in different ways \(base: accuracy; web: accuracy and f1\)"),
        (_two_domains, DataError, "web.jsonl:61: gsm8k is of domain coding, and of math in other rows"),
    ],
)
def test_sides_that_do_not_line_up_are_refused_with_a_remedy(sides, damage, error, said):
    [control], [candidate] = sides(seeds=(1,))
    if damage in (_other_items, _twice):
        for path in (control, candidate):
            path.write_text(path.read_text().replace(', "seed": 1', ""))
    damage(control, candidate)
    with pytest.raises(error, match=said) as caught:
        compare_results([control], [candidate], {})
    assert caught.value.remedy


def test_seeds_twice_over_are_refused(tmp_path):
    files = [scores(tmp_path / f"{name}.jsonl", 0.5, seeds=(1,)) for name in ("a-1", "a-2", "b-1", "b-2")]
    with pytest.raises(DataError, match="a seed, while each of the 2 paths of a is a seed"):
        compare_results(files[:2], files[2:], {})


def test_two_tools_never_compare(sides, tmp_path):
    control, _ = sides()
    result = {"accuracy": 100.0, "details": [{"correct": True}] * 2}
    (tmp_path / "gsm8k.json").write_text(json.dumps(result))
    with pytest.raises(DataError, match=r"base.jsonl is of JSON Lines and .*gsm8k.json of OpenCompass"):
        compare_results(control, [tmp_path / "gsm8k.json"], {})


def sample(item, prompt, right):
    return {
        "doc_id": item, "doc": {}, "target": "4", "resps": [["4"]], "filtered_resps": ["4"], "filter": "none",
        "metrics": ["exact_match"], "doc_hash": f"d{item}", "prompt_hash": f"{prompt}{item}", "exact_match": right,
    }  # fmt: skip


def test_other_prompts_are_said_and_other_questions_refused(tmp_path):
    for name, prompt in (("base", "a"), ("web", "b")):
        (tmp_path / name).mkdir()
        rows = [sample(item, prompt, float(item % 3 == 0)) for item in range(9)]
        lines(tmp_path / name / "samples_gsm8k_2026-10-01T13-21-10.jsonl", *rows)
    notes = compare_results([tmp_path / "base"], [tmp_path / "web"], {}).notes
    assert "gsm8k: prompts differ on 9 of 9 items, so the difference is of prompts too" in notes
    path = tmp_path / "web" / "samples_gsm8k_2026-10-01T13-21-10.jsonl"
    path.write_text(path.read_text().replace('"d3"', '"other"'))
    with pytest.raises(IntegrityError, match="answered different items"):
        compare_results([tmp_path / "base"], [tmp_path / "web"], {})


def test_the_json_is_that_of_show_with_what_was_read(sides):
    compared = compare_results(*sides(), {})
    found = as_json(compared, None)
    shown = json.loads((Path(__file__).parent / "golden" / "show.json").read_text())
    assert list(found)[:4] == list(shown)
    assert list(found["candidates"][0]) == list(shown["candidates"][0])
    assert list(found["candidates"][0]["deltas"][0]) == list(shown["candidates"][0]["deltas"][0])
    assert (found["report"], found["candidates"][0]["tokens"], found["candidates"][0]["seconds"]) == (None, None, None)
    assert found["inputs"][0]["format"] == "JSON Lines"


def test_a_gain_is_said_to_rest_on_one_grader_and_rows_that_nobody_looked_at(sides, tmp_path):
    helps = compare_results(*sides(candidates=("web", "books"), seeds=(11, 12, 13)), {})
    [note] = [note for note in helps.notes if "one grader" in note]
    assert note in as_json(helps, None)["notes"] and note in report_data(helps).warnings
    (tmp_path / "alone").mkdir()
    control = scores(tmp_path / "alone" / "base.jsonl", 0.4)
    nothing = compare_results([control], [scores(tmp_path / "alone" / "web.jsonl", 0.7)], {})
    assert not any("one grader" in note for note in nothing.notes)


def test_a_task_that_cannot_be_scored_is_left_out_unless_it_is_named(tmp_path):
    for name in ("base", "web"):
        (tmp_path / name).mkdir()
        rows = [sample(item, "a", float(item % 3 == 0)) for item in range(9)]
        lines(tmp_path / name / "samples_gsm8k_2026-10-01T13-21-10.jsonl", *rows)
        unscored = [row | {"metrics": ["bleu", "rouge"], "bleu": 0.1, "rouge": 0.2} for row in rows]
        lines(tmp_path / name / "samples_triviagen_2026-10-01T13-21-10.jsonl", *unscored)
    files = [tmp_path / "base"], [tmp_path / "web"]
    compared = compare_results(*files, {})
    assert deltas(compared) == [("web", "gsm8k", 1)]
    [note] = [note for note in compared.notes if "triviagen is left out" in note]
    assert note in report_data(compared).warnings
    with pytest.raises(StudyError, match="--domain: triviagen is left out: of its metrics bleu, rouge none is known"):
        compare_results(*files, {"triviagen": "knowledge"})
    lines(tmp_path / "web" / "samples_triviagen_2026-10-02T13-21-10.jsonl", *rows)
    with pytest.raises(DataError, match=r"base .* has no results of triviagen, .*; triviagen is left out"):
        compare_results(*files, {})


def test_the_report_says_what_was_read_and_is_the_same_for_the_same_files(sides, tmp_path):
    files = sides()
    compared = compare_results(*files, {})
    page = write_report(compared, tmp_path / "report")
    text = page.read_text()
    assert "against base" in text and "base.jsonl" in text and compared.inputs[0].digest in text
    assert {path.name for path in page.parent.iterdir()} == {"report.html", "report.md", "report.json"}
    assert report_data(compare_results(*files, {})) == report_data(compared)


def test_a_report_that_cannot_be_written_is_refused_with_a_remedy(sides, tmp_path):
    compared = compare_results(*sides(), {})
    (tmp_path / "file").write_text("")
    for taken in (tmp_path / "file", tmp_path / "file" / "report"):
        with pytest.raises(StudyError, match=r"--report: .*file.* is no folder that can be written") as caught:
            write_report(compared, taken)
        assert caught.value.remedy


def test_results_of_others_are_looked_at_and_not_run_again(sides):
    [control], [candidate] = sides(seeds=(1,))
    lines(candidate, row(item="more", seed=1))
    with pytest.raises(IntegrityError) as caught:
        compare_results([control], [candidate], {})
    assert str(control) in caught.value.remedy and str(candidate) in caught.value.remedy
    assert "again" not in caught.value.remedy


def test_the_command_prints_the_table_the_sentence_and_what_was_read(sides, tmp_path):
    [control], [candidate] = sides()
    arguments = ["compare", "--control", str(control), "--candidate", str(candidate)]
    text = runner.invoke(app, [*arguments, "--report", str(tmp_path / "report")]).stdout
    assert "inconclusive" in text and "gsm8k" in text
    assert f"read  base: JSON Lines, {control}" in text
    assert f"report  {tmp_path / 'report' / 'report.html'}" in text
    found = json.loads(runner.invoke(app, [*arguments, "--json"]).stdout)
    assert found["candidates"][0]["verdict"] == "inconclusive"


@pytest.mark.parametrize("missing", ["--control", "--candidate"])
def test_the_command_wants_both_sides(missing):
    other = "--candidate" if missing == "--control" else "--control"
    assert runner.invoke(app, ["compare", other, "a.jsonl"]).exit_code == 2


def test_errors_of_the_command_are_assays_own(tmp_path):
    result = runner.invoke(app, ["compare", "--control", str(tmp_path / "a"), "--candidate", str(tmp_path / "b")])
    assert isinstance(result.exception, AssayError)
    assert "does not exist" in result.exception.message


@pytest.mark.skipif(not SOLUTIONS.exists(), reason="GSM8K's model solutions are not at ../shared/data/gsm8k")
def test_four_real_systems_differ_as_their_labels_say(tmp_path):
    solved = [json.loads(line) for line in SOLUTIONS.read_text().splitlines()]
    systems = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    for system in systems:
        rows = [row(item=number, correct=one[system]["is_correct"]) for number, one in enumerate(solved)]
        lines(tmp_path / f"{system}.jsonl", *rows)
    files = [tmp_path / f"{system}.jsonl" for system in systems]
    compared = compare_results(files[:1], files[1:], {})
    right = {system: sum(one[system]["is_correct"] for one in solved) for system in systems}
    for candidate in compared.comparison.candidates:
        [delta] = candidate.deltas
        expected = 100 * (right[candidate.name] - right["6b_finetuning"]) / len(solved)
        assert delta.delta == pytest.approx(expected, abs=1e-6)
        assert delta.low > 0 and delta.n_items == 1319
        assert "These two checkpoints differ on gsm8k" in candidate.sentence
