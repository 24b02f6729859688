"""Embedding and retrieval on the real engines: a tiny BERT with random weights, FAISS and bm25s.

What must be killed or confined runs this very file as a script::

    python test_retrieve.py STORE ENCODER    embeds a pool, two rows a shard
    python test_retrieve.py search FOLDER    searches vectors with little memory
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from array import array
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.core.errors import EngineError, InfrastructureError, StudyError
from tasks.core.identity import Identity
from tasks.core.rows import MATCHES, QUESTIONS, RECORDS, read_rows, write_rows
from tasks.core.store import Store
from tasks.core.vectors import shard_name, vector_ids, vector_shards
from tasks.embed.config import EmbedConfig, EmbedRuntime
from tasks.embed.sentence_transformers import open_encoder
from tasks.embed.task import embed
from tasks.retrieve.config import Bm25Config, DenseConfig, HnswIndex, IvfIndex, RetrieveRuntime, SelectConfig
from tasks.retrieve.pool import PoolVectors
from tasks.retrieve.task import retrieve, retrieve_bm25

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


def test_two_processes_make_the_same_vectors_and_their_death_is_an_error(encoder):
    rows = texts(24)
    runtime = EmbedRuntime(devices=("cpu", "cpu"), batch_size=4)
    with open_encoder(encoder, config_of(encoder), runtime) as opened:
        assert np.abs(opened.encode(rows) - plainly(encoder, rows)).max() < 1e-5
        for process in opened._pool["processes"]:
            os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(InfrastructureError, match=r"processes died \(exit codes \[-9"):
            opened.encode(rows)


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
    shutil.copytree(encoder, tmp_path, dirs_exist_ok=True)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
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
    deadline = time.monotonic() + 300
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
    exact = ExactIndex(base, RUNTIME)
    assert recall(found.search(asking[::3], 20), exact.search(asking[::3], 20)) == found.facts["recall"]
    assert recall(found.search(asking, 20), exact.search(asking, 20)) > 0.9


def test_a_pool_of_copies_is_found_as_well_as_any():
    from tasks.retrieve.faiss import open_index

    copies = ArrayBase(np.repeat(unit(40, 24), 60, axis=0))
    config = DenseConfig(flat_rows=0, index=IvfIndex(lists=8, probes=8), min_recall=1.0)
    assert open_index(copies, unit(50, 24, 2), config, RUNTIME).facts["recall"] == 1.0


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
        open_index(base, asking, DenseConfig(flat_rows=100, index=index), tight)
    with pytest.raises(InfrastructureError, match="exact search for 5 queries"):
        open_index(base, asking, DenseConfig(), tight).search(asking, 20)


def test_exact_search_needs_no_room_for_the_pool(tmp_path):
    """120 MB of vectors in an address space with 80 MB to spare; a flat index of the whole dies of it."""
    for number, shard in enumerate(np.split(unit(120_000, 256), 30)):
        np.save(tmp_path / shard_name(number), shard)
    run = subprocess.run([sys.executable, __file__, "search", tmp_path], capture_output=True, text=True, timeout=300)
    assert run.stdout.splitlines() == ["by blocks: row 7", "whole: out of memory"], run.stderr


def search_in_little_memory(folder: Path) -> None:
    import faiss
    import psutil

    from tasks.retrieve.faiss import ExactIndex

    rows = array("q", range(120_000))
    base, asking = PoolVectors((folder,), rows, rows, 256), np.load(folder / shard_name(0))[7:8]
    ExactIndex(ArrayBase(unit(10, 256)), RUNTIME).search(asking, 1)  # BLAS takes its buffers
    limit = psutil.Process().memory_info().vms + (80 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print("by blocks: row", ExactIndex(base, RUNTIME).search(asking, 1).rows[0, 0])
    whole = faiss.IndexFlatIP(256)
    try:
        for block in base.blocks():
            whole.add(block)
    except MemoryError:
        print("whole: out of memory")


# -- the whole tasks ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def embedded(encoder, tmp_path_factory):
    """A store with a pool of three tables and their vectors, and six questions, three of which lie in the pool."""
    store, config = Store(tmp_path_factory.mktemp("store")), config_of(encoder, shard_rows=16)
    web, books = texts(60, seed=3), texts(30, seed=4)
    tables = {"web": web, "books": [*books, web[5], web[6].upper()], "math-test": texts(9, seed=5)}
    asked = [web[0], web[1].upper(), books[2], *(f"{text} w1 w2" for text in web[10:13])]
    pool = {name: publish_pool(store, name, rows) for name, rows in tables.items()}
    queries = publish_pool(store, "asked", asked, QUESTIONS)
    vectors = {name: embed.fn(name, config, ref, store.root) for name, ref in pool.items()}
    return store, pool, vectors, queries, embed.fn("asked", config, queries, store.root)


def test_the_dataset_is_what_a_plain_search_finds(embedded):
    store, pool, vectors, queries, asking = embedded
    config = DenseConfig(select=SelectConfig(k=5))
    ref = retrieve.fn("math-retrieval", config, pool, vectors, queries, asking, store.root, RUNTIME)
    dropped = {row["row_id"]: row["reason"] for row in read_rows(store.folder(ref) / "dropped")}
    barred = {"web0", "web1", "books2"}
    assert {row_id for row_id, why in dropped.items() if why == "test split"} == {f"math-test{n}" for n in range(9)}
    assert {row_id: dropped[row_id] for row_id in barred} == dict.fromkeys(barred, "duplicate")

    ids = [row_id for name in ("books", "web") for row_id in vector_ids(store.folder(vectors[name]))]
    matrix = np.concatenate([s for name in ("books", "web") for s in vector_shards(store.folder(vectors[name]))])
    scores = np.concatenate(list(vector_shards(store.folder(asking)))) @ matrix.T
    scores[:, [ids.index(row_id) for row_id in barred]] = -2
    best = {(f"asked{q}", ids[r]): float(scores[q, r]) for q in range(6) for r in np.argsort(-scores[q])[:5]}
    twins = {"web5", "web6", "books30", "books31"}
    found = {(m["query"], m["row_id"]): m["score"] for m in read_rows(store.folder(ref) / "matches", MATCHES)}
    assert {pair for pair in found if pair[1] not in twins} == {pair for pair in best if pair[1] not in twins}
    assert all(abs(found[pair] - best[pair]) < 1e-5 for pair in found)
    assert {row["row_id"] for row in read_rows(store.folder(ref))} == {row_id for _, row_id in found}
    assert store.manifest(ref).provenance["index"]["index"] == "flat"


def test_the_order_of_the_pool_and_the_runtime_are_not_in_the_key(embedded):
    store, pool, vectors, queries, asking = embedded
    one = retrieve.fn("a", DenseConfig(), pool, vectors, queries, asking, store.root, RUNTIME)
    turned, two = dict(reversed(pool.items())), RetrieveRuntime(threads=2)
    assert retrieve.fn("b", DenseConfig(), turned, vectors, queries, asking, store.root, two) == one


def test_an_approximate_index_says_its_recall_in_the_manifest(embedded):
    store, pool, vectors, queries, asking = embedded
    config = DenseConfig(select=SelectConfig(k=5), flat_rows=10, index=IvfIndex(lists=4, probes=1))
    ref = retrieve.fn("ivf", config, pool, vectors, queries, asking, store.root, RUNTIME)
    facts = store.manifest(ref).provenance["index"]
    assert facts["index"] == "ivf"
    assert facts["recall"] >= 0.95


def test_words_find_neither_queries_nor_test_splits(embedded):
    store, pool, _, queries, _ = embedded
    ref = retrieve_bm25.fn("by words", Bm25Config(select=SelectConfig(k=3)), pool, queries, store.root, RUNTIME)
    matches = list(read_rows(store.folder(ref) / "matches", MATCHES))
    assert {m["query"] for m in matches} == {f"asked{n}" for n in range(6)}
    assert all(m["score"] > 0 and 1 <= m["rank"] <= 3 for m in matches)
    assert not {"web0", "web1", "books2"} & {m["row_id"] for m in matches}
    assert not [m["row_id"] for m in matches if m["row_id"].startswith("math-test")]


def test_bm25_scores_are_lucenes(tmp_path):
    """By hand: idf ln(1 + (N - n + 0.5) / (n + 0.5)), tf f / (f + k1 (1 - b + b L / mean L))."""
    store = Store(tmp_path)
    rows = ["x squared plus one", "x minus two x", "nothing alike", "y squared"]
    pool, queries = {"web": publish_pool(store, "web", rows)}, publish_pool(store, "asked", ["X 2", "zzz"], QUESTIONS)
    ref = retrieve_bm25.fn("by words", Bm25Config(), pool, queries, store.root)
    found = {m["row_id"]: m["score"] for m in read_rows(store.folder(ref) / "matches", MATCHES)}
    idf, mean = np.log(1 + (4 - 2 + 0.5) / (2 + 0.5)), (4 + 4 + 2 + 2) / 4
    frequencies = {"web0": 1, "web1": 2}
    by_hand = {name: idf * f / (f + 1.5 * (0.25 + 0.75 * 4 / mean)) for name, f in frequencies.items()}
    assert found == pytest.approx(by_hand, abs=1e-5)


def test_bm25_beyond_its_budget_is_refused(embedded):
    store, pool, _, queries, _ = embedded
    with pytest.raises(InfrastructureError, match=r"a BM25 index of \d+ texts needs .* short"):
        retrieve_bm25.fn("x", Bm25Config(k1=1), pool, queries, store.root, RetrieveRuntime(memory_bytes=1000))


if __name__ == "__main__":
    if sys.argv[1] == "search":
        search_in_little_memory(Path(sys.argv[2]))
    else:
        store = Store(Path(sys.argv[1]))
        embed.fn("web", config_of(Path(sys.argv[2]), shard_rows=2), publish_pool(store, "web", POOL), store.root)
