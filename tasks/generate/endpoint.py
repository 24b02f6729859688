"""The adapter to `openai`: shards answered by any endpoint that speaks its protocol, many requests at once.

The client repeats a request after a 429, a 5xx or a lost connection, backing off, as the endpoint's headers say where
they do; a reply that cannot be read is asked for again here. What one request ends in after that is a drop with its
reason; what would end every request so (a refused key, an unknown model, no endpoint there, a whole shard in vain) is
an error. The key is read from the environment, and goes nowhere but to the client.

Messages go to ``chat/completions``, prompts to ``completions``. Reasoning that an endpoint returns apart from the
answer is put back before it, between ``<think>`` and ``</think>``. Log-probabilities come without token ids, which the
protocol has not.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.core.errors import AssayError, EngineError, InfrastructureError, StudyError
from tasks.generate.config import GenerateConfig, GenerateRuntime, Sampling
from tasks.generate.engine import ANSWERS, Answered, Attempt, Lost
from tasks.generate.ledger import read_table, write_table
from tasks.generate.outcomes import drop, meters_of
from tasks.generate.prompts import Unaskable, check_asks, seed_of
from tasks.generate.shards import Row

#: A shard of at least so many requests that all fail says something about the endpoint, not about them.
_ALL_IN_VAIN = 8
_DETAIL = 300
_RETRY_SECONDS = 0.5


class Endpoint:
    """Satisfies `Engine`. Entered, it opens a client and a thread for its event loop."""

    workers = 1

    def __init__(self, config: GenerateConfig, runtime: GenerateRuntime, _scratch: Path) -> None:
        if config.sampling is None:
            raise StudyError("scoring: an endpoint does not score prompts", remedy="take engine: vllm")
        self._teacher, self._sampling, self._runtime = config.model, config.sampling, runtime
        self._events: queue.Queue[Answered | AssayError] = queue.Queue()
        self._unanswered, self._ended = 0, time.monotonic()

    @property
    def versions(self) -> dict[str, str]:
        import openai

        return {"openai": openai.__version__, "endpoint": str(self._runtime.base_url)}

    def __enter__(self) -> Endpoint:
        self._client = open_client(self._runtime)
        self._slots = asyncio.Semaphore(self._runtime.concurrency)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="endpoint", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def room(self, left: int) -> int:  # noqa: ARG002
        return int(self._unanswered < 2 * self._runtime.concurrency)

    def give(self, attempt: Attempt) -> None:
        self._unanswered += attempt.rows
        asyncio.run_coroutine_threadsafe(self._answer(attempt), self._loop)

    def wait(self, seconds: float) -> list[Answered | Lost]:
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return []
        if isinstance(event, AssayError):
            raise event
        return [event]

    async def _close(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()

    async def _answer(self, attempt: Attempt) -> None:
        """Answer a whole attempt, and say so or what stopped it."""
        began = time.monotonic()
        try:
            answers = await asyncio.gather(*map(self._outcome, read_table(attempt.requests)))
        except AssayError as error:
            self._events.put(error)
            return
        except Exception as error:
            self._events.put(EngineError(f"the endpoint's client failed: {error!r}", remedy="report this"))
            return
        if (in_vain := _in_vain(answers, str(self._runtime.base_url))) is not None:
            self._events.put(in_vain)
            return
        now = time.monotonic()
        seconds, self._ended = now - max(began, self._ended), now  # shards overlap, and time counts once
        digest = write_table(attempt.answers, answers, ANSWERS)
        self._events.put(Answered(attempt, digest, meters_of(answers, seconds)))

    async def _outcome(self, row: Row) -> Row:
        try:
            check_asks(row)
            async with self._slots:
                return self._row(row, await self._ask(row))
        except Unaskable as why:
            return drop(row, why.reason, why.detail)
        finally:
            self._unanswered -= 1

    async def _ask(self, row: Row) -> Any:
        """Return a readable reply to one request.

        Raises:
            Unaskable: if this request ends in an error.
            EngineError, InfrastructureError: if every request would.
        """
        import openai

        options = request_options(self._teacher.name, self._sampling, row)
        create = (self._client.completions if row["messages"] is None else self._client.chat.completions).create
        why = ""
        for attempt in range(self._runtime.retries + 1):
            try:
                reply = await create(**options)
                if not (why := unreadable(reply)):
                    return reply
            except (openai.APIResponseValidationError, ValueError) as error:
                why = f"it is not JSON: {error}"
            except openai.OpenAIError as error:
                raise _mapped(error, str(self._runtime.base_url), self._teacher.name) from error
            await asyncio.sleep(min(8.0, _RETRY_SECONDS * 2**attempt) if attempt < self._runtime.retries else 0)
        raise Unaskable("endpoint garbage", f"no readable reply in {self._runtime.retries + 1} tries: {why}"[:_DETAIL])

    def _row(self, row: Row, reply: Any) -> Row:
        choice = reply.choices[0]
        if choice.finish_reason not in ("stop", "length"):
            raise Unaskable("endpoint refused", f"it ended the answer with {choice.finish_reason!r}")
        text = choice.text if row["messages"] is None else message_text(choice.message, self._teacher.opening)
        return {
            "position": row["position"], "row_id": row["row_id"], "sample": row["sample"], "text": text,
            "finish": choice.finish_reason, "prompt_tokens": reply.usage.prompt_tokens,
            "output_tokens": reply.usage.completion_tokens, **logprob_columns(choice.logprobs, self._sampling),
        }  # fmt: skip


def open_client(runtime: GenerateRuntime) -> Any:
    """Return the client of the endpoint that `runtime` names.

    Raises:
        StudyError: if no address is given, or the variable that should hold the key is empty.
    """
    from openai import AsyncOpenAI, Timeout

    if not runtime.base_url:
        raise StudyError("base_url: the endpoint's address is missing", remedy="such as http://127.0.0.1:8000/v1")
    key = os.environ.get(runtime.api_key_env, "") if runtime.api_key_env else "none"
    if not key:
        raise StudyError(f"api_key_env: {runtime.api_key_env} is not set", remedy="export the endpoint's key in it")
    timeout = Timeout(runtime.request_seconds, connect=10.0)
    return AsyncOpenAI(base_url=runtime.base_url, api_key=key, timeout=timeout, max_retries=runtime.retries)


def request_options(model: str, sampling: Sampling, row: Row) -> dict[str, Any]:
    """Return one request as the client takes it; what is not of OpenAI's own protocol only where it is asked for."""
    beyond = {"top_k": (sampling.top_k, 0), "min_p": (sampling.min_p, 0.0),
              "repetition_penalty": (sampling.repetition_penalty, 1.0)}  # fmt: skip
    options: dict[str, Any] = {
        "model": model,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_output_tokens,
        "seed": seed_of(sampling.seed, row["row_id"], row["sample"]),
        "extra_body": {name: value for name, (value, neutral) in beyond.items() if value != neutral},
    }
    if sampling.presence_penalty:
        options["presence_penalty"] = sampling.presence_penalty
    if sampling.stop:
        options["stop"] = list(sampling.stop)
    if row["messages"] is None:
        return options | {"prompt": row["prompt"], "logprobs": sampling.top_logprobs}
    if sampling.top_logprobs is not None:
        options |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
    return options | {"messages": row["messages"]}


