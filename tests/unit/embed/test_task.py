"""The artifact that a table's vectors become, with an encoder that counts."""

import subprocess
import sys

import numpy as np
import pytest

from tasks.core.errors import DataError
from tasks.core.identity import Identity
from tasks.core.rows import QUESTIONS, RECORDS, read_rows, write_rows
from tasks.core.store import Store
from tasks.core.vectors import vector_ids, vector_shards
from tasks.embed.artifact import embed_identity
from tasks.embed.config import STAGE_VERSION, EmbedConfig
from tasks.embed.task import write_vectors

#: Pinned beside the version: another digest without a higher STAGE_VERSION is a change nobody announced.
PINNED = (1, "230abdd2c988209e")

CONFIG = EmbedConfig(path="scripted", shard_rows=2)


class ScriptedEncoder:
    """Points each text where its length says; fails once it has had `fail_after` texts."""

    def __init__(self, fail_after=None):
        self.texts, self.fail_after = [], fail_after

    def encode(self, texts):
        if self.fail_after is not None and len(self.texts) >= self.fail_after:
            raise KeyboardInterrupt
        self.texts += texts
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)


def question(number, text):
    return {"row_id": f"q{number}", "source": "s", "origin": f"f:{number}", "question": text, "reference": None}


@pytest.fixture
def table(tmp_path):
    texts = ["one", " ", "three", "fourth", "5"]
    write_rows(tmp_path / "table", [question(n, text) for n, text in enumerate(texts)], QUESTIONS)
    return tmp_path / "table"


def publish(store, table, encoder, config=CONFIG):
    return store.produce(
        Identity.of("embed", 1, config.model_dump(), {"rows": "r"}),
        lambda draft: write_vectors(table, config, encoder, draft),
    )


def test_vectors_lie_beside_their_rows_ids(tmp_path, table):
    store = Store(tmp_path / "store")
    ref = publish(store, table, ScriptedEncoder())
    folder = store.folder(ref)
    assert list(vector_ids(folder)) == ["q0", "q2", "q3", "q4"]
    shards = list(vector_shards(folder))
    assert [shard.shape for shard in shards] == [(2, 2), (2, 2)]
    assert np.concatenate(shards)[:, 0].tolist() == [3, 5, 6, 1]
    assert [row["reason"] for row in read_rows(folder / "dropped")] == ["no text"]
    assert (ref.num_rows, store.manifest(ref).num_dropped) == (4, 1)
    assert (STAGE_VERSION, ref.digest[:16]) == PINNED


def test_only_what_was_not_committed_is_embedded_again(tmp_path, table):
    store, whole = Store(tmp_path / "store"), Store(tmp_path / "whole")
    first, second = ScriptedEncoder(fail_after=2), ScriptedEncoder()
    with pytest.raises(KeyboardInterrupt):
        publish(store, table, first)
    ref = publish(store, table, second)
    assert (first.texts, second.texts) == (["one", "three"], ["fourth", "5"])
    assert store.manifest(ref).provenance["shards"] == {"embedded": 1, "resumed": 1}
    assert ref.digest == publish(whole, table, ScriptedEncoder()).digest


def test_what_was_committed_before_counts_as_done(tmp_path, table):
    store, seen = Store(tmp_path / "store"), []
    with pytest.raises(KeyboardInterrupt):
        publish(store, table, ScriptedEncoder(fail_after=2))
    store.produce(
        Identity.of("embed", 1, CONFIG.model_dump(), {"rows": "r"}),
        lambda draft: write_vectors(table, CONFIG, ScriptedEncoder(), draft, seen.append),
    )
    assert seen == [2, 4]


def test_half_precision_is_stored_as_such(tmp_path, table):
    store = Store(tmp_path / "store")
    ref = publish(store, table, ScriptedEncoder(), CONFIG.model_copy(update={"stored": "float16"}))
    assert {shard.dtype for shard in vector_shards(store.folder(ref))} == {np.dtype("float16")}


def test_a_chat_is_embedded_by_what_was_asked(tmp_path):
    chat = [{"role": "user", "content": "why"}, {"role": "assistant", "content": "because"}]
    rows = [
        {"row_id": "a", "source": "s", "origin": "o", "text": None, "messages": chat},
        {"row_id": "b", "source": "s", "origin": "o", "text": "plain", "messages": None},
    ]
    write_rows(tmp_path / "table", rows, RECORDS)
    encoder = ScriptedEncoder()
    publish(Store(tmp_path / "store"), tmp_path / "table", encoder)
    assert encoder.texts == ["why", "plain"]


def test_an_empty_table_is_an_error(tmp_path):
    write_rows(tmp_path / "table", [question(0, "")], QUESTIONS)
    with pytest.raises(DataError, match="nothing to embed"):
        publish(Store(tmp_path / "store"), tmp_path / "table", ScriptedEncoder())


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"path": "elsewhere"}, True),
        ({"pooling": "cls"}, False),
        ({"max_tokens": 64}, False),
        ({"prompt": "query: "}, False),
        ({"dtype": "bfloat16"}, False),
        ({"stored": "float16"}, False),
    ],
)
def test_what_changes_a_vector_changes_the_key(tmp_path, table, change, same):
    rows = publish(Store(tmp_path / "store"), table, ScriptedEncoder())
    base = embed_identity(EmbedConfig(path="here"), rows, "encoder").key
    assert (embed_identity(EmbedConfig(**{"path": "here", **change}), rows, "encoder").key == base) is same
    assert embed_identity(EmbedConfig(path="here"), rows, "another").key != base


def test_no_engine_is_imported_with_the_task():
    code = (
        "import sys, tasks.embed.task\n"
        "print([m for m in ('torch', 'transformers', 'sentence_transformers', 'huggingface_hub')"
        " if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"
