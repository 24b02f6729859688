"""How fast a study's work goes: device-seconds of a token or an item, each with where the figure is from.

::

    measured     the median of earlier artifacts in the store, made from the same base model, or by the same teacher,
                 on the same kind of device
    estimated    6 N FLOPs a trained token and 2 N a token that is read or written (Kaplan et al. 2020,
                 arXiv:2001.08361, section 2.1), at an assumed share of the device's peak
    unknown      neither

A device is a GPU, or a core where there is none; of an encoder that was timed on a CPU, a process.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from flows.machine import Device, device_for
from flows.work import Work
from tasks.core.identity import canonical
from tasks.core.memory import ModelShape
from tasks.core.store import Manifest
from tasks.embed.config import EmbedConfig
from tasks.embed.encoder_files import find_encoder
from tasks.evaluate.config import BenchmarkConfig
from tasks.evaluate.suite import asked_of
from tasks.generate.artifact import teacher_digest
from tasks.generate.config import Teacher

Basis = Literal["measured", "estimated", "unknown"]
#: FLOPs a parameter and token.
TRAINING, ANSWERING = 6, 2
#: Tokens of a benchmark's few-shot prompt, and of an answer where it leaves its limit to OpenCompass; not measured.
_PROMPT, _ANSWER = 1024, 512


@dataclass(frozen=True)
class Rate:
    """Device-seconds of one unit of work; None where they are not known."""

    seconds: float | None
    basis: Basis
    source: str


@dataclass(frozen=True)
class Answered:
    """What one request to a teacher took, on the average: tokens, and seconds of an engine."""

    prompt_tokens: float
    output_tokens: float
    seconds: float


@dataclass(frozen=True)
class Rates:
    """The rates of one study's work; the store is read once for each stage."""

    work: Work
    shape: ModelShape

    @cached_property
    def training(self) -> Rate:
        """Device-seconds of a trained token."""
        wanted = canonical(self.work.study.anneal)
        speeds = []
        for manifest in self._anneals:
            facts, theirs = manifest.provenance, manifest.identity.config["config"]
            alike = all(theirs[name] == wanted[name] for name in ("sequence_length", "dtype", "attention"))
            if alike and facts["tokens"]:
                speeds.append(facts["training_seconds"] * facts["runtime"]["workers"] / facts["tokens"])
        if speeds:
            return _measured(speeds, "anneals of this base model in the store")
        return self.estimated(self.shape, self._device(gpu=self.work.runtime.anneal.use_gpu), flops=TRAINING)

    def scoring(self, benchmark: BenchmarkConfig) -> Rate:
        """Return the device-seconds of one item of a benchmark."""
        asked, models = canonical(asked_of(benchmark, self.work.study.evaluate)), {one.digest for one in self._anneals}
        speeds = [
            manifest.provenance["seconds"] / manifest.num_rows
            for manifest in self._scores
            if manifest.identity.config.get("benchmark") == asked and manifest.identity.inputs.get("model") in models
        ]
        if speeds:
            return _measured(speeds, "scores of models from this base in the store")
        token = self.estimated(self.shape, self._device(gpu=scores_on_gpu(self.work)), flops=ANSWERING)
        tokens = _PROMPT + (benchmark.max_output_tokens or _ANSWER)
        seconds = None if token.seconds is None else token.seconds * tokens
        return Rate(seconds, token.basis, f"{token.source}; {tokens:,} tokens an item")

    def answering(self, teacher: Teacher) -> Answered | None:
        """Return what a teacher's answers in the store took; None where there are none."""
        gpu, digest = self.work.runtime.generate.of(teacher).gpus_per_actor > 0, teacher_digest(teacher)
        found = [
            manifest
            for manifest in self._answers
            if manifest.identity.inputs["teacher"] == digest
            and manifest.num_rows
            and (manifest.provenance["runtime"]["gpus_per_actor"] > 0) == gpu
        ]
        if not found:
            return None
        rows = sum(manifest.num_rows for manifest in found)
        names = ("prompt_tokens", "output_tokens", "seconds")
        return Answered(*(sum(manifest.provenance[name] for manifest in found) / rows for name in names))

    def encoding(self, encoder: EmbedConfig, shape: ModelShape | None) -> Rate:
        """Return the device-seconds of a row that an encoder reads; at most, where no vectors in the store tell."""
        digest, gpu = find_encoder(encoder).digest, encodes_on_gpu(self.work)
        speeds = [
            facts["seconds"] * len(facts["devices"]) / manifest.num_rows
            for _, manifest in self.work.store.manifests("embed")
            if manifest.identity.inputs["encoder"] == digest
            and _on_gpu((facts := manifest.provenance).get("devices", ())) == gpu
            and "seconds" in facts
            and not facts["shards"]["resumed"]  # nobody timed what a kill left
        ]
        if speeds:
            counted = "" if gpu else "; on a CPU a device is a process, however many cores it takes"
            return _measured(speeds, f"tables of this encoder's vectors in the store{counted}")
        token = self.estimated(shape, self._device(gpu=gpu), flops=ANSWERING)
        seconds = None if token.seconds is None else token.seconds * encoder.max_tokens
        return Rate(seconds, token.basis, f"at most: every row of {encoder.max_tokens:,} tokens; {token.source}")

    def estimated(self, shape: ModelShape | None, device: Device, *, flops: int) -> Rate:
        """Return the device-seconds of a token that takes `flops` operations a parameter."""
        if shape is None:
            why = "this machine has no config of it that transformers makes a causal language model of"
            return Rate(None, "unknown", f"the model's size is not known: {why}")
        if device.peak is None:
            return Rate(None, "unknown", "the device's speed is not known: declare `plan.device`")
        plan = self.work.runtime.plan
        share = plan.utilisation if flops == TRAINING else plan.answering_utilisation
        source = f"{flops} N FLOPs a token at {100 * share:.0f} % of a {device.name}'s peak ({device.peak_source})"
        return Rate(flops * shape.active_parameters / (share * device.peak), "estimated", source)

    @cached_property
    def _anneals(self) -> list[Manifest]:
        """The store's anneals of this base model on this kind of device."""
        return [
            manifest
            for _, manifest in self.work.store.manifests("anneal")
            if manifest.identity.inputs.get("base") == self.work.base.digest
            and manifest.provenance["runtime"]["use_gpu"] == self.work.runtime.anneal.use_gpu
        ]

    @cached_property
    def _scores(self) -> list[Manifest]:
        """The store's scores by transformers: what vLLM answers is timed where it answers."""
        if self.work.study.evaluate.engine != "transformers":
            return []
        found = (manifest for _, manifest in self.work.store.manifests("evaluate"))
        return [one for one in found if one.identity.config.get("engine") == "transformers" and one.num_rows]

    @cached_property
    def _answers(self) -> list[Manifest]:
        return [manifest for _, manifest in self.work.store.manifests("generate")]

    def _device(self, *, gpu: bool) -> Device:
        return device_for(self.work.runtime.plan, gpu=gpu)


def scores_on_gpu(work: Work) -> bool:
    """Say whether scores are computed on a GPU; ``auto`` takes one where the study trains on one."""
    device = work.runtime.evaluate.device
    return device == "cuda" or (device == "auto" and work.runtime.anneal.use_gpu)


def encodes_on_gpu(work: Work) -> bool:
    """Say whether an encoder reads on a GPU; where no device is declared, it takes one if there is one."""
    devices = work.runtime.embed.devices
    return _on_gpu(devices) if devices else bool(device_for(work.runtime.plan, gpu=True).name)


def _on_gpu(devices: Sequence[str]) -> bool:
    return any(name.startswith("cuda") for name in devices)


def _measured(speeds: list[float], what: str) -> Rate:
    return Rate(statistics.median(speeds), "measured", f"{len(speeds)} {what}")
