"""How far a plan's memory is from a step's real peak:  .venv/bin/python tests/benchmarks/memory.py

Trains small Qwen2 models with random weights for three steps of two micro-batches each, documents packed as an anneal
packs them, under DeepSpeed's configuration as an anneal writes it, one worker on the CPU. Every byte that torch
allocates in the last step is followed, so the peak is exact; the plan's figure is that of
`tasks.anneal.memory.training_memory`, its allowance for libraries left out. Prints a Markdown table.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from flows.record import machine  # noqa: E402
from tasks.anneal.config import AnnealConfig, AnnealRuntime  # noqa: E402
from tasks.anneal.deepspeed_config import deepspeed_config  # noqa: E402
from tasks.anneal.memory import training_memory  # noqa: E402
from tasks.anneal.model_shape import read_shape  # noqa: E402

MODELS = {
    "wide": {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 8,
             "num_key_value_heads": 2, "vocab_size": 4096},
    "many words": {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 4, "num_attention_heads": 4,
                   "num_key_value_heads": 2, "vocab_size": 32000},
}  # fmt: skip
MICRO, LENGTH = 4, 256
CASES = [
    ("wide", {"dtype": "float32", "attention": "eager"}, {"zero_stage": 0}),
    ("wide", {"dtype": "float32", "attention": "sdpa"}, {"zero_stage": 1}),
    ("wide", {"dtype": "bfloat16", "attention": "sdpa"}, {"zero_stage": 1}),
    ("wide", {"dtype": "bfloat16", "attention": "sdpa"}, {"zero_stage": 2}),
    ("wide", {"dtype": "bfloat16", "attention": "sdpa"}, {"zero_stage": 3}),
    ("wide", {"dtype": "bfloat16", "attention": "sdpa"}, {"zero_stage": 2, "gradient_checkpointing": True}),
    ("wide", {"dtype": "bfloat16", "attention": "eager"}, {"zero_stage": 2}),
    ("many words", {"dtype": "float32", "attention": "sdpa"}, {"zero_stage": 0}),
    ("many words", {"dtype": "bfloat16", "attention": "sdpa"}, {"zero_stage": 2}),
    ("many words", {"dtype": "bfloat16", "attention": "sdpa"}, {"zero_stage": 2, "gradient_checkpointing": True}),
]  # fmt: skip


def main() -> None:
    print(f"{date.today()}  {machine()}\n")
    print("| model | dtype | attention | ZeRO | checkpointing | planned MiB | real peak MiB | planned / real |")
    print("|---|---|---|---|---|---|---|---|")
    for number, (name, config, runtime) in enumerate(CASES):
        done = subprocess.run(
            [sys.executable, __file__, str(number)], capture_output=True, text=True, check=False, cwd=REPOSITORY
        )
        if done.returncode:
            sys.exit(done.stderr[-4000:])
        found = json.loads(done.stdout.splitlines()[-1])
        again = "yes" if runtime.get("gradient_checkpointing") else "no"
        print(
            f"| {name} | {config['dtype']} | {config['attention']} | {runtime['zero_stage']} | {again} | "
            f"{found['planned'] / 2**20:.0f} | {found['real'] / 2**20:.0f} | {found['planned'] / found['real']:.2f} |"
        )


def one(number: int) -> dict[str, int]:
    """Return the planned and the real peak of a case, in bytes."""
    name, identity, settings = CASES[number]
    config = AnnealConfig(global_batch=2 * MICRO, sequence_length=LENGTH, **identity)
    runtime = AnnealRuntime(micro_batch=MICRO, **settings)
    with tempfile.TemporaryDirectory() as folder:
        write_config(Path(folder), MODELS[name])
        planned = training_memory(read_shape(Path(folder)), config, runtime).device
        return {"planned": planned, "real": real_peak(Path(folder), config, runtime)}


def write_config(folder: Path, sizes: dict[str, int]) -> None:
    from transformers import Qwen2Config

    Qwen2Config(max_position_embeddings=LENGTH, tie_word_embeddings=True, **sizes).save_pretrained(folder)


def real_peak(folder: Path, config: AnnealConfig, runtime: AnnealRuntime) -> int:
    """Return the most bytes that torch holds at once in a step."""
    import deepspeed
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    os.environ |= {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29731",
    }
    deepspeed.ops.__compatible_ops__ = {}
    model = AutoModelForCausalLM.from_config(
        AutoConfig.from_pretrained(folder), dtype=getattr(torch, config.dtype), attn_implementation=config.attention
    )
    model.config.use_cache = False
    model.train()
    if runtime.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    deepspeed.init_distributed(dist_backend="gloo", verbose=False)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimiser, config=deepspeed_config(config, runtime))
    del optimiser, model
    for _ in range(2):
        step(engine)
    gc.collect()
    before = live_bytes()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as followed:
        step(engine)
    events = [e for e in followed.profiler.kineto_results.events() if e.name() == "[memory]"]
    held, most = 0, 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return before + most


def step(engine: Any) -> None:
    import torch

    half = torch.arange(LENGTH // 2)
    positions = torch.cat([half, half]).repeat(MICRO, 1)
    for _ in range(2):
        ids = torch.randint(0, engine.module.config.vocab_size, (MICRO, LENGTH))
        count = torch.tensor(2 * MICRO * LENGTH)
        loss = engine(input_ids=ids, labels=ids, position_ids=positions, num_items_in_batch=count).loss
        engine.backward(loss)
        del loss
        engine.step()


def live_bytes() -> int:
    """Return the bytes of all tensors that are alive, each storage once."""
    import torch

    storages = {}
    for thing in gc.get_objects():
        if isinstance(thing, torch.Tensor) and thing.device.type == "cpu":
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(one(int(sys.argv[1]))))
    else:
        main()
