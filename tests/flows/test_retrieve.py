"""Embedding and retrieval on the real engines: a tiny BERT with random weights, FAISS and bm25s.

What must be killed runs this very file as a script::

    python test_retrieve.py STORE ENCODER    embeds the pool that lies in STORE, two rows a shard
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.core.errors import EngineError, InfrastructureError, StudyError
from tasks.core.identity import Identity
from tasks.core.rows import RECORDS, write_rows
from tasks.core.store import Store
from tasks.core.vectors import vector_ids
from tasks.embed.config import EmbedConfig, EmbedRuntime
from tasks.embed.sentence_transformers import open_encoder
from tasks.embed.task import embed
from tasks.retrieve.config import (
    DenseConfig,
    HnswIndex,
    IvfIndex,
    RetrieveRuntime,
)

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("default")]

WORDS = [f"w{n}" for n in range(60)]
RUNTIME = RetrieveRuntime(threads=1)


# -- small things to embed ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    """A BERT of 30,000 random weights, saved as any Hugging Face encoder is."""
    return make_encoder(tmp_path_factory.mktemp("encoder"))


def make_encoder(folder: Path, **size) -> Path:
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    tiny = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=128, **(tiny | size))
    BertModel(config).save_pretrained(folder)
    return folder


def texts(count: int, seed: int = 0) -> list[str]:
    """Texts of 1 to 90 words, no two the same, some beyond 64 tokens."""
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, size=int(random.integers(1, 90)))) + f" w{n % 60}" for n in range(count)]


def publish_pool(store: Store, name: str, rows: list[str], columns=RECORDS):
    field = {"text": None, "messages": None} if columns is RECORDS else {"question": None, "reference": None}
    what = "text" if columns is RECORDS else "question"

    def build(draft):
        made = (
            {"row_id": f"{name}{n}", "source": name, "origin": f"{name}:{n}", **field, what: text}
            for n, text in enumerate(rows)
        )
        draft.num_rows, draft.columns = write_rows(draft.folder, made, columns), columns

    return store.produce(Identity.of("ingest", 1, {"name": name, "rows": rows}, {}), build)


def config_of(encoder: Path, **change) -> EmbedConfig:
    return EmbedConfig(path=str(encoder), max_tokens=64, **change)


# -- embed -------------------------------------------------------------------------------------------------------------


def plainly(encoder: Path, rows: list[str]) -> np.ndarray:
    """Mean-pooled vectors of length one by transformers alone, one text at a time, so without padding."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(encoder), AutoModel.from_pretrained(encoder).eval()
    vectors = []
    for text in rows:
        with torch.inference_mode():
            tokens = tokenizer(text, truncation=True, max_length=64, return_tensors="pt")
            mean = model(**tokens).last_hidden_state[0].mean(0)
        vectors.append((mean / mean.norm()).numpy())
    return np.array(vectors)


def encode(encoder: Path, rows: list[str], runtime: EmbedRuntime, **change) -> np.ndarray:
    with open_encoder(encoder, config_of(encoder, **change), runtime) as opened:
        return opened.encode(rows)


def test_vectors_are_transformers_own_whatever_the_order_and_the_batch(encoder):
    rows = texts(40)
    plain = plainly(encoder, rows)
    one = encode(encoder, rows, EmbedRuntime(batch_size=1))
    many = encode(encoder, rows, EmbedRuntime(batch_size=16))
    reversed_ = encode(encoder, rows[::-1], EmbedRuntime(batch_size=16))[::-1]
    for found in (one, many, reversed_):
        assert np.abs(found - plain).max() < 1e-5
    assert np.allclose(np.linalg.norm(many, axis=1), 1, atol=1e-6)


def test_each_declared_choice_changes_the_vectors(encoder):
    rows, runtime = texts(8), EmbedRuntime()
    base = encode(encoder, rows, runtime)
    for change in ({"pooling": "cls"}, {"prompt": "w1 w2 "}, {"dtype": "bfloat16"}):
        found = encode(encoder, rows, runtime, **change)
        assert np.abs(found - base).max() > 1e-4, change
        assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_two_processes_make_the_same_vectors(encoder):
    rows = texts(24)
    both = encode(encoder, rows, EmbedRuntime(devices=("cpu", "cpu"), batch_size=4))
    assert np.abs(both - plainly(encoder, rows)).max() < 1e-5


