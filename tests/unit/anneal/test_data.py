"""Packs and plans as training reads them."""

import numpy as np
import pytest

from tasks.anneal.config import AnnealConfig, AnnealJob
from tasks.anneal.data import check_packs, check_plan, collate, open_pack, open_plan, supervised_tokens, trained_tokens
from tasks.core.errors import IntegrityError
from tasks.core.identity import Identity, fingerprint
from tasks.core.rows import PACKS, PLAN, write_rows
from tasks.core.store import Store

ROWS = [
    {"input_ids": [5, 6, 7, 8, 9], "labels": [-100, 6, 7, -100, 9], "lengths": [3, 2], "row_ids": ["a", "b"]},
    {"input_ids": [1, 2], "labels": [-100, 2], "lengths": [2], "row_ids": ["c"]},
    {"input_ids": [3, 4, 4], "labels": [-100, -100, -100], "lengths": [1, 2], "row_ids": ["d", "e"]},
]
ORDER = [("math", 2), ("math", 0), ("code", 1), ("math", 0)]


def write(folder, rows=ROWS, order=ORDER):
    write_rows(folder / "pack", rows, PACKS)
    plan = [{"position": p, "source": source, "sequence": sequence} for p, (source, sequence) in enumerate(order)]
    write_rows(folder / "plan", plan, PLAN)
    pack = open_pack(folder / "pack")
    return {"math": pack, "code": pack}, open_plan(folder / "plan")


def job(store=None, length=6, **changes) -> AnnealJob:
    store = store or Store
    fields = {
        "name": "arm", "base": "base", "base_digest": "b", "tokenizer": "t", "seed": 1,
        "config": AnnealConfig(global_batch=2, sequence_length=length),
    }  # fmt: skip
    return AnnealJob(**(fields | changes))


def test_a_batch_is_padded_and_positions_restart(tmp_path):
    packs, plan = write(tmp_path)
    batch = collate(plan, packs, range(1, 3), 6, padding=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9, 0], [1, 2, 0, 0, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 6, 7, -100, 9, -100], [-100, 2, -100, -100, -100, -100]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0], [0, 1, 0, 1, 2, 3]]


def test_batches_of_a_plan_are_pinned(tmp_path):
    """A change here changes what is trained on: raise STAGE_VERSION with it."""
    packs, plan = write(tmp_path)
    batches = [collate(plan, packs, range(k * 2, k * 2 + 2), 6, padding=0) for k in range(2)]
    assert (
        fingerprint([{name: array.tolist() for name, array in b.items()} for b in batches])
        == "c0961afedf930f14dc981bb780e0c5b8ed6a140e8c2a1e13b6661ee8b479384f"
    )


def test_tokens_are_counted_with_and_without_a_loss(tmp_path):
    packs, plan = write(tmp_path)
    assert supervised_tokens(plan, packs).tolist() == [0, 3, 1, 3]
    assert trained_tokens(plan, packs).tolist() == [3, 5, 2, 5]


def test_a_pack_is_mapped_not_held(tmp_path):
    packs, _ = write(tmp_path)
    assert isinstance(packs["math"].tokens, np.memmap)
    assert len(packs["math"]) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": [5, 6, 7, -100, 9]}, "first token has a label"),
        ({"labels": [-100, 6, 7, 8, 9]}, "first token has a label"),
        ({"lengths": [3, 1]}, "do not add up"),
        ({"labels": [-100, 6]}, "do not add up"),
    ],
)
def test_a_sequence_that_would_train_across_a_border_is_refused(tmp_path, change, said):
    with pytest.raises(IntegrityError, match=said):
        write(tmp_path, rows=[ROWS[0] | change])


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([("essays", 0)], "draws from 'essays', which has no pack"),
        ([("math", 3)], "draws sequence 3 of 'math', which has 3"),
        ([("math", -1)], "draws sequence"),
    ],
)
def test_a_plan_of_other_packs_is_refused(tmp_path, order, said):
    packs, plan = write(tmp_path, order=order)
    store = Store(tmp_path / "store")
    with pytest.raises(IntegrityError, match=said):
        check_plan(with_packs(store), plan, packs)


def test_a_sequence_longer_than_the_job_trains_on_is_refused(tmp_path):
    packs, plan = write(tmp_path)
    with pytest.raises(IntegrityError, match="a sequence of 5 tokens; 'arm' trains on 4"):
        check_plan(with_packs(Store(tmp_path / "store"), length=4), plan, packs)


def test_a_plan_out_of_order_is_refused(tmp_path):
    write_rows(tmp_path, [{"position": 1, "source": "math", "sequence": 0}], PLAN)
    with pytest.raises(IntegrityError, match="not in order"):
        open_plan(tmp_path)


def with_packs(store: Store, tokenizer: str = "t", template: str = "", length: int = 6) -> AnnealJob:
    def pack(draft):
        draft.num_rows = write_rows(draft.folder, ROWS, PACKS)

    def plan(draft):
        draft.num_rows = write_rows(draft.folder, [], PLAN)

    inputs = {"tokenizer": tokenizer, "template": template}
    made = store.produce(Identity.of("pack", 1, {}, inputs), pack)
    return job(packs={"math": made}, plan=store.produce(Identity.of("plan", 1, {}, {}), plan), length=length)


def test_packs_of_the_jobs_own_tokenizer_and_template_are_taken(tmp_path):
    store = Store(tmp_path)
    check_packs(with_packs(store), store)


@pytest.mark.parametrize("other", [{"tokenizer": "other"}, {"template": "other"}])
def test_packs_of_another_tokenizer_or_template_are_refused(tmp_path, other):
    store = Store(tmp_path)
    with pytest.raises(IntegrityError, match=f"made with the {next(iter(other))} other"):
        check_packs(with_packs(store, **other), store)
