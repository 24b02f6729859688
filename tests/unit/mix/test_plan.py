from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import StudyError
from tasks.mix.config import CandidateShare, PackSize, PlanConfig
from tasks.mix.plan import apportion, candidate_sequences, check_epochs, draw, shares, smallest_share


def size(sequences, samples_each=4):
    return PackSize(
        sequences=sequences,
        samples=sequences * samples_each,
        tokens=sequences * 100,
        supervised_tokens=sequences * 60,
    )


PACKS = {"math": size(50), "text": size(20, 1), "new": size(11, 2), "other": size(7)}


def config(seed=1, candidate=None, share=0.2, unit="tokens", sequences=100):
    chosen = CandidateShare(name=candidate, share=share, unit=unit) if candidate else None
    return PlanConfig(weights={"math": 3, "text": 1}, sequences=sequences, seed=seed, candidate=chosen)


@given(seed=st.integers(0, 50), share=st.floats(0.01, 0.9), candidate=st.sampled_from(["new", "other"]))
def test_a_candidate_replaces_its_share_and_touches_nothing_else(seed, share, candidate):
    control, arm = draw(config(seed), PACKS), draw(config(seed, candidate, share), PACKS)
    assert len(arm) == len(control) == 100
    taken = [position for position, place in enumerate(arm) if place.source == candidate]
    assert len(taken) == round(share * 100)
    assert all(arm[p] == control[p] for p in range(100) if p not in set(taken))


@given(st.integers(0, 50))
def test_all_candidates_of_a_seed_take_the_same_places(seed):
    one, other = draw(config(seed, "new"), PACKS), draw(config(seed, "other"), PACKS)
    assert [p.source == "new" for p in one] == [p.source == "other" for p in other]


def test_the_control_follows_the_weights_and_repeats_nothing_before_its_time():
    order = draw(config(), PACKS)
    assert Counter(place.source for place in order) == {"math": 75, "text": 25}
    math = [place.sequence for place in order if place.source == "math"]
    assert sorted(math[:50]) == list(range(50))
    assert len(set(math[50:])) == 25


def test_the_replaced_places_keep_the_validated_proportions():
    control, arm = draw(config(), PACKS), draw(config(candidate="new"), PACKS)
    lost = Counter(c.source for c, a in zip(control, arm, strict=True) if c != a)
    assert lost == {"math": 15, "text": 5}


def test_seeds_differ_and_repeat():
    assert draw(config(1), PACKS) == draw(config(1), PACKS) != draw(config(2), PACKS)


def test_a_share_of_samples_is_not_a_share_of_tokens():
    arm = config(candidate="new", unit="samples")
    drawn = shares(draw(arm, PACKS), PACKS)
    [new] = [share for share in drawn if share.source == "new"]
    assert new.sample_share == pytest.approx(0.2, abs=0.01)
    assert new.token_share == candidate_sequences(arm, arm.candidate, PACKS) / 100 > 0.25
    assert sum(share.token_share for share in drawn) == pytest.approx(1)
    assert new.epochs == pytest.approx(new.sequences / 11)


def test_too_many_epochs_are_refused_with_what_would_fit():
    arm = config(candidate="new", share=0.5)
    check_epochs(arm, arm.candidate, PACKS, max_epochs=5)
    with pytest.raises(StudyError, match=r"candidates\.new: its 50 % of the budget repeats it 4\.5 times") as caught:
        check_epochs(arm, arm.candidate, PACKS, max_epochs=4)
    assert "lower `tokens` to 88 %" in caught.value.remedy


@given(unit=st.sampled_from(["tokens", "samples"]), sequences=st.integers(1, 100_000))
def test_the_smallest_share_gives_one_sequence_and_a_tenth_less_gives_none(unit, sequences):
    arm = config(candidate="new", share=0.5, unit=unit, sequences=sequences)
    smallest = smallest_share(arm, arm.candidate, PACKS)
    given_it = arm.candidate.model_copy(update={"share": smallest})
    assert candidate_sequences(arm, given_it, PACKS) == 1
    check_epochs(arm, given_it, PACKS, max_epochs=1)
    assert candidate_sequences(arm, arm.candidate.model_copy(update={"share": smallest * 0.89}), PACKS) == 0


@pytest.mark.parametrize("unit", ["tokens", "samples"])
def test_a_share_that_is_no_sequence_is_refused_with_the_smallest_that_is(unit):
    arm = config(candidate="new", share=0.0001, unit=unit, sequences=860)
    with pytest.raises(StudyError, match=r"^candidate_weight: 0\.0001 of 860 sequences is none of new's") as caught:
        check_epochs(arm, arm.candidate, PACKS, max_epochs=4)
    assert f"raise it to {smallest_share(arm, arm.candidate, PACKS):g} or more" in caught.value.remedy


@given(st.dictionaries(st.text(min_size=1), st.floats(0.001, 1000), min_size=1), st.integers(0, 1000))
def test_apportioned_numbers_sum_to_the_total(weights, total):
    counts = apportion(weights, total)
    assert sum(counts.values()) == total
    exact = {name: weight * total / sum(weights.values()) for name, weight in weights.items()}
    assert all(abs(counts[name] - exact[name]) < 1 + 1e-6 for name in weights)


def test_the_plan_of_a_seed_is_pinned():
    """The meaning of a plan: should this change, raise STAGE_VERSION."""
    from tasks.core.identity import fingerprint
    from tasks.mix.config import STAGE_VERSION

    assert (STAGE_VERSION, fingerprint(draw(config(candidate="new"), PACKS))[:16]) == (2, "9d38cb97cc034ca9")
