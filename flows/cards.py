"""The card of a study's validated set: what every arm shares, how much of it repeats, and what of it is in the
benchmarks. It reports alone: nothing is dropped.

::

    card.json    `core.cards.ValidatedCard`, an artifact of its own

"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from flows.caching import cached
from flows.progress import CountProgress
from flows.record import StudyRecord
from flows.study import ValidatedSource as Declared
from tasks.core.cards import CARD, ExposedItems, ValidatedCard, ValidatedSource
from tasks.core.identity import Identity, fingerprint
from tasks.core.rows import read_rows
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.decontaminate.artifact import EXPOSURES_FOLDER, overlap_identity
from tasks.decontaminate.config import DecontaminateConfig
from tasks.decontaminate.task import report_overlaps
from tasks.dedup.artifact import duplicates_identity
from tasks.dedup.config import FOR_TEXTS, DedupConfig
from tasks.dedup.task import find_duplicates
from tasks.mix.artifact import SHARES_FILE, read_size
from tasks.mix.config import SourceShare

STAGE = "card"
#: Raised whenever the meaning of a card changes.
CARD_VERSION = 1

#: Documents and chats alike, by all that is trained on.
_SAME: DedupConfig = FOR_TEXTS


def publish_card(store: Store, record: StudyRecord, overlap: DecontaminateConfig) -> ArtifactRef:
    """Publish the card of a finished study's validated set.

    Args:
        overlap: how rows are held against the study's benchmark items; where it has none, nothing is said of them.
    """
    names = [source.name for source in record.study.validated]
    refs = [record.records[name] for name in names]
    once = cached(find_duplicates, store, [duplicates_identity(_SAME, refs)])
    name = f"the validated set of {record.study.name}"
    with CountProgress("dedup", name, sum(ref.num_rows for ref in refs)) as progress:
        repeats = once(name, _SAME, refs, store.root, report=progress)
    exposures = dict[str, ArtifactRef]()
    if record.items is not None:
        exposures = {name: _overlaps(store, overlap, name, record.records[name], record.items) for name in names}
    card = make_card(store, record, overlap, repeats, exposures)
    identity = Identity.of(STAGE, CARD_VERSION, {"study": record.study.name}, {"card": fingerprint(card)})

    def build(draft: Draft) -> None:
        (draft.folder / CARD).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
        draft.sources = {"duplicates": repeats.path, **{f"overlap {name}": ref.path for name, ref in exposures.items()}}

    return store.produce(identity, build)


def make_card(
    store: Store,
    record: StudyRecord,
    overlap: DecontaminateConfig,
    repeats: ArtifactRef,
    exposures: Mapping[str, ArtifactRef],
) -> ValidatedCard:
    """Return the card, from the manifests and from what was found of repeats and overlaps."""
    control = next(run for run in record.runs if run.arm == record.study.arms[0])
    rows = json.loads((store.folder(control.plan) / SHARES_FILE).read_text(encoding="utf-8"))
    shares = {share.source: share for share in map(SourceShare.model_validate, rows)}
    seen = {name: list(read_rows(store.folder(ref) / EXPOSURES_FOLDER)) for name, ref in exposures.items()}
    counts = store.manifest(repeats).provenance["by_table"]
    return ValidatedCard(
        sources=tuple(
            _source(store, record, source, shares[source.name], count, seen.get(source.name))
            for source, count in zip(record.study.validated, counts, strict=True)
        ),
        exposed=tuple(_exposed(list(seen.values()))),
        duplicates=f"Near: sets of {_SAME.shingle_words}-word shingles with a Jaccard similarity of "
        f"{_SAME.threshold:g} or more",
        overlap=f"Given away: one row holds {100 * overlap.ratio:.0f} % or more of an item's {overlap.n}-grams of words"
        if exposures
        else "",
    )


def _overlaps(
    store: Store, overlap: DecontaminateConfig, name: str, records: ArtifactRef, items: ArtifactRef
) -> ArtifactRef:
    find = cached(report_overlaps, store, [overlap_identity(overlap, records, items)])
    with CountProgress("overlap", name, records.num_rows) as progress:
        return find(name, overlap, records, items, store.root, report=progress)


def _source(
    store: Store,
    record: StudyRecord,
    source: Declared,
    share: SourceShare,
    repeats: Mapping[str, int],
    seen: list[dict[str, object]] | None,
) -> ValidatedSource:
    records, pack = record.records[source.name], record.packs[source.name]
    dropped = store.manifest(records).num_dropped + store.manifest(pack).num_dropped
    return ValidatedSource(
        name=source.name,
        origin=origin(source),
        licence=source.licence,
        weight=source.weight,
        token_share=share.token_share,
        rows=records.num_rows,
        tokens=read_size(store, pack).tokens,
        epochs=share.epochs,
        left_out=dropped,
        same=repeats["same"],
        near=repeats["near"],
        exposed=None if seen is None else sum(row["status"] == "contaminated" for row in seen),
    )


def origin(source: Declared) -> str:
    """Return where a source comes from, in a few words."""
    if source.hub is not None:
        config = f", {source.hub.config}" if source.hub.config else ""
        revision = f" at {source.hub.revision}" if source.hub.revision else ""
        return f"{source.hub.id}{config}, {source.hub.split}{revision}"
    if source.recipe is not None:
        return f"recipe {source.recipe.kind}"
    return (source.file or "").rpartition("/")[2]


def _exposed(tables: list[list[dict[str, object]]]) -> list[ExposedItems]:
    """Return how many items of each benchmark any source gives away; an item counts once."""
    worst: dict[tuple[str, str], str] = {}
    order = ("unchecked", "clean", "contaminated")
    for row in (row for table in tables for row in table):
        name, status = (str(row["benchmark"]), str(row["item"])), str(row["status"])
        worst[name] = max(worst.get(name, status), status, key=order.index)
    counts: dict[str, Counter[str]] = {}
    for (benchmark, _), status in worst.items():
        counts.setdefault(benchmark, Counter())[status] += 1
    return [
        ExposedItems(
            benchmark=benchmark,
            checked=count["clean"] + count["contaminated"],
            exposed=count["contaminated"],
            unchecked=count["unchecked"],
        )
        for benchmark, count in counts.items()
    ]
