"""Where an encoder lies, what identifies it, and what is refused before anything is loaded."""

import json

import pytest
from pydantic import ValidationError

from tasks.core.errors import StudyError
from tasks.embed.config import EmbedConfig
from tasks.embed.encoder_files import find_encoder


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 512}))
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def declare_modules(folder, *kinds, pooling):
    modules = [{"type": f"sentence_transformers.models.{kind}", "path": f"{n}_{kind}"} for n, kind in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))


def test_a_folder_is_identified_by_its_files(folder):
    config = EmbedConfig(path=str(folder))
    first = find_encoder(config).digest
    assert find_encoder(config).digest == first
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert find_encoder(config).digest != first


def test_the_default_is_the_papers_encoder_and_a_folder_replaces_it():
    assert EmbedConfig().hub == "tbs17/MathBERT"
    with pytest.raises(ValidationError, match="either `path`, or `hub`"):
        EmbedConfig(path="here", hub="there/model")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_without_a_config_or_safe_weights_is_refused(folder, name):
    (folder / name).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(StudyError, match=r"has no (config.json|\*.safetensors)(.|\n)*save_pretrained"):
        find_encoder(EmbedConfig(path=str(folder)))


def test_more_tokens_than_positions_are_refused(folder):
    with pytest.raises(StudyError, match=r"max_tokens: 513(.|\n)*512 or fewer"):
        find_encoder(EmbedConfig(path=str(folder), max_tokens=513))


@pytest.mark.parametrize("pooling", [{"pooling_mode": "cls"}, {"pooling_mode_cls_token": True}])
def test_another_pooling_than_the_models_own_is_refused(folder, pooling):
    declare_modules(folder, "Transformer", "Pooling", "Normalize", pooling=pooling)
    assert find_encoder(EmbedConfig(path=str(folder), pooling="cls")).folder == folder
    with pytest.raises(StudyError, match="trained with cls"):
        find_encoder(EmbedConfig(path=str(folder)))


def test_a_module_that_would_be_left_out_is_refused(folder):
    declare_modules(folder, "Transformer", "Pooling", "Dense", pooling={"pooling_mode": "mean"})
    with pytest.raises(StudyError, match="ends in Dense"):
        find_encoder(EmbedConfig(path=str(folder)))


def test_a_hub_id_that_is_not_cached_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(StudyError, match=r"nobody/nothing@abc is not in the local cache(.|\n)*local folder"):
        find_encoder(EmbedConfig(hub="nobody/nothing", revision="abc"))


def test_a_hub_id_is_identified_by_the_cached_commit(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    commit = "0123456789abcdef0123456789abcdef01234567"
    model = tmp_path / "models--some--encoder"
    snapshot = model / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot / "model.safetensors").write_bytes(b"weights")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(commit)
    assert find_encoder(EmbedConfig(hub="some/encoder")).digest == commit
    assert find_encoder(EmbedConfig(hub="some/encoder", revision=commit)).folder == snapshot
