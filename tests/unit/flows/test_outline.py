"""What a study would do beside training: its items, overlaps and second grading, by name before they are made."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from flows.outline import outline
from flows.outline_tree import outline_tree
from flows.study import Runtime, parse_study
from flows.work import Run, Work
from tasks.core.checkpoint import Checkpoint
from tasks.core.identity import Identity
from tasks.core.store import ArtifactRef

QA = {"kind": "qa", "domain": "math", "prompt": "{question}"}
BENCHMARKS = {
    "sums": QA,
    "words": QA | {"extract": "text"},
    "marked": QA | {"extract": "math", "pattern": "Final: (.*)"},
    "letters": {"kind": "choice", "domain": "math"},
    "facts": {"kind": "qa", "domain": "knowledge", "prompt": "{question}"},
}


@pytest.fixture
def work(tmp_path):
    def declared(**changes):
        rows = [{"question": f"How many is {n}?", "answer": "5", "choices": ["5", "6"]} for n in range(3)]
        for name in (*BENCHMARKS, "mix", "new", "more"):
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        study = {
            "name": "here", "base": {"path": str(tmp_path)}, "stage": "pretrain", "tokens": 1000, "seeds": [1, 2],
            "validated": [{"name": "mix", "weight": 1, "file": str(tmp_path / "mix.jsonl")}],
            "candidates": [{"name": name, "file": str(tmp_path / f"{name}.jsonl")} for name in ("new", "more")],
            "anneal": {"sequence_length": 10, "global_batch": 2},
            "benchmarks": [
                {"name": name, "file": str(tmp_path / f"{name}.jsonl"), **rest} for name, rest in BENCHMARKS.items()
            ],
        }  # fmt: skip
        base = Checkpoint(folder=Path("/models/base"), digest="b", tokenizer="t", template="c", template_text=None)
        return Work(parse_study(study | changes, "here"), Runtime(store=tmp_path / "store"), base)

    return declared


def test_the_study_hash_is_of_the_benchmarks_items_and_not_of_their_place(work, tmp_path):
    here = work()
    before = here.study_hash()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "facts.jsonl").rename(moved / "facts.jsonl")
    benchmarks = [
        one.model_copy(update={"file": str(moved / "facts.jsonl")}) if one.name == "facts" else one
        for one in here.study.benchmarks
    ]
    there = Work(here.study.model_copy(update={"benchmarks": tuple(benchmarks)}), here.runtime, here.base)
    assert there.study_hash() == before
    with (moved / "facts.jsonl").open("a") as file:
        file.write(json.dumps({"question": "One more?", "answer": "7"}) + "\n")
    assert there.study_hash() != before


def ref(name):
    return ArtifactRef(path=f"evaluate/{name}", digest=name, num_rows=1)


def row(draft):
    (draft.folder / "rows").write_text("")


def pack_of(here, records, sequences):
    def build(draft):
        held = {"sequences": sequences, "samples": sequences, "tokens": sequences, "supervised_tokens": sequences}
        (draft.folder / "size.json").write_text(json.dumps(held))

    return here.store.produce(here.pack_identity(records), build)


def test_every_step_is_named_before_anything_is_made(work):
    steps = outline(work()).steps
    named = {stage: [step.name for step in steps if step.stage == stage] for stage in ("items", "overlap", "regrade")}
    assert named["items"] == ["here"] and named["overlap"] == ["new", "more"]
    assert named["regrade"] == [
        f"{arm}/seed-{seed} on {benchmark}"
        for seed in (1, 2) for arm in ("control", "new", "more") for benchmark in ("sums", "words", "marked")
    ]  # fmt: skip
    [needs] = {step.needs for step in steps if step.name == "new" and step.stage == "overlap"}
    assert needs == ("ingest new", "items here")
    states = {step.stage: step.state for step in steps}
    assert (states["items"], states["overlap"], states["regrade"], states["compare"]) == (
        "to run", "waiting", "waiting", "waiting",
    )  # fmt: skip


def test_what_is_there_is_found(work):
    here = work()
    made = {}
    for identity in (here.items_identity(), *(here.records_identity(source) for source in here.study.candidates)):
        made[identity.stage] = here.store.produce(identity, row)
    here.store.produce(here.overlap_identity(made["ingest"], made["items"]), row)
    states = [(step.name, step.state) for step in outline(here).steps if step.stage in ("items", "overlap")]
    assert states[0] == ("here", "cached") and set(states[1:]) == {("new", "cached"), ("more", "cached")}


def test_the_tree_has_a_line_a_stage_and_a_line_an_arm_of_what_is_missing(work):
    here = work()
    [first, *_] = here.study.validated
    here.store.produce(here.records_identity(first), row)
    with (console := Console(width=100)).capture() as seen:
        console.print(outline_tree(outline(here)))
    lines = seen.get().splitlines()
    assert lines[1:5] == [
        "├── ingest  1 cached, 2 to run", "│   ├── new  1 to run", "│   └── more  1 to run",
        "├── pack  1 to run, 2 waiting  from ingest",
    ]  # fmt: skip
    assert "├── anneal  6 waiting  from plan" in lines
    assert "│   ├── control  2 waiting  seed-1, seed-2" in lines
    assert "│   ├── control  10 waiting" in lines  # of seeds on benchmarks, too many to name
    assert "└── compare  1 waiting  from evaluate, regrade, overlap" in lines


def test_answers_are_read_where_the_benchmark_declares_them(work):
    run = Run("new", 1)
    jobs = work().regrade_jobs({(run, name): ref(name) for name in BENCHMARKS})
    assert {name: job.config.pattern for (_, name), job in jobs.items()} == {
        "sums": None, "words": r"\A\s*(\S[^\n]*)", "marked": "Final: (.*)",
    }  # fmt: skip
    assert {job.config.profile for job in jobs.values()} == {"base"}
    assert jobs[run, "sums"].name == "new/seed-1 on sums" and jobs[run, "sums"].scores == ref("sums")


def test_registry_benchmarks_of_letters_are_not_graded_again(work):
    names = ("math", "gsm8k", "mathbench_a", "mathbench_t", "aime_2024", "mmlu", "humaneval")
    here = work(benchmarks=[{"name": name} for name in names], evaluate={"allow_unsandboxed_code": True})
    assert set(here.regraded) == {"math", "gsm8k", "aime_2024"}


def test_overlaps_are_recorded_from_the_lowest_share_that_is_asked_for(work):
    assert work().overlap.report_ratio == 0.1
    lower = work(compare={"overlap_ratios": [0.05, 0.5], "overlap_ratio": 0.5})
    assert lower.overlap.report_ratio == 0.05
    asked = Identity.of("ingest", 1, {}, {}), Identity.of("items", 1, {}, {})
    refs = [ArtifactRef(path=one.stage, digest=one.key, num_rows=1) for one in asked]
    assert lower.overlap_identity(*refs) != work().overlap_identity(*refs)


def test_the_comparison_is_told_who_graded_again(work):
    run = Run("new", 1)
    scores, grades = {(run, "sums"): ref("s"), (run, "facts"): ref("f")}, {(run, "sums"): ref("g")}
    scored, *_ = work().comparison({run: ref("model")}, scores, grades)
    assert [(one.benchmark, one.grades) for one in scored] == [("sums", ref("g")), ("facts", None)]


def test_how_often_a_candidate_repeats_is_told_as_soon_as_it_is_packed(work):
    here = work()
    assert any("once they are packed: new, more" in warning for warning in outline(here).warnings)
    [new] = [source for source in here.study.candidates if source.name == "new"]
    pack_of(here, here.store.produce(here.records_identity(new), row), sequences=2)
    told = outline(here).warnings
    assert any("once they are packed: more" in warning for warning in told)
    assert any("candidates.new: its 20 % of the budget repeats it 10.0 times" in warning for warning in told)


def test_a_share_of_samples_is_known_once_the_validated_sources_are_packed_too(work):
    here = work(candidate_unit="samples")
    new, more, mix = (pack_of(here, ref(name), sequences=100) for name in ("new", "more", "mix"))
    assert here.unsized({"new": new, "more": more}) == ["new", "more"]
    here.check_repeats({"new": new, "more": more})
    assert here.unsized({"new": new, "mix": mix}) == ["more"]