def unreadable(reply: Any) -> str:
    """Say what is wrong with a reply, nothing where it can be read."""
    if not getattr(reply, "choices", None):
        return f"it has no choices: {str(reply)[:100]!r}"
    if getattr(reply.usage, "completion_tokens", None) is None:
        return "it does not say how many tokens were used"
    return ""


def message_text(message: Any, opening: str) -> str:
    """Return an answer as the model wrote it, with its reasoning before it and `opening` first."""
    beyond: Mapping[str, Any] = getattr(message, "model_extra", None) or {}
    answer = message.content or ""
    if thought := beyond.get("reasoning_content") or beyond.get("reasoning"):
        answer = f"<think>\n{thought.strip()}\n</think>\n\n{answer}" if answer else f"<think>\n{thought.strip()}"
    return answer if answer.startswith(opening) else opening + answer


def logprob_columns(logprobs: Any, sampling: Sampling) -> Row:
    """Return log-probabilities as columns of OUTCOMES, none where they were not asked for or not given."""
    if sampling.top_logprobs is None or logprobs is None:
        return {}
    if (content := getattr(logprobs, "content", None)) is not None:
        own = [token.logprob for token in content]
        top = [[other.logprob for other in token.top_logprobs] for token in content]
    else:
        own = list(logprobs.token_logprobs or [])
        top = [list(others.values()) for others in logprobs.top_logprobs or []]
    best = [value for values in top for value in sorted(values, reverse=True)[: sampling.top_logprobs]]
    return {"token_logprobs": own, "top_logprobs": best}


def _mapped(error: Exception, url: str, model: str) -> Exception:
    """Return an error of the client as what it means: for this request alone, or for all."""
    import openai

    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return EngineError(f"{url} refuses the key", remedy="check the variable that api_key_env names")
    if isinstance(error, openai.NotFoundError):
        return EngineError(f"{url} does not know {model!r}", remedy="check teacher.endpoint_model and base_url")
    if isinstance(error, openai.APITimeoutError):
        return Unaskable("endpoint timed out", str(error)[:_DETAIL])
    if isinstance(error, openai.APIConnectionError):
        return InfrastructureError(
            f"{url} cannot be reached: {error.__cause__ or error}",
            remedy="check base_url and that it is up; committed shards are kept, and a next run goes on from there",
        )
    if isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError):
        return Unaskable("endpoint refused", str(error)[:_DETAIL])
    return Unaskable("endpoint error", str(error)[:_DETAIL])


def _in_vain(answers: list[Row], url: str) -> AssayError | None:
    """Return an error where the endpoint answered none of a whole shard."""
    failed = [row for row in answers if str(row.get("reason", "")).startswith("endpoint")]
    if len(failed) < _ALL_IN_VAIN or len(failed) < len(answers):
        return None
    text = f"{url} answered none of {len(failed)} requests; the last: {failed[-1]['reason']}, {failed[-1]['detail']}"
    if any(row["reason"] in ("endpoint error", "endpoint timed out") for row in failed):
        return InfrastructureError(text, remedy="see how the endpoint does; committed shards are kept")
    return EngineError(text, remedy="see what it says; a sampling parameter that it does not take is refused so too")
