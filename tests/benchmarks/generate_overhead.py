"""What the generate stage itself takes of a request: all of `answer`, with an engine that answers at once.

    .venv/bin/python tests/benchmarks/generate_overhead.py [--requests 5000] [--rounds 5] [--shard-rows 256]

The engine stands where vLLM's `LLMEngine` does, inside the adapter, so the actor's own work is all in it: reading,
tokenising, parameters and seeds, outcomes, writing. What vLLM and Ray take is not. Everything runs in one process, one
attempt after another; its CPU time is split into the driver's and the actor's, and tokenising told apart. Printed is
the best of all rounds: whatever else a machine does makes them slower, and never faster.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from types import SimpleNamespace

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))
from tests.benchmarks.generate_throughput import CONTEXT, WORKLOADS, make_teacher, prompt  # noqa: E402

ANSWER = "The answer is 42, since"


class AtOnce:
    """Answers every request in the next step; satisfies what `Stream` uses of an `LLMEngine`."""

    def __init__(self) -> None:
        self.waiting: list[SimpleNamespace] = []
        said = SimpleNamespace(text=ANSWER, finish_reason="stop", token_ids=list(range(8)), logprobs=None)
        self.outputs = [said]

    def add_request(self, name, prompt, _) -> None:
        tokens = prompt["prompt_token_ids"]
        self.waiting.append(
            SimpleNamespace(request_id=name, finished=True, prompt_token_ids=tokens, outputs=self.outputs)
        )

    def step(self) -> list[SimpleNamespace]:
        done, self.waiting = self.waiting, []
        return done


class OneActor:
    """Satisfies the stage's `Engine`: one adapter, asked in this process. `seconds` are its CPU seconds."""

    workers = 1
    versions = {"at once": "1"}  # noqa: RUF012

    def __init__(self, adapter, config) -> None:
        self.adapter, self.how, self.given, self.seconds = adapter, config.sampling, deque(), 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None: ...

    def room(self, _) -> int:
        return 2 - len(self.given)

    def give(self, attempt) -> None:
        self.given.append(attempt)

    def wait(self, _) -> list:
        began = time.process_time()
        answered = self.adapter.answer(self.given.popleft(), self.how)
        self.seconds += time.process_time() - began
        return [answered]


def make_adapter(teacher: Path):
    """Return the adapter to vLLM with its tokenizer, and `AtOnce` in place of the engine."""
    from transformers import AutoTokenizer

    from tasks.generate.config import Teacher
    from tasks.generate.vllm_engine import Placement, VllmEngine
    from tasks.generate.vllm_stream import Stream

    adapter = VllmEngine(Teacher(path=str(teacher)), Placement(False, 1, 0.1))
    adapter._tokenizer, adapter._context = Timed(AutoTokenizer.from_pretrained(teacher)), CONTEXT
    adapter._stream = Stream(AtOnce(), adapter._count)
    return adapter


class Timed:
    """A tokenizer, and the CPU seconds that it took."""

    def __init__(self, tokenizer) -> None:
        self.tokenizer, self.seconds, self.chat_template = tokenizer, 0.0, tokenizer.chat_template

    def __call__(self, *given, **options):
        return self._took(self.tokenizer, *given, **options)

    def apply_chat_template(self, *given, **options):
        return self._took(self.tokenizer.apply_chat_template, *given, **options)

    def _took(self, method, *given, **options):
        began = time.thread_time()
        made = method(*given, **options)
        self.seconds += time.thread_time() - began
        return made


def measure(adapter, teacher: Path, given: argparse.Namespace, kind: str) -> tuple[float, ...]:
    """Return microseconds of a request: by the clock; and of CPU, the driver's, the tokenizer's, the actor's other."""
    from tasks.core.identity import Identity
    from tasks.core.rows import REQUESTS, write_rows
    from tasks.core.store import Store
    from tasks.generate.answer import answer
    from tasks.generate.config import GenerateConfig, GenerateRuntime

    def row(number: int) -> dict:
        said = {"prompt": prompt(number), "messages": None}
        if kind == "messages":
            said = {"prompt": None, "messages": [{"role": "user", "content": prompt(number)}]}
        return {"row_id": f"q{number}", "sample": 0, **said}

    def publish(draft) -> None:
        draft.num_rows = write_rows(draft.folder, map(row, range(given.requests)), REQUESTS)

    config = GenerateConfig(
        model={"path": str(teacher), "dtype": "float32"}, sampling=WORKLOADS["varied"], shard_rows=given.shard_rows
    )
    engine = OneActor(adapter, config)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        asked = store.produce(Identity.of("prompt", 1, {"requests": given.requests}, {}), publish)
        adapter._tokenizer.seconds = 0.0
        wall, cpu = time.perf_counter(), time.process_time()
        answer("benchmark", config, asked, GenerateRuntime(), store, report=lambda _: None,
               open_engine=lambda *_: engine)  # fmt: skip
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    tokenising = adapter._tokenizer.seconds
    parts = (wall, cpu - engine.seconds, tokenising, engine.seconds - tokenising)
    return tuple(1e6 * seconds / given.requests for seconds in parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shard-rows", type=int, default=256)
    given = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}  # as in an actor
    print("| requests as | requests/s | driver, CPU us a request | tokenising | actor's rest |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        teacher = make_teacher(Path(folder))
        adapter = make_adapter(teacher)
        for kind in ("prompts", "messages"):
            measure(adapter, teacher, given, kind)  # imports, and the tokenizer's own caches
            rounds = [measure(adapter, teacher, given, kind) for _ in range(given.rounds)]
            wall, driver, tokenising, other = map(min, zip(*rounds, strict=True))
            print(f"| {kind} | {1e6 / wall:,.0f} | {driver:.0f} | {tokenising:.0f} | {other:.0f} |", flush=True)


if __name__ == "__main__":
    main()
