"""Packs and plans as training reads them: flat arrays on disk, and batches of equal shape.

A pack's rows are laid end to end in unlinked temporary files and mapped, so a worker's memory stays flat however large
the pack is, and nothing is left behind when the worker dies. A batch is padded to the sequence length; positions
restart at 0 in every document, which is how the model knows where one ends (no attention mask is passed: transformers
then builds the block-diagonal causal one). Padding is a document of its own with labels -100.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.anneal.config import AnnealJob
from tasks.core.errors import IntegrityError
from tasks.core.rows import read_rows, shards
from tasks.core.store import ArtifactRef, Store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.integer[Any]]

IGNORED = -100


@dataclass(frozen=True)
class Pack:
    """One source's sequences.

    Attributes:
        tokens, labels: of all sequences, end to end; int32.
        positions: of each token in its document; int32.
        starts: where each sequence starts, and the end of the last; [sequences + 1], int64.
        supervised: how many tokens of each sequence the loss is taken on; [sequences], int64.
    """

    tokens: Ints
    labels: Ints
    positions: Ints
    starts: Ints
    supervised: Ints

    def __len__(self) -> int:
        return len(self.supervised)


@dataclass(frozen=True)
class Plan:
    """The order of training: position p reads row `sequences[p]` of the pack `sources[source_ids[p]]`."""

    sources: tuple[str, ...]
    source_ids: Ints
    sequences: Ints

    def __len__(self) -> int:
        return len(self.sequences)


def open_pack(folder: Path) -> Pack:
    """Read a table PACKS into mapped arrays.

    Raises:
        IntegrityError: if a sequence's lengths do not add up to its tokens, or a first token has a label.
    """
    import numpy as np

    counts = np.fromiter((sum(row["lengths"]) for row in read_rows(folder, ["lengths"])), dtype=np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    tokens, labels, positions = (_mapped(int(starts[-1])) for _ in range(3))
    supervised = np.zeros(len(counts), np.int64)
    row = 0
    for batch in _batches(folder):
        for ids, wanted, lengths in zip(*batch, strict=True):
            where = slice(starts[row], starts[row + 1])
            _check_sequence(folder, row, ids, wanted, lengths)
            tokens[where], labels[where] = ids, wanted
            positions[where] = np.concatenate([np.arange(length) for length in lengths])
            supervised[row] = np.count_nonzero(wanted[1:] != IGNORED)
            row += 1
    return Pack(tokens, labels, positions, starts, supervised)


def _batches(folder: Path) -> Any:
    """Yield (input_ids, labels, lengths) of a batch of rows, each a list of arrays."""
    import pyarrow.parquet as pq

    for path in shards(folder):
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=1024, columns=["input_ids", "labels", "lengths"]):
                yield [
                    [scalar.values.to_numpy() for scalar in batch.column(name)]
                    for name in ("input_ids", "labels", "lengths")
                ]


def _mapped(size: int) -> Ints:
    """Return zeros in an unlinked temporary file."""
    import numpy as np

    if size == 0:
        return np.zeros(0, np.int32)
    with tempfile.TemporaryFile(prefix="assay-pack-") as file:
        file.truncate(size * 4)
        return np.memmap(file, dtype=np.int32, mode="r+", shape=(size,))


def _check_sequence(folder: Path, row: int, ids: Ints, labels: Ints, lengths: Ints) -> None:
    first_tokens = lengths.cumsum() - lengths
    if len(ids) != len(labels) or len(ids) != lengths.sum() or not lengths.all():
        problem = "its lengths, tokens and labels do not add up"
    elif (labels[first_tokens] != IGNORED).any():
        problem = "a document's first token has a label, which would train across the border before it"
    else:
        return
    raise IntegrityError(f"sequence {row} of the pack {folder}: {problem}", remedy="remove the pack and run again")


def open_plan(folder: Path) -> Plan:
    """Read a table PLAN.

    Raises:
        IntegrityError: if its positions are not 0, 1, 2, …
    """
    import numpy as np
    import pyarrow.parquet as pq

    sources: dict[str, int] = {}
    ids: list[Ints] = []
    sequences: list[Ints] = []
    seen = 0
    for path in shards(folder):
        with pq.ParquetFile(path) as file:
            table = file.read()
        if (table["position"].to_numpy() != np.arange(seen, seen + len(table))).any():
            raise IntegrityError(f"the plan {folder} is not in order of position", remedy="remove it and run again")
        names = table["source"].to_pylist()
        ids.append(np.fromiter((sources.setdefault(name, len(sources)) for name in names), np.int32, len(names)))
        sequences.append(table["sequence"].to_numpy())
        seen += len(table)
    return Plan(tuple(sources), np.concatenate(ids), np.concatenate(sequences))


def check_plan(job: AnnealJob, plan: Plan, packs: Mapping[str, Pack]) -> None:
    """Check that a plan names only sequences that its packs have, of the job's length.

    Raises:
        IntegrityError: naming the first thing that does not fit.
    """
    for number, source in enumerate(plan.sources):
        if source not in packs:
            raise IntegrityError(
                f"the plan of {job.name!r} draws from {source!r}, which has no pack",
                remedy=f"give the job the pack of {source!r}",
            )
        pack, wanted = packs[source], plan.sequences[plan.source_ids == number]
        if wanted.min() < 0 or wanted.max() >= len(pack):
            raise IntegrityError(
                f"the plan of {job.name!r} draws sequence {wanted.max()} of {source!r}, which has {len(pack)}",
                remedy="remove the plan and run again: it was made for another pack",
            )
        if (longest := int((pack.starts[1:] - pack.starts[:-1]).max())) > job.config.sequence_length:
            raise IntegrityError(
                f"the pack of {source!r} has a sequence of {longest} tokens; {job.name!r} trains on"
                f" {job.config.sequence_length}",
                remedy="pack and train with the same sequence length",
            )


def check_packs(job: AnnealJob, store: Store) -> None:
    """Check that each pack was made with the job's tokenizer and template, and is in the store.

    Raises:
        IntegrityError: naming the first pack that was not.
    """
    store.folder(job.plan)
    for source, ref in job.packs.items():
        inputs = store.manifest(ref).identity.inputs
        for role, expected in (("tokenizer", job.tokenizer), ("template", job.template)):
            if (found := inputs.get(role, "")) != expected:
                raise IntegrityError(
                    f"the pack of {source!r} was made with the {role} {found[:12] or 'none'}, and {job.name!r} trains"
                    f" with {expected[:12] or 'none'}",
                    remedy=f"pack {source!r} again with the base model's own {role}",
                )


def supervised_tokens(plan: Plan, packs: Mapping[str, Pack]) -> Ints:
    """Return the tokens at each of a plan's positions that the loss is taken on; [positions], int64."""
    import numpy as np

    counts = np.zeros(len(plan), np.int64)
    for number, source in enumerate(plan.sources):
        mine = plan.source_ids == number
        counts[mine] = packs[source].supervised[plan.sequences[mine]]
    return counts


