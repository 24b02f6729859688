from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.evaluate import config
from tasks.evaluate.config import BenchmarkConfig, EvaluateConfig, EvaluateRuntime

CUSTOM = {"name": "mine", "file": "x.jsonl", "kind": "qa", "domain": "math"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "gsm9k"}, "unknown benchmark 'gsm9k': choose one of .*gsm8k.*mmlu.*or set `file`"),
        ({"name": "gsm8k", "prompt": "{question}"}, "prompt: only for a benchmark with a `file`"),
        ({"name": "mmlu", "subsets": ("alchemy",)}, "mmlu has no alchemy; it has abstract_algebra"),
        ({"name": "gsm8k", "subsets": ("x",)}, "it has none"),
        ({"name": "mmlu", "subsets": ()}, "name at least one"),
        ({"name": "gsm8k", "limit": 0}, "greater than or equal to 1"),
        ({**CUSTOM, "name": "gsm8k"}, "give your file another name"),
        ({**CUSTOM, "kind": None}, "needs `kind`"),
        ({**CUSTOM, "few_shot": 2}, "set both or neither"),
        ({**CUSTOM, "pattern": "("}, "not a regular expression"),
        ({**CUSTOM, "prompt": "{options}"}, "needs {question}"),
        ({**CUSTOM, "prompt": "{question} {answer}"}, "may hold only"),
        ({**CUSTOM, "subsets": ("a",)}, "has none"),
        ({**CUSTOM, "colour": "red"}, "colour"),
    ],
)
def test_a_benchmark_that_makes_no_sense_says_what_to_do(changes, message):
    with pytest.raises(ValidationError, match=message):
        BenchmarkConfig(**changes)


def test_a_custom_benchmark_has_a_prompt_of_its_kind():
    assert BenchmarkConfig(**CUSTOM).template == "Question: {question}\nAnswer:"
    assert "{options}" in BenchmarkConfig(**{**CUSTOM, "kind": "choice"}).template


@pytest.mark.parametrize("engine", ["transformers", "vllm", "/tests/stand_in.py:Model"])
def test_an_engine_is_one_of_two_or_a_tests_own(engine):
    assert EvaluateConfig(engine=engine).engine == engine


def test_a_misspelt_engine_is_refused_before_anything_is_trained():
    with pytest.raises(ValidationError, match="engine"):
        EvaluateConfig(engine="vlm")


def test_the_checkouts_own_environment_is_used_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "__file__", str(tmp_path / "checkout" / "tasks" / "evaluate" / "config.py"))
    monkeypatch.chdir(tmp_path)
    default = EvaluateRuntime()
    assert default.interpreter == tmp_path / "checkout" / ".venv-eval" / "bin" / "python"
    here = tmp_path / ".venv-eval" / "bin" / "python"
    here.parent.mkdir(parents=True)
    here.touch()
    assert default.interpreter == here
    assert EvaluateRuntime(python="/none/python").interpreter == Path("/none/python")
