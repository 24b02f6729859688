"""One probe an engine: it does the least that the engine is there for, and returns its version and its device.

Whatever a probe raises is what the doctor reports. Each runs in a process of its own: see `flows.doctor`.
"""

from __future__ import annotations

import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

_EVAL_PROBE = (
    "import opencompass, torch, transformers; from opencompass.openicl.icl_evaluator import AccEvaluator; "
    "assert AccEvaluator().score(['4'], ['4'])['accuracy'] == 100; "
    "print(opencompass.__version__, 'cuda' if torch.cuda.is_available() else 'cpu', transformers.__version__)"
)


class Found(NamedTuple):
    """What a probe found of an engine that works."""

    version: str
    device: str


def check_torch() -> Found:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    identity = torch.eye(8, device=device)
    if not torch.equal(identity @ identity, identity):
        raise RuntimeError("a product of matrices is wrong")
    return Found(torch.__version__, torch.cuda.get_device_name() if device == "cuda" else device)


def check_transformers() -> Found:
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=32, hidden_size=32, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1,
        intermediate_size=32,
    )  # fmt: skip
    loss = Qwen2ForCausalLM(config)(input_ids=torch.ones(1, 4, dtype=torch.long), labels=torch.ones(1, 4).long()).loss
    if not torch.isfinite(loss):
        raise RuntimeError("a forward pass gave no number")
    return Found(version("transformers"), "cpu")


def check_deepspeed() -> Found:
    import os
    import shutil

    import torch

    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed

    if shutil.which("g++") is None:
        raise RuntimeError("no C++ compiler for its extensions")
    return Found(deepspeed.__version__, deepspeed.accelerator.get_accelerator().device_name())


def check_ray() -> Found:
    import ray

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
    try:
        if ray.get(ray.remote(lambda: 6 * 7).remote()) != 42:
            raise RuntimeError("a remote task gave a wrong answer")
        gpus = ray.cluster_resources().get("GPU", 0)
    finally:
        ray.shutdown()
    return Found(ray.__version__, f"{gpus:g} GPUs" if gpus else "cpu")


def check_vllm() -> Found:
    """Import it alone: an engine takes seconds to start, and a GPU's memory."""
    import os

    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    import torch
    import vllm

    if not callable(vllm.LLM):
        raise RuntimeError("it has no offline engine")
    return Found(vllm.__version__, "cuda" if torch.cuda.is_available() else "cpu")


def check_math_verify() -> Found:
    from math_verify import parse, verify

    if not verify(parse(r"$\frac{1}{2}$"), parse("$0.5$")) or verify(parse("$1$"), parse("$2$")):
        raise RuntimeError("it says that 1/2 is not 0.5, or that 1 is 2")
    return Found(version("math-verify"), "cpu")


def check_faiss() -> Found:
    import faiss
    import numpy as np

    index = faiss.IndexFlatIP(4)
    index.add(np.eye(4, dtype=np.float32))
    if index.search(np.eye(4, dtype=np.float32), 1)[1].ravel().tolist() != [0, 1, 2, 3]:
        raise RuntimeError("a vector is not nearest to itself")
    gpus = getattr(faiss, "get_num_gpus", lambda: 0)()
    return Found(faiss.__version__, f"{gpus} GPUs" if gpus else "cpu")


def check_datasets() -> Found:
    import datasets

    if datasets.Dataset.from_dict({"text": ["a row"]})[0] != {"text": "a row"}:
        raise RuntimeError("a row that was put in is not there")
    return Found(datasets.__version__, "cpu")


def check_openai() -> Found:
    """Make a client alone: which endpoint a teacher has, and what it costs to ask, is a recipe's matter."""
    import openai

    client = openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9/v1")
    if not callable(client.chat.completions.create):
        raise RuntimeError("its client has no chat completions")
    return Found(openai.__version__, "an endpoint")


def check_rensa() -> Found:
    from rensa import RMinHash

    one, same = (RMinHash(num_perm=16, seed=1) for _ in range(2))
    for signature in (one, same):
        signature.update(["some", "words"])
    if one.jaccard(same) != 1:
        raise RuntimeError("a set of words is not like itself")
    return Found(version("rensa"), "cpu")


def check_sentence_transformers() -> Found:
    import torch
    from sentence_transformers import __version__
    from sentence_transformers.sentence_transformer.modules import Pooling

    tokens = {"token_embeddings": torch.tensor([[[0.0], [2.0]]]), "attention_mask": torch.ones(1, 2, dtype=torch.long)}
    if Pooling(1, pooling_mode="mean")(tokens)["sentence_embedding"].tolist() != [[1.0]]:
        raise RuntimeError("the mean of two vectors is wrong")
    return Found(__version__, "cuda" if torch.cuda.is_available() else "cpu")


def check_bm25s() -> Found:
    import bm25s

    index = bm25s.BM25(backend="numpy")
    index.index(bm25s.tokenize(["a hen lays eggs", "a train leaves"], show_progress=False), show_progress=False)
    found, _ = index.retrieve(bm25s.tokenize(["train"], show_progress=False), k=1, show_progress=False)
    if found.tolist() != [[1]]:
        raise RuntimeError("the text with the word is not the nearest")
    return Found(bm25s.__version__, "cpu")


def check_prefect() -> Found:
    import prefect
    from prefect import get_client

    with get_client(sync_client=True) as client:
        if (error := client.api_healthcheck()) is not None:
            raise error
        return Found(prefect.__version__, str(client.api_url))


def check_mlflow() -> Found:
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        client = mlflow.MlflowClient(f"sqlite:///{folder}/probe.db")
        run = client.create_run(client.create_experiment("probe", artifact_location=folder))
        client.log_metric(run.info.run_id, "probe", 1.0)
        if client.get_run(run.info.run_id).data.metrics != {"probe": 1.0}:
            raise RuntimeError("a metric that was logged is not there")
    return Found(mlflow.__version__, "sqlite")


def check_opencompass(python: Path) -> Found:
    if not python.exists():
        raise FileNotFoundError(f"{python} is not there")
    done = subprocess.run([python, "-c", _EVAL_PROBE], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-300:])
    found, device, transformers = done.stdout.split()[-3:]
    if transformers != version("transformers"):
        raise RuntimeError(f"it has transformers {transformers}, training has {version('transformers')}")
    return Found(found, device)
