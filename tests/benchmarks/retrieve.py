"""Prints how fast rows are embedded and searched beside the bare engines, in one run, and what memory that takes.

Embedding: a tiny and a BERT-base encoder, random weights, beside a plain transformers loop that takes texts as they
come, both without loading. Search: 10^5 x 768 random vectors on disk, 1,000 queries, k = 20: exact search by blocks
beside a bare flat index that holds them, IVF and HNSW beside bare FAISS with the same parameters, on vectors without
any structure (the hardest) and on clustered ones. BM25: rows/s, and the bytes a character that its budget rests on.
Seconds are this process's own CPU seconds, which a busy machine hardly changes; on one thread that is the time that it
takes. Memory is what it has for itself (RssAnon) above what it had before; a mapped file is not in it.

    python tests/benchmarks/retrieve.py [--rows 100000] [--texts 2000] [--base-texts 128] [--hnsw] [--threads 1]
"""

from __future__ import annotations

import argparse
import ctypes
import tempfile
import threading
import time
from array import array
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np

WORDS = [f"w{n}" for n in range(2000)]
DIMENSION, QUERIES, K = 768, 1000, 20


@contextmanager
def measured():
    """Yield an object that has `seconds` and `mib` (the peak above the start) when the block ends."""
    ctypes.CDLL(None).malloc_trim(0)  # what an earlier part freed must not hide what this one takes
    found, done = SimpleNamespace(), threading.Event()
    start = peak = own_kib()

    def watch():
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, own_kib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.process_time()
    yield found
    found.seconds = time.process_time() - began
    done.set()
    watcher.join()
    found.mib = (max(peak, own_kib()) - start) / 1024


def own_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1])


# -- embedding ---------------------------------------------------------------------------------------------------------


def make_encoder(folder: Path, **size) -> Path:
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(tokenizer), **size)).save_pretrained(folder)
    return folder


def texts(count: int) -> list[str]:
    """Texts whose lengths are spread as questions' are: 45 words in the middle, one in forty over 200."""
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(3.8, 0.8, size=count), 1, 500).astype(int)
    return [" ".join(random.choice(WORDS, size=length)) for length in lengths]


