"""The benchmarks that Assay knows: the thirteen of arXiv:2510.07169, MATH-500 and AIME 2024 and 2025. Pure data.

Each is driven by OpenCompass's own prompts and scoring: `base` asks a base model few-shot (multiple choice by the
likelihood of the options' letters), `chat` asks a tuned model by its template, always for a written answer, since chat
wrappers have no likelihoods. GPQA, HellaSwag, MMLU, CMMLU and MathBench therefore score another way in each profile,
and scores of two profiles never compare. OpenCompass scores AIME 2025 by no rule: it is scored as AIME 2024.

Item counts are those of the published files; two where published revisions differ. Sources: OpenCompass 0.5.4, and the
papers of the benchmarks.
"""

from __future__ import annotations

from typing import Literal

from tasks.core.identity import Frozen
from tasks.core.results import Domain
from tasks.evaluate import subsets as names


class Source(Frozen):
    """Where OpenCompass keeps one way of asking a benchmark: a module under ``opencompass.configs.datasets``.

    `max_output_tokens` is set where OpenCompass leaves it to the model's configuration; `chat` and `base` are the same
    where one configuration serves both.
    """

    module: str
    variable: str
    max_output_tokens: int | None = None


class Benchmark(Frozen):
    """One benchmark.

    Attributes:
        domain: math, knowledge, reasoning or coding.
        metric: what its score is.
        items: how many items it has: any of these.
        base, chat: how it is asked in each profile.
        files: the files it needs under the data folder; ``{subset}`` stands for each subset's name.
        subsets: its subsets' names, empty where it has none.
        abbr: OpenCompass's abbreviation of a subset.
        topic, level: the columns of its file that say what an item is about and how hard it is; empty where none does.
        gold: the column with the gold answer's text, for bits per byte; empty where none is.
        cluster: which items hang together.
        runs_code: whether scoring runs code that the model wrote.
    """

    domain: Domain
    metric: str
    items: tuple[int, ...]
    base: Source
    chat: Source
    files: tuple[str, ...]
    subsets: tuple[str, ...] = ()
    abbr: str
    topic: str = ""
    level: str = ""
    gold: str = ""
    cluster: Literal["item", "subset", "passage", "question"] = "item"
    runs_code: bool = False

    def abbrs(self, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return OpenCompass's abbreviations of some subsets, or of all, in the registry's order."""
        if not self.subsets:
            return (self.abbr,)
        wanted = [name for name in self.subsets if chosen is None or name in chosen]
        return tuple(self.abbr.format(subset=name.replace("/", "-")) for name in wanted)

    def data_files(self, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return the files that some subsets need, or all, relative to the data folder; each once, in order."""
        wanted = [name for name in self.subsets if chosen is None or name in chosen] or [""]
        return tuple(dict.fromkeys(file.format(subset=name) for file in self.files for name in wanted))


def _mathbench(items: int, subsets: tuple[str, ...]) -> Benchmark:
    return Benchmark(
        domain="math",
        metric="accuracy, right in all four circular variants",
        items=(items,),
        base=Source(module="MathBench.mathbench_2024_few_shot_mixed_4a3fd4", variable="mathbench_datasets"),
        chat=Source(module="MathBench.mathbench_2024_gen_50a320", variable="mathbench_datasets"),
        files=("data/mathbench_v1/{subset}.jsonl",),
        subsets=subsets,
        abbr="mathbench-{subset}",
        gold="answer",
        cluster="question",
    )


_MATH_500 = Source(module="math.math_500_gen", variable="math_datasets", max_output_tokens=2048)
_AIME = Source(module="aime2024.aime2024_gen_17d799", variable="aime2024_datasets", max_output_tokens=8192)

REGISTRY: dict[str, Benchmark] = {
    "mmlu": Benchmark(
        domain="knowledge",
        metric="accuracy",
        items=(14042,),
        base=Source(module="mmlu.mmlu_ppl_ac766d", variable="mmlu_datasets"),
        chat=Source(
            module="mmlu.mmlu_openai_simple_evals_gen_b618ea", variable="mmlu_datasets", max_output_tokens=1024
        ),
        files=("data/mmlu/dev/{subset}_dev.csv", "data/mmlu/test/{subset}_test.csv"),
        subsets=names.MMLU,
        abbr="lukaemon_mmlu_{subset}",
        cluster="subset",
    ),
    "mmlu_pro": Benchmark(
        domain="knowledge",
        metric="accuracy",
        items=(12032, 12102, 12186, 12187),
        base=Source(module="mmlu_pro.mmlu_pro_few_shot_gen_bfaf90", variable="mmlu_pro_datasets"),
        chat=Source(
            module="mmlu_pro.mmlu_pro_0shot_cot_gen_08c1de", variable="mmlu_pro_datasets", max_output_tokens=2048
        ),
        files=(
            "data/mmlu_pro/data/test-00000-of-00001.parquet",
            "data/mmlu_pro/data/validation-00000-of-00001.parquet",
        ),
        subsets=names.MMLU_PRO,
        abbr="mmlu_pro_{subset}",
        gold="answer",
        cluster="subset",
    ),
    "cmmlu": Benchmark(
        domain="knowledge",
        metric="accuracy",
        items=(11528, 11582),
        base=Source(module="cmmlu.cmmlu_ppl_041cbf", variable="cmmlu_datasets"),
        chat=Source(module="cmmlu.cmmlu_0shot_cot_gen_305931", variable="cmmlu_datasets", max_output_tokens=1024),
        files=("data/cmmlu/dev/{subset}.csv", "data/cmmlu/test/{subset}.csv"),
        subsets=names.CMMLU,
        abbr="cmmlu-{subset}",
        cluster="subset",
    ),
    "gpqa_diamond": Benchmark(
        domain="knowledge",
        metric="accuracy",
        items=(198,),
        base=Source(module="gpqa.gpqa_ppl_6bf57a", variable="gpqa_datasets"),
        chat=Source(
            module="gpqa.gpqa_openai_simple_evals_gen_5aeece", variable="gpqa_datasets", max_output_tokens=2048
        ),
        files=("data/gpqa/gpqa_diamond.csv",),
        abbr="GPQA_diamond",
    ),
    "hellaswag": Benchmark(
        domain="reasoning",
        metric="accuracy",
        items=(10042,),
        base=Source(module="hellaswag.hellaswag_10shot_ppl_59c85e", variable="hellaswag_datasets"),
        chat=Source(
            module="hellaswag.hellaswag_10shot_gen_e42710", variable="hellaswag_datasets", max_output_tokens=64
        ),
        files=("data/hellaswag/hellaswag.jsonl", "data/hellaswag/hellaswag_train_sampled25.jsonl"),
        abbr="hellaswag",
    ),
    "bbh": Benchmark(
        domain="reasoning",
        metric="exact match",
        items=(6511,),
        base=Source(module="bbh.bbh_gen_98fba6", variable="bbh_datasets"),
        chat=Source(module="bbh.bbh_gen_4a31fa", variable="bbh_datasets"),
        files=("data/BBH/data/{subset}.json",),
        subsets=names.BBH,
        abbr="bbh-{subset}",
        gold="target",
        cluster="subset",
    ),
    "drop": Benchmark(
        domain="reasoning",
        metric="accuracy, an accepted answer contained in the given one or the other way round",
        items=(9535, 9536),
        base=Source(module="drop.drop_gen_a2697c", variable="drop_datasets", max_output_tokens=512),
        chat=Source(
            module="drop.drop_openai_simple_evals_gen_3857b0", variable="drop_datasets", max_output_tokens=1024
        ),
        files=("data/drop_simple_eval/dev.jsonl",),
        abbr="drop",
        gold="answers",
        cluster="passage",
    ),
    "math": Benchmark(
        domain="math",
        metric="accuracy, answers equivalent",
        items=(5000,),
        base=Source(module="math.math_4shot_base_gen_db136b", variable="math_datasets"),
        chat=Source(module="math.math_0shot_gen_393424", variable="math_datasets"),
        files=("data/math/math.json",),
        abbr="math",
        topic="type",
        level="level",
        gold="solution",
    ),
    "math_500": Benchmark(
        domain="math",
        metric="accuracy, answers equivalent by math-verify",
        items=(500,),
        base=_MATH_500,
        chat=_MATH_500,
        files=("data/math/test_prm800k_500.jsonl",),
        abbr="math-500",
        topic="subject",
        level="level",
        gold="solution",
    ),
    "gsm8k": Benchmark(
        domain="math",
        metric="accuracy, numbers equal",
        items=(1319,),
        base=Source(module="gsm8k.gsm8k_gen_17d0dc", variable="gsm8k_datasets"),
        chat=Source(module="gsm8k.gsm8k_0shot_v2_gen_a58960", variable="gsm8k_datasets"),
        files=("data/gsm8k/train.jsonl", "data/gsm8k/test.jsonl"),
        abbr="gsm8k",
        gold="answer",
    ),
    "mathbench_a": _mathbench(1500, names.MATHBENCH_A),
    "mathbench_t": _mathbench(2209, names.MATHBENCH_T),
    "aime_2024": Benchmark(
        domain="math",
        metric="accuracy, answers equivalent by math-verify",
        items=(30,),
        base=_AIME,
        chat=_AIME,
        files=("data/aime.jsonl",),
        abbr="aime2024",
        gold="answer",
    ),
    "aime_2025": Benchmark(
        domain="math",
        metric="accuracy, answers equivalent by math-verify",
        items=(30,),
        base=_AIME,
        chat=_AIME,
        files=("data/aime2025/aime2025.jsonl",),
        abbr="aime2025",
        gold="answer",
    ),
    "humaneval": Benchmark(
        domain="coding",
        metric="pass@1",
        items=(164,),
        base=Source(module="humaneval.internal_humaneval_gen_ce6b06", variable="humaneval_datasets"),
        chat=Source(module="humaneval.humaneval_gen_8e312c", variable="humaneval_datasets"),
        files=("data/humaneval/human-eval-v2-20210705.jsonl",),
        abbr="openai_humaneval",
        gold="canonical_solution",
        runs_code=True,
    ),
    "mbpp": Benchmark(
        domain="coding",
        metric="pass@1 on the sanitized problems",
        items=(257,),
        base=Source(module="mbpp.sanitized_mbpp_gen_742f0c", variable="sanitized_mbpp_datasets"),
        chat=Source(module="mbpp.sanitized_mbpp_mdblock_gen_a447ff", variable="sanitized_mbpp_datasets"),
        files=("data/mbpp/sanitized-mbpp.jsonl",),
        abbr="sanitized_mbpp",
        gold="code",
        runs_code=True,
    ),
}
