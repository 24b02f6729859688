"""The memory of an encoder that reads a batch."""

from tasks.core.memory import ModelShape
from tasks.embed.config import EmbedConfig, EmbedRuntime
from tasks.embed.memory import encoding_memory

SHAPE = ModelShape(
    parameters=1000, active_parameters=900, largest_module=100, layers=2, hidden=8, heads=2, head_width=8,
    mlp_width=16, cache_width=4, vocabulary=512, positions=4096,
)  # fmt: skip


def parts(batch=64, **config):
    return encoding_memory(SHAPE, EmbedConfig(**config), EmbedRuntime(batch_size=batch)).parts


def test_weights_and_a_batch_at_its_longest():
    assert parts() == {"weights": 4 * 1000, "activations": 64 * 512 * 4 * (10 * 8 + 3 * 16)}
    assert parts(dtype="bfloat16")["weights"] == 2 * 1000
    assert parts(batch=1, max_tokens=8)["activations"] == 8 * 4 * (10 * 8 + 3 * 16)
