"""The adapter to `openai`: one request to an endpoint, and what its reply or its error means.

What an endpoint says is one of four things:

- an *answer*;
- a *refusal* of this request (400, 422, a content filter), which becomes a drop at once (`Unaskable`);
- a *failure that may pass* (429, 5xx, a lost connection, a time-out, a reply that cannot be read): repeated, backing
  off, as the endpoint's headers say where they do, and after that for the caller to ask again later (`Failed`);
- what would end *every* request so (a refused key, an unknown model, nothing at the address): an `AssayError`.

A time-out is over the whole of a request, with all that is repeated, and is not repeated itself: answers of long-winded
models take hours to ask for seven times. The key is read from the environment, and goes nowhere but to the client.

Messages go to ``chat/completions``, prompts to ``completions``. Reasoning that an endpoint returns apart from the
answer is put back before it, between ``<think>`` and ``</think>``; where it returns none, the answer stands alone.
Log-probabilities come without token ids, which the protocol has not.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from tasks.core.errors import EngineError, InfrastructureError, StudyError
from tasks.generate.config import GenerateRuntime, Sampling
from tasks.generate.prompts import Unaskable, seed_of
from tasks.generate.shards import Row

TIMED_OUT = "endpoint timed out"
_DETAIL = 300
_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 0.5, 8.0
#: Client errors that say "not now" and not "not this".
_PASSING = (408, 409, 425, 429)


class Failed(Exception):  # noqa: N818  not an error yet: the request is asked again
    """A failure that may pass. `reason` is why a row is dropped that ends so each time."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail[:_DETAIL]


class Client:
    """The client of the endpoint that a runtime names; `version` is the package's.

    Raises:
        StudyError: if no address is given, or the variable that should hold the key is empty.
    """

    def __init__(self, runtime: GenerateRuntime) -> None:
        from openai import AsyncOpenAI, Timeout, __version__

        if not runtime.base_url:
            raise StudyError("base_url: the endpoint's address is missing", remedy="such as http://127.0.0.1:8000/v1")
        key = os.environ.get(runtime.api_key_env, "") if runtime.api_key_env else "none"
        if not key:
            raise StudyError(f"api_key_env: {runtime.api_key_env} is not set", remedy="export the endpoint's key in it")
        self.version = __version__
        self._url, self._retries = runtime.base_url, runtime.retries
        self._answered = False  # anything, ever: then there is an endpoint at the address
        # The time of a request is kept in `ask`: the client would repeat a time-out in silence.
        self._client = AsyncOpenAI(
            base_url=self._url, api_key=key, timeout=Timeout(None, connect=10.0), max_retries=self._retries
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def ask(self, options: dict[str, Any], seconds: float) -> Any:
        """Return the readable reply to one request, after at most so many seconds.

        Raises:
            Unaskable: if this request is refused.
            Failed: if it fails for the time being.
            EngineError, InfrastructureError: if every request would fail so.
        """
        why = ""
        try:
            async with asyncio.timeout(seconds):
                for attempt in range(self._retries + 1):
                    reply, why = await self._once(options)
                    if not why:
                        return reply
                    pause = min(_LONGEST_RETRY_SECONDS, _RETRY_SECONDS * 2**attempt)
                    await asyncio.sleep(pause if attempt < self._retries else 0)
        except TimeoutError:
            raise Failed(TIMED_OUT, f"no answer within {seconds:,.0f} s (request_seconds)") from None
        raise Failed("endpoint garbage", f"no readable reply in {self._retries + 1} tries: {why}")

    async def _once(self, options: dict[str, Any]) -> tuple[Any, str]:
        """Return a reply, and what is wrong with it where it cannot be read."""
        import openai

        create = (self._client.chat.completions if "messages" in options else self._client.completions).create
        try:
            reply = await create(**options)
        except (openai.APIResponseValidationError, ValueError) as error:
            return None, f"it is not JSON: {error}"
        except openai.OpenAIError as error:
            self._answered |= isinstance(error, openai.APIStatusError)
            raise self._mapped(error, options["model"]) from error
        self._answered = True
        return reply, unreadable(reply)

    def _mapped(self, error: Exception, model: str) -> Exception:
        """Return an error of the client as what it means."""
        import openai

        text, status = str(error)[:_DETAIL], getattr(error, "status_code", 0)
        if status in (401, 403):
            return EngineError(f"{self._url} refuses the key: {text}", remedy="check what api_key_env names")
        if status == 402:
            return EngineError(f"{self._url} asks for payment: {text}", remedy="pay and run again: the rest is asked")
        if status == 404:
            return EngineError(
                f"{self._url} does not know {model!r}", remedy="check the model's endpoint_model, and base_url"
            )
        if isinstance(error, openai.APIConnectionError):
            why = f"cannot be reached: {error.__cause__ or error}"
            return Failed("endpoint error", f"it {why}") if self._answered else _unreachable(f"{self._url} {why}")
        if 400 <= status < 500 and status not in _PASSING:
            return Unaskable("endpoint refused", text)
        return Failed("endpoint error", text)


def _unreachable(what: str) -> InfrastructureError:
    return InfrastructureError(
        what, remedy="check base_url and that it is up; committed shards are kept, and a next run goes on from there"
    )


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


def message_text(message: Any, opening: str, finish: str) -> str:
    """Return an answer as the model wrote it, with its reasoning before it and `opening` first.

    An answer that ended, and has neither a thought nor the end of one, comes from an endpoint that keeps the reasoning
    to itself: it is whole, and no thought is opened before it.
    """
    beyond: Mapping[str, Any] = getattr(message, "model_extra", None) or {}
    answer = message.content or ""
    if thought := beyond.get("reasoning_content") or beyond.get("reasoning"):
        answer = f"<think>\n{thought.strip()}\n</think>\n\n{answer}" if answer else f"<think>\n{thought.strip()}"
    is_whole = finish == "stop" and "</think>" not in answer and "<think>" in opening
    return answer if is_whole or answer.startswith(opening) else opening + answer


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
