from __future__ import annotations

import pytest

from tasks.evaluate.config import BenchmarkConfig, EvaluateConfig
from tasks.evaluate.registry import REGISTRY
from tasks.evaluate.suite import check_allowed, registered_suite

PAPER = {
    "mmlu", "mmlu_pro", "cmmlu", "gpqa_diamond", "hellaswag", "bbh", "drop", "math", "gsm8k", "mathbench_a",
    "mathbench_t", "humaneval", "mbpp",
}  # fmt: skip


def test_the_papers_thirteen_and_three_more_are_there():
    assert set(REGISTRY) == PAPER | {"math_500", "aime_2024", "aime_2025"}
    assert {name for name, b in REGISTRY.items() if b.runs_code} == {"humaneval", "mbpp"}
    assert {b.domain for b in REGISTRY.values()} == {"knowledge", "reasoning", "math", "coding"}


@pytest.mark.parametrize(
    ("name", "count"),
    [("mmlu", 57), ("cmmlu", 67), ("bbh", 27), ("mmlu_pro", 14), ("mathbench_a", 9), ("mathbench_t", 8)],
)
def test_subsets_are_complete(name, count):
    benchmark = REGISTRY[name]
    assert len(set(benchmark.subsets)) == count == len(set(benchmark.abbrs(None)))


def test_files_and_abbreviations_follow_the_subsets_asked_for():
    mmlu = REGISTRY["mmlu"]
    assert mmlu.data_files(("virology",)) == ("data/mmlu/dev/virology_dev.csv", "data/mmlu/test/virology_test.csv")
    assert mmlu.abbrs(("virology",)) == ("lukaemon_mmlu_virology",)
    assert REGISTRY["mathbench_a"].abbrs(("primary/cloze_cn",)) == ("mathbench-primary-cloze_cn",)
    assert REGISTRY["mmlu_pro"].data_files(("law",)) == REGISTRY["mmlu_pro"].data_files(None)


def test_only_a_whole_benchmark_must_have_its_published_count():
    config = EvaluateConfig()
    assert registered_suite(BenchmarkConfig(name="gsm8k"), config).items == (1319,)
    assert registered_suite(BenchmarkConfig(name="gsm8k", limit=5), config).items == ()


def test_profiles_ask_in_different_ways_and_a_study_may_set_its_own_limits():
    benchmark = BenchmarkConfig(name="gsm8k", max_output_tokens=64, stop_words=("\n\n",))
    base, chat = (registered_suite(benchmark, EvaluateConfig(profile=p)) for p in ("base", "chat"))
    assert base.module != chat.module
    assert (base.max_output_tokens, base.stop_words) == (64, ("\n\n",))


def test_model_written_code_runs_only_where_the_study_says_so():
    from tasks.core.errors import StudyError

    asked = [BenchmarkConfig(name="mbpp"), BenchmarkConfig(name="gsm8k")]
    with pytest.raises(StudyError, match="mbpp would run code that the model wrote") as caught:
        check_allowed(asked, EvaluateConfig())
    assert "`evaluate: {allow_unsandboxed_code: true}`" in caught.value.remedy
    check_allowed(asked, EvaluateConfig(allow_unsandboxed_code=True))