def trained_tokens(plan: Plan, packs: Mapping[str, Pack]) -> Ints:
    """Return the tokens at each of a plan's positions, padding left out; [positions], int64."""
    import numpy as np

    counts = np.zeros(len(plan), np.int64)
    for number, source in enumerate(plan.sources):
        mine = plan.source_ids == number
        counts[mine] = np.diff(packs[source].starts)[plan.sequences[mine]]
    return counts


def collate(plan: Plan, packs: Mapping[str, Pack], where: range, length: int, padding: int) -> dict[str, Ints]:
    """Return one batch: ``input_ids``, ``labels`` and ``position_ids``, each [len(where), length], int64."""
    import numpy as np

    ids = np.full((len(where), length), padding, np.int64)
    labels = np.full((len(where), length), IGNORED, np.int64)
    positions = np.zeros((len(where), length), np.int64)
    for row, position in enumerate(where):
        pack = packs[plan.sources[plan.source_ids[position]]]
        sequence = plan.sequences[position]
        span = slice(pack.starts[sequence], pack.starts[sequence + 1])
        size = span.stop - span.start
        ids[row, :size], labels[row, :size] = pack.tokens[span], pack.labels[span]
        positions[row, :size], positions[row, size:] = pack.positions[span], np.arange(length - size)
    return {"input_ids": ids, "labels": labels, "position_ids": positions}


def open_packs(refs: Mapping[str, ArtifactRef], store: Store, opened: dict[str, Pack]) -> dict[str, Pack]:
    """Return the pack of each source, reading those that `opened` (by digest) does not hold yet."""
    for ref in refs.values():
        if ref.digest not in opened:
            opened[ref.digest] = open_pack(store.folder(ref))
    return {source: opened[ref.digest] for source, ref in refs.items()}
