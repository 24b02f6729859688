"""The mix tasks: records into a pack, packs into the plan of one arm with one seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from prefect import task

from tasks.core.checkpoint import Checkpoint
from tasks.core.errors import DataError
from tasks.core.progress import Report, counted
from tasks.core.rows import DROPS, PACKS, PLAN, RECORDS, RowWriter, read_rows, write_rows
from tasks.core.store import ArtifactRef, Draft, Store, write_json
from tasks.mix.artifact import SHARES_FILE, SIZE_FILE, pack_identity, plan_identity, read_size, sources
from tasks.mix.config import PackConfig, PlanConfig
from tasks.mix.packing import Document, pack, pack_size
from tasks.mix.plan import draw, shares
from tasks.mix.render import Unfit, render
from tasks.mix.tokenizer import ChatTokenizer

#: What is held of a pack while it is written: 32 MiB of tokens and labels.
_WRITTEN_TOKENS = 1 << 22


@task(name="pack", task_run_name="pack {name}")
def pack_source(
    name: str,
    config: PackConfig,
    records: ArtifactRef,
    base: Checkpoint,
    store_root: Path,
    *,
    report: Report | None = None,
) -> ArtifactRef:
    """Publish the packed sequences of one source (PACKS), with what does not fit under ``dropped/`` (DROPS).

    Raises:
        DataError: if nothing of the source fits, its tokenizer cannot be loaded, or answers cannot be trained on in
            its chat template.
    """
    store = Store(store_root)

    def build(draft: Draft) -> None:
        rows = counted(read_rows(store.folder(records), RECORDS), report)
        write_pack(name, rows, ChatTokenizer.load(base.folder, base.template_text), config, draft)
        draft.sources = {"records": records.path}

    return store.produce(pack_identity(config, records, base.tokenizer, base.template), build)


def write_pack(
    name: str, records: Iterable[Mapping[str, object]], tokenizer: ChatTokenizer, config: PackConfig, draft: Draft
) -> None:
    """Write the packed sequences of `records` into `draft`, a window of documents in memory at a time."""
    reasons, length = Counter[str](), config.sequence_length
    rows_at_once = max(1, _WRITTEN_TOKENS // length)
    with (
        RowWriter(draft.folder / "dropped", DROPS) as dropped,
        RowWriter(draft.folder, PACKS, batch_rows=rows_at_once) as packed,
    ):

        def fitting() -> Iterator[Document]:
            for item in render(records, tokenizer, config):
                if isinstance(item, Document):
                    yield item
                else:
                    reasons[item.reason] += 1
                    dropped.write(_drop(name, item))

        def written() -> Iterator[dict[str, Any]]:
            for row in pack(fitting(), length):
                packed.write(row)
                yield row

        size = pack_size(written())
    if size.sequences == 0:
        counts = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()) or "it has none"
        raise DataError(
            f"{name}: none of its rows can be trained on in sequences of {length} tokens ({counts})",
            remedy="look at the source; raise `anneal.sequence_length` where rows are longer than a sequence",
        )
    write_json(draft.folder / SIZE_FILE, size.model_dump())
    draft.num_rows = size.sequences
    draft.num_dropped, draft.columns = dropped.count, PACKS
    draft.provenance = {"source": name, "dropped": dict(reasons), "size": size.model_dump()}


def _drop(source: str, unfit: Unfit) -> dict[str, object]:
    return {"row_id": unfit.row_id, "source": source, "origin": None, "reason": unfit.reason, "detail": unfit.detail}


@task(name="plan", task_run_name="plan {arm} seed {config.seed}")
def plan_arm(arm: str, config: PlanConfig, packs: dict[str, ArtifactRef], store_root: Path) -> ArtifactRef:
    """Publish the training order of one arm with one seed (PLAN) and what it takes from each source."""
    store = Store(store_root)

    def build(draft: Draft) -> None:
        sizes = {name: read_size(store, packs[name]) for name in sources(config)}
        order = draw(config, sizes)
        rows = ({"position": p, "source": s, "sequence": n} for p, (s, n) in enumerate(order))
        draft.num_rows, draft.columns = write_rows(draft.folder, rows, PLAN), PLAN
        write_json(draft.folder / SHARES_FILE, [share.model_dump() for share in shares(order, sizes)])
        draft.sources = {name: packs[name].path for name in sources(config)}
        draft.provenance = {"arm": arm, "seed": config.seed}

    return store.produce(plan_identity(config, packs), build)
