"""What a candidate cost, from manifests, and what a point of it cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.spending import cost_per_point, per_point, spent
from tasks.core.costs import Spent
from tasks.core.identity import Identity
from tasks.core.results import OverallDelta
from tasks.core.store import Store


def gain(delta, half):
    return OverallDelta(
        delta=delta, low=delta - half, high=delta + half, standard_error=half / 2, degrees_of_freedom=9.0,
        benchmarks=("math",),
    )  # fmt: skip


SPENT = Spent(gpu_hours=0, core_hours=6.0, model_tokens=0, trained_tokens=3_000_000)


def test_a_gain_above_zero_has_a_price_with_both_bounds():
    found = cost_per_point("new", gain(3.0, 1.0), SPENT)
    hours, tokens = found.units
    assert (hours.unit, hours.total, hours.estimate, hours.low, hours.high) == ("core-hours", 6.0, 2.0, 1.5, 3.0)
    assert tokens.estimate == pytest.approx(1e6)
    assert "interval lies above zero" in found.sentence


def test_a_gain_that_may_be_none_has_no_upper_bound_and_says_so():
    found = cost_per_point("new", gain(0.5, 1.0), SPENT)
    assert (found.units[0].low, found.units[0].high) == (4.0, None)
    assert "no upper bound" in found.sentence and "4 core-hours at the least" in found.sentence


def test_a_loss_has_no_price_at_all():
    found = cost_per_point("new", gain(-3.0, 1.0), SPENT)
    assert (found.units[0].estimate, found.units[0].low, found.units[0].high) == (None, None, None)
    assert found.sentence.startswith("No point was gained")


@given(st.floats(-20, 20), st.floats(0.01, 10), st.floats(0.1, 1e6))
def test_the_interval_holds_exactly_the_prices_of_the_gains_it_came_from(delta, half, total):
    """Fieller's set with a known numerator: a price is in it where the gain that it belongs to is in the gain's."""
    gained = gain(delta, half)
    found = per_point("hours", total, gained)
    for share in (0.05, 0.5, 0.95):
        point = gained.low + share * (gained.high - gained.low)
        if point >= 1e-6:
            price = total / point
            assert found.low <= price * (1 + 1e-9)
            assert found.high is None or price <= found.high * (1 + 1e-9)
    assert (found.low is None) == (gained.high < 1e-6)
    assert (found.high is None) == (gained.low < 1e-6)


class Run:
    """As much of a run's record as costs are read from."""

    def __init__(self, arm, model):
        self.arm, self.model = arm, model


def test_what_was_spent_is_the_candidates_data_and_its_own_anneals(tmp_path):
    store = Store(tmp_path)

    def made(stage, name, seconds=1800.0, sources=None, **provenance):
        def build(draft):
            (draft.folder / "file").write_text(name)
            draft.seconds, draft.sources = seconds, sources or {}
            draft.provenance = {"seconds": seconds, **provenance}

        return store.produce(Identity.of(stage, 1, {"name": name}, {}), build)

    asked = {"prompt_tokens": 100, "output_tokens": 900, "device_hours": 2.0, "cost": 3.0}
    answers = made("generate", "teacher", runtime={"gpus_per_actor": 4.0}, **asked)
    vectors = made("embed", "pool", devices=["cuda:0", "cuda:1"])
    sources = {"records": answers.path, "vectors": vectors.path}
    records = made("recipe", "data", sources=sources, tokens=1000, cost=3.0)
    anneal = {"tokens": 500, "runtime": {"workers": 2, "use_gpu": False, "threads": 3}}
    runs = [Run("control", made("anneal", "c", 3600.0, **anneal))]
    runs += [Run("new", made("anneal", f"n{seed}", 1800.0, **anneal)) for seed in (1, 2)]
    record = type("Record", (), {"records": {"new": records}, "runs": runs})()
    found = spent(store, record, "new", device_price=0.5)
    assert (found.gpu_hours, found.core_hours) == (2.0 + 1.0, 6.0)
    assert (found.model_tokens, found.trained_tokens) == (1000, 1000)
    assert found.money == pytest.approx(3.0 + 0.5 * (1.0 + 6.0))
    assert spent(store, record, "new").money == pytest.approx(3.0)
