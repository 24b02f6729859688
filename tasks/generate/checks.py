"""What can be known of a local teacher before anything is started, from its files alone."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.core.checkpoint import own_template
from tasks.core.errors import DataError, StudyError
from tasks.generate.config import Teacher


def check_teacher(teacher: Teacher, *, chat: bool = False) -> None:
    """Check a teacher that lies in a folder; `chat` where it is asked with messages. A hub's is checked when it loads.

    Raises:
        StudyError: if there is no model, or it has fewer positions than `max_model_len`.
        DataError: if it is asked with messages and has no chat template.
    """
    if teacher.path is None:
        return
    folder = Path(teacher.path)
    if not (folder / "config.json").is_file():
        raise StudyError(
            f"model.path: {folder.absolute()} holds no model: config.json is missing",
            remedy="give the folder that `save_pretrained` wrote, or a hub id with its revision",
        )
    _check_context(teacher, folder)
    if chat and teacher.chat_template is None and own_template(folder) is None:
        raise no_chat_template(teacher.name)


def _check_context(teacher: Teacher, folder: Path) -> None:
    model = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    positions = model.get("max_position_embeddings")
    # With scaled rotary positions the engine knows better how far they reach, and says so itself.
    scaled = (model.get("rope_scaling") or model.get("rope_parameters") or {}).get("factor")
    if teacher.max_model_len and positions and not scaled and teacher.max_model_len > positions:
        raise StudyError(
            f"model.max_model_len: {teacher.max_model_len:,} tokens, and the model has {positions:,} positions",
            remedy=f"lower it to {positions:,} or leave it out",
        )


def no_chat_template(name: str) -> DataError:
    """Return the error that messages cannot be rendered."""
    return DataError(
        f"{name}: its tokenizer has no chat template, and the requests are messages",
        remedy="give `model.chat_template`, or ask with plain prompts",
    )
