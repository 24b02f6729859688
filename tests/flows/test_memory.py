"""What a plan reckons of memory, against the libraries themselves: transformers' modules, torch's own tensors, and
DeepSpeed's published estimators. No weights are made."""

import json
from pathlib import Path

import pytest

from tasks.anneal.config import AnnealConfig, AnnealRuntime
from tasks.anneal.memory import layer_bytes, training_memory
from tasks.anneal.meta_model import build
from tasks.anneal.model_shape import counted, read_shape
from tasks.core.errors import StudyError

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore")]

MODELS = Path(__file__).parents[1] / "data" / "models"


def test_shapes_are_those_of_the_cards():
    """Qwen2.5-3B: 3.09 B parameters; QwQ-32B: 32.8 B, 31.0 B of them not embedding (their cards)."""
    small, large = read_shape(MODELS / "qwen2.5-3b"), read_shape(MODELS / "qwen2.5-32b")
    assert small.parameters == small.active_parameters == 3_085_938_688
    assert large.parameters == 32_763_876_352
    assert large.active_parameters == large.parameters - 152_064 * 5120
    assert (small.cache_width, large.cache_width) == (2 * 2 * 128, 2 * 8 * 128)
    assert (small.largest_module, large.largest_module) == (151_936 * 2048, 152_064 * 5120)


def test_headers_and_modules_count_the_same(tmp_path):
    from transformers import AutoModelForCausalLM, Qwen2Config, Qwen3MoeConfig

    sizes = {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 128,
    }  # fmt: skip
    tied, untied = (Qwen2Config(tie_word_embeddings=tie, **sizes) for tie in (True, False))
    experts = Qwen3MoeConfig(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, head_dim=16, **sizes)
    for number, config in enumerate((tied, untied, experts)):
        folder = tmp_path / str(number)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder, max_shard_size="100KB")
        shape = read_shape(folder)
        said, counts = build(folder, ("hidden_size",))
        found = counted(folder)
        assert said == {"hidden_size": 64}
        assert found.embedding + found.experts + found.other == counts.embedding + counts.experts + counts.other
        assert (found.embedding, found.experts, found.tied) == (counts.embedding, counts.experts, counts.tied)
        assert shape.parameters == found.embedding + found.experts + found.other


def test_a_mixture_of_experts_and_a_latent_cache(tmp_path):
    from transformers import DeepseekV3Config

    DeepseekV3Config(
        hidden_size=128, intermediate_size=256, moe_intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=1, vocab_size=512,
        kv_lora_rank=32, qk_rope_head_dim=16, first_k_dense_replace=1,
        n_group=1, topk_group=1,
    ).save_pretrained(tmp_path)  # fmt: skip
    shape = read_shape(tmp_path)
    assert shape.cache_width == 32 + 16
    assert shape.mlp_width >= 3 * 64
    assert shape.active_parameters < shape.parameters


def test_a_config_that_is_no_language_models(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no such thing"}))
    with pytest.raises(StudyError, match="transformers cannot build"):
        read_shape(tmp_path)


@pytest.mark.parametrize("name", ["qwen2.5-3b", "qwen2.5-32b"])
@pytest.mark.parametrize("workers", [1, 8, 64])
def test_model_states_equal_deepspeeds_estimates(name, workers):
    from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

    shape, config = read_shape(MODELS / name), AnnealConfig(global_batch=64)

    def states(**settings):
        memory = training_memory(shape, config, AnnealRuntime(workers=workers, **settings))
        return sum(memory.parts.get(part, 0) for part in ("weights", "gradients", "optimiser")), memory.host * workers

    spread = {"num_gpus_per_node": min(workers, 8), "num_nodes": max(1, workers // 8)}
    _, two = estimate_zero2_model_states_mem_needs(shape.parameters, cpu_offload=False, **spread)
    assert states(zero_stage=2)[0] == pytest.approx(two, rel=1e-6)
    _, two = estimate_zero2_model_states_mem_needs(shape.parameters, cpu_offload=True, **spread)
    assert states(zero_stage=2, offload=True)[0] == pytest.approx(two, rel=1e-6)

    three = {"largest_layer_params": shape.largest_module, "cpu_offload_params": False, **spread}
    _, device, gathered = estimate_zero3_model_states_mem_needs(shape.parameters, cpu_offload=False, **three)
    assert states(zero_stage=3)[0] == pytest.approx(device - gathered, rel=1e-6)
    three |= {"additional_buffer_factor": 1.0}
    host, device, _ = estimate_zero3_model_states_mem_needs(shape.parameters, cpu_offload=True, **three)
    ours, our_host = states(zero_stage=3, offload=True)
    assert ours == pytest.approx(device - gathered, rel=1e-6)
    assert our_host == pytest.approx(host * spread["num_nodes"], rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_layers_activations_are_what_torch_keeps(dtype, attention, tmp_path):
    """Between a model of two layers and one of four, two layers' worth of saved tensors."""
    config = AnnealConfig(sequence_length=128, dtype=dtype, attention=attention)
    two, four = (kept_bytes(tmp_path / str(layers), layers, config) for layers in (2, 4))
    shape = read_shape(tmp_path / "2")
    tokens = 2 * config.sequence_length
    assert tokens * 2 * layer_bytes(shape, config) == pytest.approx(four - two, rel=0.1)


def kept_bytes(folder, layers, config):
    """Return the bytes of what torch keeps for the backward pass, weights apart, of two sequences of two documents."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config

    written = Qwen2Config(
        hidden_size=256, intermediate_size=704, num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=512, max_position_embeddings=config.sequence_length,
    )  # fmt: skip
    written.save_pretrained(folder)
    dtype = getattr(torch, config.dtype)
    model = AutoModelForCausalLM.from_config(written, dtype=dtype, attn_implementation=config.attention)
    model.train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # held, so that no address is used twice
        return tensor

    half = torch.arange(config.sequence_length // 2)
    positions = torch.cat([half, half]).repeat(2, 1)
    ids = torch.zeros_like(positions)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(input_ids=ids, labels=ids, position_ids=positions, use_cache=False)
    return sum(size for size, _ in kept.values())
