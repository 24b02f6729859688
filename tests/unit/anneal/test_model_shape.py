"""A model's shape from its files: configs and headers written by hand, no weights."""

import json

import pytest

from tasks.anneal import model_shape
from tasks.anneal.model_shape import Counts, counted, read_shape

CONFIG = {
    "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 10,
    "intermediate_size": 16, "max_position_embeddings": 32,
}  # fmt: skip
TENSORS = {
    "model.embed_tokens.weight": [10, 8],
    "model.layers.0.mlp.up_proj.weight": [16, 8],
    "lm_head.weight": [10, 8],
}


def write_weights(path, tensors):
    header = json.dumps({name: {"dtype": "BF16", "shape": shape} for name, shape in tensors.items()}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"x")


@pytest.fixture
def no_meta(monkeypatch):
    """Fail where a model would be built."""
    import sys

    monkeypatch.setitem(sys.modules, "tasks.anneal.meta_model", None)


def model(folder, tensors, **changes):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    write_weights(folder / "model.safetensors", tensors)
    return folder


def test_headers_say_every_parameter(tmp_path, no_meta):
    shape = read_shape(model(tmp_path / "m", TENSORS))
    assert shape.parameters == 80 + 128 + 80
    assert shape.active_parameters == 128 + 80  # a token looks its embedding up
    assert (shape.largest_module, shape.head_width, shape.cache_width, shape.mlp_width) == (128, 8, 2 * 2 * 2, 16)


def test_tied_embeddings_count_as_the_outputs(tmp_path, no_meta):
    tied = {name: shape for name, shape in TENSORS.items() if name != "lm_head.weight"}
    shape = read_shape(model(tmp_path / "m", tied))
    assert shape.parameters == shape.active_parameters == 80 + 128


def test_of_experts_a_token_meets_a_few(tmp_path, no_meta):
    tensors = TENSORS | {f"model.layers.0.mlp.experts.{n}.up_proj.weight": [4, 8] for n in range(4)}
    shape = read_shape(model(tmp_path / "m", tensors, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=4))
    assert shape.parameters - shape.active_parameters == 80 + 2 * 32


def test_a_text_models_config_inside_another(tmp_path, no_meta):
    folder = model(tmp_path / "m", TENSORS)
    (folder / "config.json").write_text(json.dumps({"text_config": CONFIG}))
    assert read_shape(folder).layers == 2


def test_shards_are_those_of_the_index(tmp_path):
    folder = model(tmp_path / "m", TENSORS)
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    write_weights(folder / "consolidated.safetensors", {"copy": [1000]})
    index = {"weight_map": dict.fromkeys(TENSORS, "model-1.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert counted(folder) == Counts(embedding=80, experts=0, other=208, largest=128, tied=False)


@pytest.mark.parametrize("content", [b"", b"\0" * 8, (50).to_bytes(8, "little") + b"{}", b"not safetensors at all"])
def test_what_is_no_header_counts_nothing(tmp_path, content):
    folder = model(tmp_path / "m", TENSORS)
    (folder / "model.safetensors").write_bytes(content)
    assert counted(folder) is None


def test_a_missing_shard_counts_nothing(tmp_path):
    folder = model(tmp_path / "m", TENSORS)
    index = {"weight_map": {"a": "model.safetensors", "b": "gone.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert counted(folder) is None


@pytest.mark.parametrize(
    ("asked", "bits"),
    [
        (None, None),
        ({"quant_method": "fp8"}, 8),
        ({"quant_method": "gptq", "bits": 3}, 3),
        ({"quant_method": "x"}, None),
    ],
)
def test_a_quantised_weights_bits(asked, bits):
    assert model_shape._weight_bits(asked) == bits
