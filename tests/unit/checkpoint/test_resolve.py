"""A base model found: what of it is downloaded when, and what it must have."""

import fnmatch

import pytest

from tasks.checkpoint.config import ModelConfig
from tasks.checkpoint.resolve import fetch_weights, resolve
from tasks.core.errors import StudyError

COMMIT = "c" * 40
FILES = {
    "config.json": "{}",
    "tokenizer.json": "{}",
    "tokenizer_config.json": '{"chat_template": "own"}',
    "model.safetensors": "weights",
    "modeling.py": "code",
    "pytorch_model.bin": "code too",
}


def write(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(FILES[name])


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub whose only model has FILES; returns the folder that they are downloaded into."""
    folder, held = tmp_path / "cache", dict(FILES)

    def download(model, *, revision, allow_patterns):
        assert (model, revision) == ("owner/name", COMMIT)
        write(folder, *(name for name in held if any(fnmatch.fnmatch(name, one) for one in allow_patterns)))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    download.held, download.folder = held, folder
    return download


MODEL = ModelConfig(hub="owner/name", revision=COMMIT)


def test_a_hub_model_is_known_without_its_weights_and_they_come_into_the_same_folder(hub):
    found = resolve(MODEL)
    assert (found.folder, found.digest, found.template_text) == (hub.folder, COMMIT, "own")
    assert {path.name for path in hub.folder.iterdir()} == {"config.json", "tokenizer.json", "tokenizer_config.json"}
    fetch_weights(MODEL)
    assert {path.name for path in hub.folder.iterdir()} == {*FILES} - {"modeling.py", "pytorch_model.bin"}
    assert resolve(MODEL) == found


def test_a_hub_model_without_safetensors_is_refused_before_it_is_needed(hub):
    del hub.held["model.safetensors"]
    resolve(MODEL)
    with pytest.raises(StudyError, match=r"base\.hub: .* has no safetensors weights"):
        fetch_weights(MODEL)


def test_a_folder_has_its_weights_or_is_refused(tmp_path):
    write(tmp_path / "m", "config.json")
    model = ModelConfig(path=str(tmp_path / "m"))
    with pytest.raises(StudyError, match=r"base\.path: .* has no tokenizer, no safetensors weights"):
        resolve(model)
    write(tmp_path / "m", "tokenizer.json", "model.safetensors")
    digest = resolve(model).digest
    fetch_weights(model)
    (tmp_path / "m" / "model.safetensors").write_text("others")
    assert resolve(model).digest != digest
