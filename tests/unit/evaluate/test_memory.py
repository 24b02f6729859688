"""The memory of a driver that scores a model."""

from tasks.core.memory import ModelShape
from tasks.evaluate.config import EvaluateConfig, EvaluateRuntime
from tasks.evaluate.memory import scoring_memory

SHAPE = ModelShape(
    parameters=1000, active_parameters=900, largest_module=100, layers=2, hidden=8, heads=2, head_width=8,
    mlp_width=16, cache_width=4, vocabulary=512, positions=4096,
)  # fmt: skip


def parts(gpu=True, longest=None, **config):
    memory = scoring_memory(SHAPE, EvaluateConfig(**config), EvaluateRuntime(batch_size=64), longest=longest, gpu=gpu)
    return memory.parts


def test_weights_and_a_batch_at_its_longest():
    assert parts()["weights"] == 4 * 1000
    assert parts(longest=1000)["cache"] == 64 * (1024 + 1000) * 2 * 4 * 4
    assert parts(dtype="bfloat16")["weights"] == 2 * 1000


def test_no_answer_outgrows_the_context():
    assert parts(longest=100_000)["cache"] == 64 * 4096 * 2 * 4 * 4
    assert parts(longest=100_000, max_context=512)["cache"] == 64 * 512 * 2 * 4 * 4


def test_logits_are_computed_a_gigabyte_at_a_time_and_fewer_on_a_cpu():
    assert parts()["logits"] == 3 * 2**30
    assert parts(gpu=False)["logits"] == 3 * 4 * 2048 * 512
