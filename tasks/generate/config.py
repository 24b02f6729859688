"""What is asked of a language model, apart from what it runs on.

::

    GenerateConfig    what changes the answers: the teacher, how it samples or scores, the shards. Part of the key.
    ModelRuntime      what does not: actors, devices, deadlines, prices, an endpoint's address. Never part of a key.
    GenerateRuntime   the same for all models, with what single ones have otherwise, and the caps over all of them.

An endpoint's address is runtime, its model's name is identity: the same model behind another address answers the same
questions, and paid answers must not be asked for again because a port has changed. Where two addresses serve different
models under one name, `Teacher.revision` tells them apart.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tasks.core.identity import Frozen
from tasks.generate.presets import with_preset

#: Raised whenever the meaning of an outcome, or of a committed shard, changes.
STAGE_VERSION = 3
STAGE = "generate"

Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]
Price = Annotated[float, Field(ge=0)]
#: The most alternatives to a token that can be asked for.
MAX_LOGPROBS = 100
TopLogprobs = Annotated[int, Field(ge=0, le=MAX_LOGPROBS)]


class Teacher(Frozen):
    """The model that answers: a folder, a hub id with its commit, or a model behind an endpoint.

    Attributes:
        engine: ``vllm``, ``openai`` (any endpoint that speaks its protocol) or ``scripted`` (a stand-in of unit tests,
            named here so that what it made can never pass for a model's).
        path: a local folder with config, safetensors weights and tokenizer.
        hub: a hub id instead; needs `revision`.
        endpoint_model: the name by which an endpoint knows the model instead.
        revision: the commit of a hub id; for an endpoint, whatever tells two models of one name apart.
        dtype: of weights and activations; an endpoint has its own.
        max_model_len: the context in tokens, prompt and answer together; by default the model's own.
        chat_template: replaces the model's own chat template.
        opening: the text that every answer to `messages` begins with. It closes the rendered prompt, unless the chat
            template ends in it already, and opens the stored answer. An endpoint renders its own prompt, so there it
            only opens the stored answer; a thought not even that, where the endpoint keeps it to itself.
    """

    engine: Literal["vllm", "openai", "scripted"] = "vllm"
    path: str | None = None
    hub: str | None = None
    endpoint_model: str | None = None
    revision: str | None = None
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    max_model_len: Positive | None = None
    chat_template: str | None = None
    opening: str = ""

    @model_validator(mode="after")
    def _is_one_model(self) -> Teacher:
        named = [name for name in ("path", "hub", "endpoint_model") if getattr(self, name) is not None]
        allowed = {"vllm": ("path", "hub"), "openai": ("endpoint_model",), "scripted": ("endpoint_model",)}[self.engine]
        if len(named) != 1 or named[0] not in allowed:
            raise ValueError(f"a teacher of engine {self.engine!r} is named by {' or '.join(allowed)}, and by one only")
        if self.hub and not re.fullmatch(r"[0-9a-f]{40}", self.revision or ""):
            raise ValueError("a hub id needs a `revision`: copy the commit, 40 digits, from the model's page (Files)")
        if self.engine == "openai" and self.chat_template:
            raise ValueError("an endpoint has its own chat_template: set it where the model is served")
        return self

    @property
    def name(self) -> str:
        """What people call it."""
        return self.path or self.hub or str(self.endpoint_model)


class Sampling(Frozen):
    """How answers are drawn.

    Attributes:
        temperature: 0 is greedy.
        top_p, top_k, min_p: what is left to draw from; 0 for `top_k` is all.
        presence_penalty, repetition_penalty: against loops; 0 and 1 are none.
        max_output_tokens: an answer that reaches it is cut, and marked so.
        stop: texts that end an answer; they are not part of it.
        seed: each request's own seed derives from it, its row id and its sample.
        top_logprobs: store each token's log-probability and those of the k most probable; None stores none.
    """

    temperature: Annotated[float, Field(ge=0)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0
    min_p: Annotated[float, Field(ge=0, le=1)] = 0.0
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    repetition_penalty: Annotated[float, Field(gt=0)] = 1.0
    max_output_tokens: Positive = 2048
    stop: tuple[str, ...] = ()
    seed: Annotated[int, Field(ge=0)] = 0
    top_logprobs: TopLogprobs | None = None


class Scoring(Frozen):
    """Given text is scored, nothing is generated: the log-probability of every token but the first, and the top k."""

    top_logprobs: TopLogprobs = 0


class GenerateConfig(Frozen):
    """What is asked: identity, equal on every machine. ``model: {preset: NAME}`` fills in a model card's own values.

    Attributes:
        shard_rows: requests that are answered and committed together, at the most: all shards are about as large.
            Batches of greedy answers never cross a shard, so that what is done again is done in the same batches.
    """

    model: Teacher
    sampling: Sampling | None = None
    scoring: Scoring | None = None
    shard_rows: Positive = 256

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, given: Any) -> Any:
        return with_preset(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _samples_or_scores(self) -> GenerateConfig:
        if (self.sampling is None) == (self.scoring is None):
            raise ValueError("give either `sampling` or `scoring`")
        if self.scoring and self.model.engine == "openai":
            raise ValueError("`scoring` needs engine: vllm, which tells the log-probabilities of a prompt")
        return self


class ModelRuntime(Frozen):
    """What one model runs on. None of it enters a key.

    Attributes:
        actors: engines side by side, one process each.
        cpus_per_actor: cores an actor takes from Ray; on a CPU it computes with as many threads.
        gpus_per_actor: GPUs an actor takes; 0 computes on the CPU.
        tensor_parallel: GPUs over which one engine's weights are split; more than one are reserved together.
        keep_warm: seconds that idle engines stay loaded for a next run that asks the same teacher.
        gpu_memory_utilization: the share of a GPU's memory that an engine takes.
        start_seconds: how long an engine may take to load its model.
        deadline_seconds: how long an engine may go without finishing an answer before it is killed and replaced. A
            shard may take as long as it needs.
        max_requeues: how often a shard is asked again after its engine died or hung, or its endpoint failed, before its
            rows are asked one by one; a row that fails alone, while others are answered, is set aside.
        base_url: the endpoint's address.
        api_key_env: the environment variable that holds the endpoint's key.
        concurrency: requests that an endpoint is asked at once.
        request_seconds: how long an endpoint may take over one request, with all that is repeated; by default 600, and
            0.1 for each of `max_output_tokens`.
        retries: how often one request is sent again after a 429, a 5xx, a lost connection or an unreadable reply. A
            request that timed out is asked again with its shard.
        prompt_price, output_price: of a million tokens of an endpoint.
        device_price: of one device (GPU, or core where there is none) of an engine for an hour.
    """

    actors: Positive = 1
    cpus_per_actor: Annotated[float, Field(gt=0)] = 1.0
    gpus_per_actor: Annotated[float, Field(ge=0)] = 0.0
    tensor_parallel: Positive = 1
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    keep_warm: Annotated[float, Field(ge=0)] = 60.0
    start_seconds: Seconds = 1800.0
    deadline_seconds: Seconds = 3600.0
    max_requeues: Annotated[int, Field(ge=0)] = 2
    base_url: str | None = None
    api_key_env: str | None = None
    concurrency: Positive = 32
    request_seconds: Seconds | None = None
    retries: Annotated[int, Field(ge=0)] = 6
    prompt_price: Price = 0.0
    output_price: Price = 0.0
    device_price: Price = 0.0

    @model_validator(mode="after")
    def _splits_over_whole_gpus(self) -> Self:
        if self.tensor_parallel > 1 and self.gpus_per_actor != self.tensor_parallel:
            raise ValueError(f"tensor_parallel {self.tensor_parallel} needs gpus_per_actor {self.tensor_parallel}")
        return self

    @property
    def devices_per_actor(self) -> float:
        """GPUs of one actor, or its cores where it has none."""
        return self.gpus_per_actor or self.cpus_per_actor


class GenerateRuntime(ModelRuntime):
    """What whatever asks a language model runs on. None of it enters a key.

    Its own fields hold for every model; `models` says what single ones have otherwise.

    Attributes:
        models: by a model's path, hub id or endpoint name, or the last part of it: the fields that it has otherwise.
        ray_address: a running cluster to use; by default Ray is started on this machine.
        max_tokens, max_cost: caps on prompt and output tokens, and on the cost at these prices, of all that one
            `assay make` or study asks; work stops there.
    """

    models: dict[str, ModelRuntime] = Field(default_factory=dict)
    ray_address: str | None = None
    max_tokens: Positive | None = None
    max_cost: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in_models(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("models"), dict):
            return given
        common = {name: value for name, value in given.items() if name in ModelRuntime.model_fields}
        models = {name: _fields(own) for name, own in given["models"].items()}
        merged = {name: common | own if isinstance(own, dict) else own for name, own in models.items()}
        return {**given, "models": merged}

    @model_validator(mode="after")
    def _can_know_its_cost(self) -> Self:
        all_models: tuple[ModelRuntime, ...] = (self, *self.models.values())
        priced = any(one.prompt_price or one.output_price or one.device_price for one in all_models)
        if self.max_cost is not None and not priced:
            raise ValueError("max_cost needs a price: prompt_price, output_price or device_price")
        return self

    def of(self, teacher: Teacher) -> GenerateRuntime:
        """Return what a model runs on: its own fields, where `models` has it by its name or the last part of it."""
        own = self.models.get(teacher.name) or self.models.get(PurePath(teacher.name).name)
        return self.model_copy(update={**(own.model_dump() if own else {}), "models": {}})

    def told(self, teacher: Teacher) -> str:
        """Say where a model answers, for people: a misspelt name in `models` is seen by it."""
        if teacher.engine == "openai":
            return f"{teacher.name} at {self.base_url}"
        each = f"{self.gpus_per_actor:g} GPU" if self.gpus_per_actor else f"{self.cpus_per_actor:g} CPU"
        return f"{teacher.name} on {self.actors} x {each}"


def _fields(given: Any) -> Any:
    """Return the fields of a model's own runtime that are given, as pydantic takes them."""
    return given.model_dump(exclude_unset=True) if isinstance(given, ModelRuntime) else given
