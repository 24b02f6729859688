"""Is each engine here, and does it work? A version, a device, a probe of about a second, and the remedy."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from flows.study import Runtime
from tasks.core.identity import Frozen

_EVAL_PROBE = (
    "import opencompass, torch, transformers; from opencompass.openicl.icl_evaluator import AccEvaluator; "
    "assert AccEvaluator().score(['4'], ['4'])['accuracy'] == 100; "
    "print(opencompass.__version__, 'cuda' if torch.cuda.is_available() else 'cpu', transformers.__version__)"
)


class Finding(Frozen):
    """What the doctor found of one engine."""

    engine: str
    works: bool
    version: str
    device: str
    seconds: float
    remedy: str


def examine(runtime: Runtime) -> Iterator[Finding]:
    """Yield what is found of each engine, one after the other."""
    set_up = "run `make setup`; it installs every engine at its locked version"
    yield _probe("torch", set_up, _torch)
    yield _probe("transformers", set_up, lambda: _tiny_transformer())
    yield _probe("deepspeed", set_up + "; it needs a C++ compiler (Debian: apt-get install g++)", _deepspeed)
    yield _probe("ray", set_up, _ray)
    yield _probe("vllm", set_up + "; with a GPU see docs/how-to/gpus.md", _vllm)
    yield _probe("math-verify", set_up, _math_verify)
    yield _probe("faiss", set_up, _faiss)
    yield _probe("prefect", set_up + "; with a server, check PREFECT_API_URL", _prefect)
    yield _probe("mlflow", set_up, _mlflow)
    python = runtime.evaluate.interpreter
    yield _probe("opencompass", f"run `make setup`; it makes {python}", lambda: _opencompass(python))


def _probe(engine: str, remedy: str, probe: Callable[[], tuple[str, str]]) -> Finding:
    """Run a probe, which returns version and device; whatever it raises is what the doctor reports."""
    started = time.monotonic()
    try:
        found, device = probe()
    except Exception as error:  # a probe may fail in any way, and that is its finding
        text = f"{type(error).__name__}: {error}".strip().splitlines()[-1][:300]
        return Finding(
            engine=engine, works=False, version="", device="", seconds=_since(started), remedy=f"{text}; {remedy}"
        )
    return Finding(engine=engine, works=True, version=found, device=device, seconds=_since(started), remedy=remedy)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 2)


def _torch() -> tuple[str, str]:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    identity = torch.eye(8, device=device)
    if not torch.equal(identity @ identity, identity):
        raise RuntimeError("a product of matrices is wrong")
    return torch.__version__, torch.cuda.get_device_name() if device == "cuda" else device


def _tiny_transformer() -> tuple[str, str]:
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=32, hidden_size=32, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1,
        intermediate_size=32,
    )  # fmt: skip
    loss = Qwen2ForCausalLM(config)(input_ids=torch.ones(1, 4, dtype=torch.long), labels=torch.ones(1, 4).long()).loss
    if not torch.isfinite(loss):
        raise RuntimeError("a forward pass gave no number")
    return version("transformers"), "cpu"


def _deepspeed() -> tuple[str, str]:
    import os
    import shutil

    import torch

    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed

    if shutil.which("g++") is None:
        raise RuntimeError("no C++ compiler for its extensions")
    return deepspeed.__version__, deepspeed.accelerator.get_accelerator().device_name()


def _ray() -> tuple[str, str]:
    import ray

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
    try:
        if ray.get(ray.remote(lambda: 6 * 7).remote(), timeout=60) != 42:
            raise RuntimeError("a remote task gave a wrong answer")
        gpus = ray.cluster_resources().get("GPU", 0)
    finally:
        ray.shutdown()
    return ray.__version__, f"{gpus:g} GPUs" if gpus else "cpu"


def _vllm() -> tuple[str, str]:
    """Import it alone: an engine takes seconds to start, and a GPU's memory."""
    import os

    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    import torch
    import vllm

    if not callable(vllm.LLM):
        raise RuntimeError("it has no offline engine")
    return vllm.__version__, "cuda" if torch.cuda.is_available() else "cpu"


def _math_verify() -> tuple[str, str]:
    from math_verify import parse, verify

    if not verify(parse(r"$\frac{1}{2}$"), parse("$0.5$")) or verify(parse("$1$"), parse("$2$")):
        raise RuntimeError("it says that 1/2 is not 0.5, or that 1 is 2")
    return version("math-verify"), "cpu"


def _faiss() -> tuple[str, str]:
    import faiss
    import numpy as np

    index = faiss.IndexFlatIP(4)
    index.add(np.eye(4, dtype=np.float32))
    if index.search(np.eye(4, dtype=np.float32), 1)[1].ravel().tolist() != [0, 1, 2, 3]:
        raise RuntimeError("a vector is not nearest to itself")
    gpus = getattr(faiss, "get_num_gpus", lambda: 0)()
    return faiss.__version__, f"{gpus} GPUs" if gpus else "cpu"


def _prefect() -> tuple[str, str]:
    import prefect
    from prefect import get_client

    with get_client(sync_client=True) as client:
        if (error := client.api_healthcheck()) is not None:
            raise error
        return prefect.__version__, str(client.api_url)


def _mlflow() -> tuple[str, str]:
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        client = mlflow.MlflowClient(f"sqlite:///{folder}/probe.db")
        run = client.create_run(client.create_experiment("probe", artifact_location=folder))
        client.log_metric(run.info.run_id, "probe", 1.0)
        if client.get_run(run.info.run_id).data.metrics != {"probe": 1.0}:
            raise RuntimeError("a metric that was logged is not there")
    return mlflow.__version__, "sqlite"


def _opencompass(python: Path) -> tuple[str, str]:
    if not python.exists():
        raise FileNotFoundError(f"{python} is not there")
    done = subprocess.run([python, "-c", _EVAL_PROBE], capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-300:])
    found, device, transformers = done.stdout.split()[-3:]
    if transformers != version("transformers"):
        raise RuntimeError(f"it has transformers {transformers}, training has {version('transformers')}")
    return found, device
