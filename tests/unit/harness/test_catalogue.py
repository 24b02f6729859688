import pytest

from tasks.evaluate.registry import REGISTRY
from tasks.harness.catalogue import Place, domain_of, place


@pytest.mark.parametrize("name", REGISTRY)
def test_what_opencompass_calls_a_benchmark_is_that_benchmark(known, name):
    benchmark = REGISTRY[name]
    for abbr in benchmark.abbrs(None):
        found = place(abbr, known)
        assert (found.benchmark, found.domain) == (name, benchmark.domain)
        assert found.cluster == (abbr if benchmark.cluster == "subset" else None)


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ("gsm8k", Place("gsm8k", "math")),
        ("gsm8k_cot", Place("gsm8k_cot", "math")),
        ("mmlu_anatomy", Place("mmlu", "knowledge", "mmlu_anatomy")),
        ("mmlu_generative_anatomy", Place("mmlu_generative", "knowledge", "mmlu_generative_anatomy")),
        ("mmlu_high_school_us_history", Place("mmlu", "knowledge", "mmlu_high_school_us_history")),
        ("mmlu_pro_philosophy", Place("mmlu_pro", "knowledge", "mmlu_pro_philosophy")),
        ("cmmlu_agronomy", Place("cmmlu", "knowledge", "cmmlu_agronomy")),
        ("bbh_cot_fewshot_navigate", Place("bbh_cot_fewshot", "reasoning", "bbh_cot_fewshot_navigate")),
        ("leaderboard_bbh_navigate", Place("leaderboard_bbh", "reasoning", "leaderboard_bbh_navigate")),
        ("minerva_math_algebra", Place("minerva_math", "math")),
        ("hendrycks_math_counting_and_prob", Place("hendrycks_math", "math")),
        ("leaderboard_math_geometry_hard", Place("leaderboard_math_hard", "math")),
        ("hendrycks_math500", Place("hendrycks_math500", "math")),
        ("aime24", Place("aime24", "math")),
        ("gpqa_main_n_shot", Place("gpqa_main_n_shot", "knowledge")),
        ("arc_challenge", Place("arc_challenge", "knowledge")),
        ("hellaswag", Place("hellaswag", "reasoning")),
        ("humaneval_instruct", Place("humaneval_instruct", "coding")),
        ("mbpp_plus", Place("mbpp_plus", "coding")),
        ("lambada_openai", Place("lambada_openai", None)),
        ("mathematica_docs", Place("mathematica_docs", None)),
        ("dropbox", Place("dropbox", None)),
    ],
)  # fmt: skip
def test_a_task_of_another_tool_finds_its_benchmark(known, task, found):
    assert place(task, known) == found


@pytest.mark.parametrize(
    ("name", "domain"), [("GSM8K", "math"), ("MathBench-a", "math"), ("OpenAI-Humaneval", "coding"), ("my-set", None)]
)
def test_a_domain_is_known_by_a_name_in_any_spelling(known, name, domain):
    assert domain_of(name, known) == domain
