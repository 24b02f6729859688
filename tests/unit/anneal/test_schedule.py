"""The learning rate, and who reads which sequences."""

import pytest

from tasks.anneal.config import AnnealConfig
from tasks.anneal.flops import active_parameters, gpu_peak, utilisation
from tasks.anneal.schedule import learning_rate_factor, positions


def rates(steps: int, **config) -> list[float]:
    return [learning_rate_factor(AnnealConfig(**config), step, steps) for step in range(steps)]


def test_it_rises_then_falls_to_zero_after_the_last_step():
    assert rates(10, warmup=0.2) == pytest.approx([0.5, 1.0, 1.0, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])
    assert learning_rate_factor(AnnealConfig(warmup=0.2), 10, 10) == 0.0


def test_without_warm_up_it_starts_at_the_peak():
    assert rates(4, warmup=0.0) == [1.0, 0.75, 0.5, 0.25]


def test_constant_stays():
    assert rates(4, warmup=0.0, schedule="constant") == [1.0] * 4


@pytest.mark.parametrize(("workers", "passes", "micro"), [(1, 1, 8), (1, 4, 2), (2, 2, 2), (4, 1, 2), (8, 1, 1)])
def test_a_step_reads_the_same_positions_however_it_is_divided(workers, passes, micro):
    for step in (0, 3):
        read = [p for rank in range(workers) for part in positions(step, passes, micro, workers, rank) for p in part]
        assert read == list(range(step * 8, step * 8 + 8))


def test_a_mixture_of_experts_counts_the_routed_share():
    counts = {"embedding": 100, "experts": 640, "other": 60}
    assert active_parameters(counts, experts=64, experts_used=6, tied=False) == 120
    assert active_parameters(counts | {"experts": 0}, experts=0, experts_used=0, tied=True) == 160


@pytest.mark.parametrize(
    ("name", "peak"),
    [("NVIDIA H100 80GB HBM3", 989e12), ("NVIDIA H100 PCIe", 756e12), ("NVIDIA A100-SXM4-80GB", 312e12)],
)
def test_known_gpus_have_their_data_sheets_peak(name, peak):
    found = gpu_peak(name)
    assert found is not None and found[0] == peak


def test_an_unknown_gpu_has_none():
    assert gpu_peak("Abacus 3000") is None


def test_utilisation_is_six_flops_a_parameter_and_token():
    assert utilisation(1000, 50.0, 600_000.0) == pytest.approx(0.5)