def test_an_encoder_with_a_broken_weight_is_an_error(encoder, tmp_path):
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(encoder)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.fill_(float("nan"))
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(encoder).save_pretrained(tmp_path)
    with pytest.raises(EngineError, match="zero or not finite"):
        encode(tmp_path, texts(3), EmbedRuntime())


def test_an_encoder_that_cannot_be_loaded_is_an_error(encoder, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    store = Store(tmp_path / "store")
    rows = publish_pool(store, "web", texts(3))
    with pytest.raises(EngineError, match="cannot be loaded"):
        embed.fn("web", config_of(tmp_path), rows, store.root)
    with pytest.raises(StudyError, match="has no config"):
        embed.fn("web", config_of(tmp_path / "nowhere"), rows, store.root)


POOL = texts(400, seed=1)


def test_a_kill_redoes_no_committed_shard(encoder, tmp_path):
    store, whole = Store(tmp_path / "killed"), Store(tmp_path / "whole")
    rows, config = publish_pool(store, "web", POOL), config_of(encoder, shard_rows=2)
    run = subprocess.Popen([sys.executable, __file__, store.root, encoder], start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(store.root.glob(".work/*/chunk-*.json"))) < 20 and run.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    scratch = next(store.root.glob(".work/embed-*"))
    committed = {path.stem.replace("chunk", "vectors") for path in scratch.glob("chunk-*.json")}
    before = {path.name: path.stat().st_ino for path in scratch.glob("vectors-*.npy") if path.stem in committed}
    assert 20 <= len(before) < 200

    ref = embed.fn("web", config, rows, store.root)
    folder = store.folder(ref)
    assert {name: (folder / name).stat().st_ino for name in before} == before
    assert store.manifest(ref).provenance["shards"] == {"embedded": 200 - len(before), "resumed": len(before)}
    assert list(vector_ids(folder)) == [f"web{n}" for n in range(400)]
    assert ref.digest == embed.fn("web", config, publish_pool(whole, "web", POOL), whole.root).digest
    assert not scratch.exists()


# -- FAISS -------------------------------------------------------------------------------------------------------------


class ArrayBase:
    """Vectors in memory, handed out in blocks of the given sizes."""

    def __init__(self, vectors: np.ndarray, cuts: list[int] | None = None) -> None:
        self.rows, self.dimension = vectors.shape
        self._blocks = np.split(vectors, sorted(cuts or []))

    def blocks(self):
        return (block for block in self._blocks if len(block))


def unit(rows: int, dimension: int, seed: int = 0, centres: int = 0) -> np.ndarray:
    """Random vectors of length one, scattered about `centres` of them where there are any."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((rows, dimension), dtype=np.float32)
    if centres:
        vectors += (
            3 * np.random.default_rng(99).standard_normal((centres, dimension))[random.integers(centres, size=rows)]
        )
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.integers(1, 300), queries=st.integers(1, 30), k=st.integers(1, 25),
    cuts=st.lists(st.integers(0, 300), max_size=6), seed=st.integers(0, 99),
)  # fmt: skip
def test_search_by_blocks_is_a_flat_index_of_the_whole(rows, queries, k, cuts, seed):
    import faiss

    from tasks.retrieve.faiss import ExactIndex

    vectors, asking = unit(rows, 16, seed), unit(queries, 16, seed + 1000)
    whole = faiss.IndexFlatIP(16)
    whole.add(vectors)
    scores, found = whole.search(asking, k)
    ours = ExactIndex(ArrayBase(vectors, [cut for cut in cuts if cut <= rows]), RUNTIME).search(asking, k)
    assert np.array_equal(ours.rows, found)
    assert np.allclose(ours.scores[found >= 0], scores[found >= 0], atol=1e-6)


@pytest.mark.parametrize("index", [IvfIndex(probes=1), HnswIndex(links=8, search_depth=8)])
def test_an_approximate_index_is_deepened_until_its_recall_is_reached(index):
    from tasks.retrieve.faiss import ExactIndex, open_index
    from tasks.retrieve.recall import recall

    base, asking = ArrayBase(unit(6000, 24, 1, centres=300), [2500]), unit(300, 24, 2, centres=300)
    found = open_index(base, asking, DenseConfig(flat_rows=100, index=index, recall_queries=100), RUNTIME)
    assert found.facts["depth"] > 1
    assert found.facts["recall"] >= 0.95
    truth = ExactIndex(base, RUNTIME).search(asking[::3], 20).rows
    assert recall(found.search(asking[::3], 20).rows, truth) == found.facts["recall"]
    assert recall(found.search(asking, 20).rows, ExactIndex(base, RUNTIME).search(asking, 20).rows) > 0.9


def test_at_all_its_cells_ivf_is_exact():
    from tasks.retrieve.faiss import ExactIndex, open_index

    base, asking = ArrayBase(unit(2000, 24)), unit(50, 24, 2)
    config = DenseConfig(flat_rows=0, index=IvfIndex(lists=20, probes=20), min_recall=1.0)
    assert np.array_equal(
        open_index(base, asking, config, RUNTIME).search(asking, 20).rows,
        ExactIndex(base, RUNTIME).search(asking, 20).rows,
    )


def test_a_graph_that_never_finds_enough_is_an_error():
    from tasks.retrieve.faiss import open_index

    index = HnswIndex(links=2, build_depth=1, search_depth=1, most_depth=2)
    with pytest.raises(EngineError, match=r"true neighbours(.|\n)*links"):
        open_index(ArrayBase(unit(4000, 24)), unit(50, 24, 2), DenseConfig(flat_rows=0, index=index), RUNTIME)


def test_threads_change_nothing():
    from tasks.retrieve.faiss import ExactIndex, build

    base, asking = ArrayBase(unit(3000, 24, 1, centres=100), [1000]), unit(100, 24, 2, centres=100)
    two = RetrieveRuntime(threads=2)
    assert np.array_equal(
        ExactIndex(base, RUNTIME).search(asking, 20).rows, ExactIndex(base, two).search(asking, 20).rows
    )
    for index in (IvfIndex(), HnswIndex()):
        one, both = (build(base, index, runtime).search(asking, 20).rows for runtime in (RUNTIME, two))
        assert np.array_equal(one, both), index.kind


@pytest.mark.parametrize("index", [IvfIndex(), HnswIndex()])
def test_an_index_beyond_the_budget_is_refused_before_it_is_built(index):
    from tasks.retrieve.faiss import open_index

    base, asking = ArrayBase(unit(5000, 64)), unit(5, 64, 2)
    tight = RetrieveRuntime(memory_bytes=3 << 20)
    with pytest.raises(InfrastructureError, match=r"MiB short(.|\n)*set `flat_rows` to 5000"):
        open_index(
            base, asking, DenseConfig(flat_rows=100, index=index), RUNTIME.model_copy(update={"memory_bytes": 9 << 20})
        )
    with pytest.raises(InfrastructureError, match="exact search for 5 queries"):
        open_index(base, asking, DenseConfig(), tight).search(asking, 20)


def test_exact_search_needs_no_room_for_the_pool(tmp_path):
    """120 MB of vectors under an address space with 100 MB to spare; a flat index of the whole dies of it."""
    vectors = tmp_path / "vectors-00000.npy"
    written = np.lib.format.open_memmap(vectors, mode="w+", dtype=np.float32, shape=(120_000, 256))
    written[:] = unit(120_000, 256)
    del written
    found = subprocess.run([sys.executable, __file__, "exact", tmp_path], capture_output=True, text=True)
    assert found.stdout.split() == ["blocks:", "0", "whole:", "out-of-memory"], found.stderr


def search_in_little_memory(folder: Path) -> None:

    pass
