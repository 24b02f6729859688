"""The retrieved dataset, with a search that is scripted."""

import subprocess
import sys

import numpy as np
import pytest

from tasks.core.errors import DataError, IntegrityError, StudyError
from tasks.core.identity import Identity
from tasks.core.rows import MATCHED, MATCHES, QUESTIONS, RECORDS, read_rows, write_rows
from tasks.core.store import ArtifactRef, Store
from tasks.retrieve.artifact import bm25_identity, dense_identity
from tasks.retrieve.config import STAGE_VERSION, Bm25Config, DenseConfig, HnswIndex, IvfIndex, SelectConfig
from tasks.retrieve.dataset import Found, hits, matched_rows, write_dataset
from tasks.retrieve.engine import Neighbours
from tasks.retrieve.task import check_names, check_vectors, with_matches

#: Pinned beside the version: another digest without a higher STAGE_VERSION is a change nobody announced.
PINNED = (2, "cb1171c925d2e230")


def record(row_id, source, question):
    chat = [{"role": "user", "content": question}, {"role": "assistant", "content": "an answer"}]
    return {"row_id": row_id, "source": source, "origin": f"{source}:{row_id}", "text": None, "messages": chat}


@pytest.fixture
def pool(tmp_path):
    texts = {"train": ["what is 1+1", "What is  1+1", "how many", "why"], "web": ["who", "how many", "where"]}
    texts["math-test"] = ["a test item"]
    for name, questions in texts.items():
        rows = [record(f"{name}{n}", name, question) for n, question in enumerate(questions)]
        write_rows(tmp_path / name, rows, RECORDS)
    asked = {"row_id": "train0", "source": "train", "origin": "o", "question": "what is 1+1", "reference": "2"}
    write_rows(tmp_path / "queries", [asked, {**asked, "row_id": "other", "question": "when"}], QUESTIONS)
    return {name: tmp_path / name for name in texts}, tmp_path / "queries"


def find_all(positions):
    """Both queries find everything that they may, the first rows of the pool first."""
    count = len(positions)
    found = Neighbours(np.array([[*range(count), -1]] * 2), np.array([[1 - n / 10 for n in range(count + 1)]] * 2))
    return Found(hits(["train0", "other"], found, positions), {"index": "scripted"})


def publish(tmp_path, pool, config):
    store = Store(tmp_path / "store")
    ref = store.produce(
        Identity.of("retrieve", 1, config.model_dump(), {}), lambda draft: write_dataset(*pool, config, find_all, draft)
    )
    return store, ref


def test_a_dataset_with_its_matches_and_drops(tmp_path, pool):
    store, ref = publish(tmp_path, pool, SelectConfig(caps={"web": 1}))
    folder = store.folder(ref)
    assert [row["row_id"] for row in read_rows(folder)] == ["train2", "train3", "web0"]
    matches = list(read_rows(folder / "matches", MATCHES))
    assert [m["row_id"] for m in matches] == ["train2", "train2", "train3", "train3", "web0", "web0"]
    assert matches[2] == {"row_id": "train3", "query": "other", "score": 0.9, "rank": 2}
    assert {row["row_id"]: row["reason"] for row in read_rows(folder / "dropped")} == {
        "math-test0": "test split", "train0": "self", "train1": "duplicate", "web1": "duplicate",
        "web2": "over the source's cap",
    }  # fmt: skip
    manifest = store.manifest(ref)
    assert (manifest.num_rows, manifest.num_dropped) == (3, 5)
    assert manifest.provenance["rows_by_source"] == {"train": 2, "web": 1}
    assert (STAGE_VERSION, ref.digest[:16]) == PINNED


def test_what_is_left_of_a_dataset_keeps_its_matches(tmp_path, pool):
    store, found = publish(tmp_path, pool, SelectConfig(caps={"web": 1}))
    rows = [row for row in read_rows(store.folder(found), RECORDS) if row["row_id"] != "train3"]

    def build(draft):
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, RECORDS), RECORDS

    clean = store.produce(Identity.of("dedup", 1, {}, {}), build)
    made = with_matches.fn("new", clean, found, store.root)
    assert made.columns == MATCHED
    assert list(read_rows(store.folder(made), RECORDS)) == rows
    matches = {row["row_id"]: row["matches"] for row in read_rows(store.folder(made))}
    assert matches["train2"] == [{"query": q, "score": 1.0, "rank": 1} for q in ("other", "train0")]
    assert [match["rank"] for match in matches["web0"]] == [3, 3]
    assert store.manifest(made).sources == {"records": clean.path, "found": found.path}