def plain_loop(folder: Path):
    """Return an encoder of texts in the order that they come in."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    @torch.inference_mode()
    def encode(rows: list[str], batch: int) -> np.ndarray:
        vectors = []
        for start in range(0, len(rows), batch):
            tokens = tokenizer(
                rows[start : start + batch], padding=True, truncation=True, max_length=512, return_tensors="pt"
            )
            mask = tokens["attention_mask"][:, :, None]
            mean = (model(**tokens).last_hidden_state * mask).sum(1) / mask.sum(1)
            vectors.append(torch.nn.functional.normalize(mean).numpy())
        return np.concatenate(vectors)

    return encode


def print_embedding(name: str, folder: Path, rows: list[str]) -> None:
    from tasks.embed.config import EmbedConfig, EmbedRuntime
    from tasks.embed.sentence_transformers import open_encoder

    runtime = EmbedRuntime(batch_size=64, devices=("cpu",))
    theirs = plain_loop(folder)
    with open_encoder(folder, EmbedConfig(path=str(folder)), runtime) as encoder:
        encoder.encode(rows[:64])  # warm
        with measured() as plain:
            expected = theirs(rows, 64)
        with measured() as own:
            found = encoder.encode(rows)
    print(
        f"{name:>10}: ours {len(rows) / own.seconds:7.1f} rows/s, plain loop {len(rows) / plain.seconds:7.1f}, "
        f"ratio {plain.seconds / own.seconds:.2f}; farthest apart {np.abs(found - expected).max():.1e}"
    )


# -- search ------------------------------------------------------------------------------------------------------------


def write_vectors(folder: Path, rows: int, centres: int) -> np.ndarray:
    """Write shards as `embed` does; return the queries."""
    from tasks.core.vectors import shard_name

    folder.mkdir()
    random = np.random.default_rng(0)
    about = 2 * random.standard_normal((centres, DIMENSION), dtype=np.float32) if centres else None

    def unit(count):
        vectors = random.standard_normal((count, DIMENSION), dtype=np.float32)
        if about is not None:
            vectors += about[random.integers(centres, size=count)]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    for number, start in enumerate(range(0, rows, 4096)):
        np.save(folder / shard_name(number), unit(min(4096, rows - start)))
    return unit(QUERIES)


def base_of(folder: Path, rows: int):
    from tasks.retrieve.pool import PoolVectors

    numbers = array("q", range(rows))
    return PoolVectors((folder,), numbers, numbers, DIMENSION)


def bare(index, folder: Path, queries: np.ndarray, train: bool = False):
    """Load all vectors, build the index and search: FAISS as its tutorial has it."""
    from tasks.core.vectors import vector_shards
    from tasks.retrieve.engine import Neighbours

    with measured() as found:
        vectors = np.concatenate(list(vector_shards(folder)))
        if train:
            index.train(vectors)
        index.add(vectors)
        scores, rows = index.search(queries, K)
    found.neighbours = Neighbours(rows, scores)
    return found


def print_exact(folder: Path, rows: int, queries: np.ndarray, runtime):
    import faiss

    from tasks.retrieve.faiss import ExactIndex

    bare(faiss.IndexFlatIP(DIMENSION), folder, queries[:20])  # the files are in the page cache for both
    flat = bare(faiss.IndexFlatIP(DIMENSION), folder, queries)
    with measured() as own:
        found = ExactIndex(base_of(folder, rows), runtime).search(queries, K)
    same = (found.rows == flat.neighbours.rows).mean()
    print(
        f"{'flat':>10}: {rows} rows: ours {own.seconds:6.2f} s and {own.mib:6.0f} MiB, bare {flat.seconds:6.2f} s and "
        f"{flat.mib:6.0f} MiB, ratio {flat.seconds / own.seconds:.2f}; {same:.2%} of neighbours the same"
    )
    return flat.neighbours


def print_approximate(config, data: str, folder: Path, rows: int, queries: np.ndarray, truth, runtime) -> None:
    """Print building, deepening and searching, beside bare FAISS at the depth that was found."""
    import faiss

    from tasks.retrieve.config import DenseConfig
    from tasks.retrieve.faiss import open_index
    from tasks.retrieve.memory import index_bytes
    from tasks.retrieve.recall import recall

    base, dense = base_of(folder, rows), DenseConfig(flat_rows=0, index=config)
    with measured() as own:
        index = open_index(base, queries, dense, runtime)
        found = index.search(queries, K)
    if config.kind == "ivf":
        plain = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(DIMENSION), DIMENSION, round(4 * rows**0.5), faiss.METRIC_INNER_PRODUCT
        )
        plain.nprobe = index.facts["depth"]
    else:
        plain = faiss.IndexHNSWFlat(DIMENSION, config.links, faiss.METRIC_INNER_PRODUCT)
        plain.hnsw.efSearch = index.facts["depth"]
    theirs = bare(plain, folder, queries, train=config.kind == "ivf")
    facts, bare_recall = index.facts, recall(theirs.neighbours, truth)
    budgeted = index_bytes(rows, DIMENSION, config) / 2**20
    print(
        f"{config.kind:>10}: {data}: depth {facts['depth']}, recall@{K} {facts['recall']:.3f} on a sample and "
        f"{recall(found, truth):.3f} on all (bare {bare_recall:.3f}); ours {own.seconds:6.1f} s with "
        f"measuring, bare {theirs.seconds:6.1f} s; peak {own.mib:.0f} MiB of {budgeted:.0f} budgeted"
    )


# -- words -------------------------------------------------------------------------------------------------------------


def print_bm25(folder: Path, rows: list[str], runtime) -> None:
    from tasks.core.rows import RECORDS, write_rows
    from tasks.retrieve.bm25s import open_index
    from tasks.retrieve.config import Bm25Config
    from tasks.retrieve.pool import PoolTexts

    fields = {"source": "s", "origin": "o", "messages": None}
    write_rows(folder, ({"row_id": str(n), "text": text, **fields} for n, text in enumerate(rows)), RECORDS)
    with measured() as built:
        index = open_index(PoolTexts({"s": folder}, array("q", range(len(rows)))), Bm25Config(), runtime)
    with measured() as searched:
        index.search(rows[:QUERIES], K)
    print(
        f"{'bm25':>10}: {len(rows)} rows: built {len(rows) / built.seconds:.0f} rows/s, "
        f"{built.mib * 2**20 / sum(map(len, rows)):.1f} bytes a character; {QUERIES / searched.seconds:.0f} queries/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--base-texts", type=int, default=128)
    parser.add_argument("--hnsw", action="store_true", help="minutes: its graph is built on one thread")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    import faiss
    import torch

    from tasks.retrieve.config import HnswIndex, IvfIndex, RetrieveRuntime

    runtime = RetrieveRuntime(threads=given.threads)
    torch.set_num_threads(given.threads)
    faiss.omp_set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        tiny = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
        print_embedding("tiny", make_encoder(root / "tiny", **tiny), texts(given.texts))
        print_embedding("bert-base", make_encoder(root / "base"), texts(given.base_texts))
        for rows in (given.rows // 10, given.rows):
            folder = root / f"random-{rows}"
            queries = write_vectors(folder, rows, centres=0)
            truth = print_exact(folder, rows, queries, runtime)
        indexes = [IvfIndex(), *([HnswIndex()] if given.hnsw else [])]
        for index in indexes:
            print_approximate(index, "random", folder, rows, queries, truth, runtime)
        folder = root / "clustered"
        queries = write_vectors(folder, rows, centres=1000)
        truth = print_exact(folder, rows, queries, runtime)
        for index in indexes:
            print_approximate(index, "clustered", folder, rows, queries, truth, runtime)
        print_bm25(root / "texts", texts(given.rows), runtime)


if __name__ == "__main__":
    main()
