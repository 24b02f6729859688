"""Teachers as their makers say to use them: sampling and opening from each model's card, by name.

A preset only fills in what is not given; what is then asked for is part of the identity, the preset's name is not. A
hub id still needs its `revision`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.core.errors import StudyError

_PLACES = ("path", "hub", "endpoint_model")

#: Each names its source. `max_model_len` is what the weights take without stretching their positions.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # Card of Qwen/QwQ-32B, "Usage Guidelines": temperature 0.6, top_p 0.95, min_p 0, top_k 20 to 40, output must begin
    # with "<think>\n" (its chat template adds it), 32,768 new tokens.
    "qwq-32b": {
        "model": {"hub": "Qwen/QwQ-32B", "max_model_len": 40_960, "opening": "<think>\n"},
        "sampling": {"temperature": 0.6, "top_p": 0.95, "top_k": 40, "max_output_tokens": 32_768},
    },
    # generation_config.json of Qwen/Qwen2.5-72B-Instruct; its card: 32,768 tokens of context, 8,192 new ones.
    "qwen2.5-72b-instruct": {
        "model": {"hub": "Qwen/Qwen2.5-72B-Instruct", "max_model_len": 32_768},
        "sampling": {
            "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05, "max_output_tokens": 8_192,
        },
    },
    # Card of deepseek-ai/DeepSeek-R1, "Usage Recommendations": temperature 0.5 to 0.7 (0.6), top_p 0.95, no system
    # prompt, output must begin with "<think>\n"; evaluated with 32,768 new tokens.
    "deepseek-r1": {
        "model": {"hub": "deepseek-ai/DeepSeek-R1", "max_model_len": 65_536, "opening": "<think>\n"},
        "sampling": {"temperature": 0.6, "top_p": 0.95, "max_output_tokens": 32_768},
    },
    # Card of Qwen/Qwen3-32B, "Best Practices", thinking mode: temperature 0.6, top_p 0.95, top_k 20, min_p 0, 32,768
    # new tokens. It writes "<think>" itself.
    "qwen3-32b": {
        "model": {"hub": "Qwen/Qwen3-32B", "max_model_len": 40_960},
        "sampling": {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "max_output_tokens": 32_768},
    },
}  # fmt: skip


def with_preset(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config's fields with those of ``model.preset`` filled in where they are not given.

    Raises:
        StudyError: for a preset that there is not.
    """
    model = given.get("model")
    if not isinstance(model, Mapping) or "preset" not in model:
        return dict(given)
    own = {name: value for name, value in model.items() if name != "preset"}
    if (preset := PRESETS.get(model["preset"])) is None:
        raise StudyError(
            f"model.preset: there is no {model['preset']!r}", remedy=f"take one of {', '.join(sorted(PRESETS))}"
        )
    filled = dict(preset["model"])
    if any(place in own for place in _PLACES):  # the same model, from elsewhere
        del filled["hub"]
    if given.get("scoring") is not None:
        return {**given, "model": filled | own}
    return {**given, "model": filled | own, "sampling": preset["sampling"] | dict(given.get("sampling") or {})}
