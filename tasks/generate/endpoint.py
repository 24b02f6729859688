"""Shards answered by an endpoint, many requests at once.

A request that fails for the time being loses its shard's attempt; the shard is asked again later, and what it was
answered is kept meanwhile, and not paid for twice. A row is set aside only where the endpoint answers others: before
the last try at it is given up, the endpoint is asked something trivial, and where it does not answer that either there
is an outage, and nothing is dropped for it. Tokens of answers that were thrown away by a kill are in no meter.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from pathlib import Path

from tasks.core.errors import AssayError, EngineError, InfrastructureError, OutageError, StudyError
from tasks.generate.config import GenerateConfig, GenerateRuntime, Sampling
from tasks.generate.engine import ANSWERS, Answered, Attempt, Lost
from tasks.generate.ledger import read_table, write_table
from tasks.generate.openai_client import TIMED_OUT, Client, Failed, logprob_columns, message_text, request_options
from tasks.generate.outcomes import drop, meters_of
from tasks.generate.prompts import Unaskable, check_asks
from tasks.generate.shards import Row

#: A shard of at least so many requests that are all refused says something about what is asked, not about them.
_ALL_IN_VAIN = 8
#: Before a lost attempt is asked again: longer each time, so that an endpoint may start anew meanwhile.
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 15.0, 240.0
#: How long the trivial request may take, behind others in the endpoint's queue.
_TRIVIAL_SECONDS = 120.0
#: A slow endpoint's tokens a second, and its time to the first one: for the time-out where none is declared.
_SLOWEST_RATE, _FIRST_TOKEN_SECONDS = 10.0, 600.0
_NOT_ASKED = "not asked"
#: How servers end an answer that they could not finish; None where they were ended themselves.
_BROKEN_OFF = ("abort", "error", None)


class Endpoint:
    """Satisfies `Engine`. Entered, it opens a client and a thread for its event loop."""

    workers = 1

    def __init__(self, config: GenerateConfig, runtime: GenerateRuntime, _scratch: Path) -> None:
        if config.sampling is None:
            raise StudyError("scoring: an endpoint does not score prompts", remedy="take engine: vllm")
        self._teacher, self._sampling, self._runtime = config.model, config.sampling, runtime
        self._seconds = request_seconds(runtime, config.sampling)
        self._events: queue.Queue[Answered | Lost | AssayError] = queue.Queue()
        self._kept: dict[int, Row] = {}  # what requests of attempts that are not done came to, by position
        self._unanswered, self._ended = 0, time.monotonic()

    @property
    def versions(self) -> dict[str, str]:
        return {"openai": self._client.version, "endpoint": str(self._runtime.base_url)}

    def __enter__(self) -> Endpoint:
        self._client = Client(self._runtime)
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
        """Answer a whole attempt, and say what came of it."""
        try:
            self._events.put(await self._tried(attempt))
        except AssayError as error:
            self._events.put(error)
        except Exception as error:
            self._events.put(EngineError(f"the endpoint's client failed: {error!r}", remedy="report this"))

    async def _tried(self, attempt: Attempt) -> Answered | Lost:
        rows = list(read_table(attempt.requests))
        to_ask = [row for row in rows if row["position"] not in self._kept]
        self._unanswered -= len(rows) - len(to_ask)
        if to_ask:
            await asyncio.sleep(pause(attempt.losses))
        began, timed_out = time.monotonic(), asyncio.Event()
        ends = await asyncio.gather(*(self._ended_in(row, timed_out) for row in to_ask))
        if failures := [failure for failure in ends if failure is not None]:
            return await self._lost(attempt, failures)
        answers = [self._kept.pop(row["position"]) for row in rows]
        self._check_not_in_vain(answers)
        now = time.monotonic()
        seconds, self._ended = now - max(began, self._ended), now  # shards overlap, and time counts once
        digest = write_table(attempt.answers, answers, ANSWERS)
        return Answered(attempt, digest, meters_of(answers, seconds))

    async def _ended_in(self, row: Row, timed_out: asyncio.Event) -> Failed | None:
        """Keep what one request comes to, or return the failure that may pass.

        Once a request of the attempt has timed out, those that still wait for their turn are not asked in this one: a
        hung endpoint would take its time over each of them.
        """
        try:
            check_asks(row)
            async with self._slots:
                if timed_out.is_set():
                    return Failed(_NOT_ASKED, "another request of its shard had timed out")
                self._kept[row["position"]] = await self._outcome(row)
        except Unaskable as why:
            self._kept[row["position"]] = drop(row, why.reason, why.detail)
        except Failed as failure:
            if failure.reason == TIMED_OUT:
                timed_out.set()
            return failure
        finally:
            self._unanswered -= 1
        return None

    async def _outcome(self, row: Row) -> Row:
        """Return the answer to one request (ANSWERS)."""
        options = request_options(self._teacher.name, self._sampling, row)
        reply = await self._client.ask(options, self._seconds)
        choice = reply.choices[0]
        if choice.finish_reason in _BROKEN_OFF:
            raise Failed("endpoint error", f"it broke the answer off with {choice.finish_reason!r}")
        if choice.finish_reason not in ("stop", "length"):
            raise Unaskable("endpoint refused", f"it ended the answer with {choice.finish_reason!r}")
        finish, opening = choice.finish_reason, self._teacher.opening
        text = choice.text if row["messages"] is None else message_text(choice.message, opening, finish)
        return {
            "position": row["position"], "row_id": row["row_id"], "sample": row["sample"], "text": text,
            "finish": finish, "prompt_tokens": reply.usage.prompt_tokens,
            "output_tokens": reply.usage.completion_tokens, **logprob_columns(choice.logprobs, self._sampling),
        }  # fmt: skip

    async def _lost(self, attempt: Attempt, failures: list[Failed]) -> Lost:
        one = next((failure for failure in failures if failure.reason != _NOT_ASKED), failures[0])
        if last := attempt.rows == 1 and attempt.losses >= self._runtime.max_requeues:
            await self._check_answers_others(next(read_table(attempt.requests)), one)
        text = f"{len(failures)} of {attempt.rows} requests failed, one with {one.reason}: {one.detail}"
        return Lost(attempt, text, begun=True, drop=one.reason, answers_others=last)

    async def _check_answers_others(self, row: Row, failure: Failed) -> None:
        """Ask something trivial, in the way in which `row` is asked; its one token is in no meter.

        Raises:
            OutageError: if that fails too. Then it was not for the row that the endpoint failed.
        """
        said = [{"role": "user", "content": "Say yes."}]
        trivial = {**row, **({"prompt": "Yes"} if row["messages"] is None else {"messages": said})}
        options = request_options(self._teacher.name, self._sampling, trivial) | {"max_tokens": 1}
        try:
            await self._client.ask(options, min(self._seconds, _TRIVIAL_SECONDS))
        except Unaskable:
            return  # a refusal is an answer
        except (Failed, InfrastructureError) as error:
            raise OutageError(
                f"{self._runtime.base_url} answers nothing any more, not even a trivial request: {failure.reason}, "
                f"{failure.detail}",
                remedy="see how it does and run again: only the rest is asked; a higher max_requeues waits for longer",
            ) from error

    def _check_not_in_vain(self, answers: list[Row]) -> None:
        """Refuse drops where the endpoint refused a whole shard.

        Raises:
            EngineError: with what it said.
        """
        refused = [row for row in answers if row.get("reason") == "endpoint refused"]
        if len(refused) >= _ALL_IN_VAIN and len(refused) == len(answers):
            raise EngineError(
                f"{self._runtime.base_url} refused all of {len(refused)} requests; the last: {refused[-1]['detail']}",
                remedy="see what it says; a sampling parameter that it does not take is refused so too",
            )


def request_seconds(runtime: GenerateRuntime, sampling: Sampling) -> float:
    """Return how long one request may take: as declared, or what a slow endpoint takes for the longest answer."""
    return runtime.request_seconds or _FIRST_TOKEN_SECONDS + sampling.max_output_tokens / _SLOWEST_RATE


def pause(losses: int) -> float:
    """Return how many seconds to wait before requests are asked that were lost so often."""
    return min(_LONGEST_PAUSE_SECONDS, _PAUSE_SECONDS * 4 ** (losses - 1)) if losses else 0.0