def test_rows_in_another_order_than_their_matches_are_refused():
    matches = [{"row_id": name, "query": "q", "score": 1.0, "rank": 1} for name in "ab"]
    with pytest.raises(IntegrityError, match="a matched nothing"):
        list(matched_rows([{"row_id": "b"}, {"row_id": "a"}], matches))


def test_a_pool_of_test_splits_alone_is_an_error(tmp_path, pool):
    tables, queries = pool
    with pytest.raises(DataError, match="no row of the pool may be found"):
        publish(tmp_path, ({"math-test": tables["math-test"]}, queries), SelectConfig())


# -- identities --------------------------------------------------------------------------------------------------------


def ref(digest):
    return ArtifactRef(path=digest, digest=digest, num_rows=1)


def dense_key(config, **change):
    pool = {"pool": {"a": ref("a")}, "pool_vectors": {"a": ref("va")}}
    queries = {"queries": ref("q"), "query_vectors": ref("vq")}
    return dense_identity(config, **(pool | queries | change)).key


@pytest.mark.parametrize(
    "config",
    [
        DenseConfig(index=HnswIndex()),
        DenseConfig(index=IvfIndex(probes=8)),
        DenseConfig(flat_rows=10),
        DenseConfig(select=SelectConfig(k=5)),
        DenseConfig(select=SelectConfig(caps={"web": 1})),
    ],
)
def test_what_changes_what_is_found_changes_the_key(config):
    assert dense_key(config) != dense_key(DenseConfig())


def test_every_input_is_in_the_key():
    keys = {
        dense_key(DenseConfig()),
        dense_key(DenseConfig(), pool={"a": ref("b")}),
        dense_key(DenseConfig(), pool_vectors={"a": ref("vb")}),
        dense_key(DenseConfig(), queries=ref("p")),
        dense_key(DenseConfig(), query_vectors=ref("vp")),
        bm25_identity(Bm25Config(), {"a": ref("a")}, ref("q")).key,
    }
    assert len(keys) == 6


def vectors_of(store, rows, encoder, prompt=""):
    def build(draft):
        (draft.folder / "vectors-00000.npy").write_bytes(b"")

    config = {"pooling": "mean", "prompt": prompt}
    return store.produce(Identity.of("embed", 1, config, {"rows": rows.digest, "encoder": encoder}), build)


def test_vectors_must_be_of_their_rows_and_by_one_encoder(tmp_path):
    store = Store(tmp_path)
    own, queries = vectors_of(store, ref("a"), "bert"), vectors_of(store, ref("q"), "bert", prompt="query: ")
    check_vectors(store, [(ref("a"), own), (ref("q"), queries)])
    with pytest.raises(IntegrityError, match="are not of b"):
        check_vectors(store, [(ref("b"), own), (ref("q"), queries)])
    with pytest.raises(IntegrityError, match="different encoders"):
        check_vectors(store, [(ref("a"), own), (ref("q"), vectors_of(store, ref("q"), "roberta"))])


def test_names_that_the_pool_has_not_are_refused():
    pool, vectors = {"web": ref("a")}, {"web": ref("va")}
    check_names(pool, SelectConfig(caps={"web": 3}), vectors)
    with pytest.raises(StudyError, match=r"caps\.wbe: the pool has no such source"):
        check_names(pool, SelectConfig(caps={"wbe": 3}))
    for some in ({}, {**vectors, "books": ref("vb")}):
        with pytest.raises(StudyError, match="table or vectors, not both"):
            check_names(pool, SelectConfig(), some)


def test_no_engine_is_imported_with_the_task():
    code = (
        "import sys, tasks.retrieve.task\n"
        "print([m for m in ('faiss', 'bm25s', 'torch', 'pyarrow') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"
