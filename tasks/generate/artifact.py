"""What the generate stage publishes: by which key."""

from __future__ import annotations

from pathlib import Path

from tasks.core.identity import Identity, folder_digest
from tasks.core.store import ArtifactRef
from tasks.generate.checks import check_teacher
from tasks.generate.config import STAGE, STAGE_VERSION, GenerateConfig, Teacher


def teacher_digest(teacher: Teacher) -> str:
    """Return what identifies a teacher: a folder's digest, a hub id's commit, an endpoint's model by name.

    Raises:
        StudyError: if the folder is not there.
    """
    if teacher.path is not None:
        check_teacher(teacher)
        return folder_digest(Path(teacher.path))
    return f"{teacher.name}@{teacher.revision or ''}"


def identity(config: GenerateConfig, requests: ArtifactRef, model_digest: str) -> Identity:
    """Return the identity of the answers: what is asked how, and of which model (see `teacher_digest`)."""
    places = {"path", "hub", "revision"}
    asked = config.model_dump(exclude={"model": places})
    return Identity.of(STAGE, STAGE_VERSION, asked, {"requests": requests.digest, "teacher": model_digest})
