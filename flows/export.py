"""A dataset of the store as a JSONL file, for whoever trains elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.core.rows import read_rows
from tasks.core.store import ArtifactRef, Store


def export(store: Store, ref: ArtifactRef, path: Path) -> None:
    """Write records as JSONL: ``row_id``, ``source``, ``origin``, and ``messages`` or ``text``; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        for record in read_rows(store.folder(ref)):
            row = {key: value for key, value in record.items() if value is not None}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    part.rename(path)
