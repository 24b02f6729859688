"""What a source is: a file, a glob of files or a hub dataset, and which of its columns say what."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.core.identity import Frozen

#: Raised whenever the meaning of an ingested record changes. 3: an `origin` tells files of one name apart, and names
#: the line at which a CSV row begins.
STAGE_VERSION = 3

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
RecordField = Literal["text", "question", "answer", "reference", "messages"]


class HubDataset(Frozen):
    """A dataset read through `datasets`: a hub id, or a local folder in the hub's layout.

    Attributes:
        id: the hub id (``owner/name``) or a folder.
        config: the dataset's configuration, where it has several.
        split: the split to read.
        revision: the commit to read, 40 digits. A hub id needs one: a branch would move under its key.
    """

    id: str
    config: str | None = None
    split: str = "train"
    revision: str | None = None


class SourceConfig(Frozen):
    """One source of training documents, from a file or a hub dataset.

    Attributes:
        name: what the source is called in every table and report; part of each row's id.
        file: a path or glob of ``.jsonl``, ``.json``, ``.csv``, ``.tsv`` or ``.parquet`` files, also with ``.gz`` or
            ``.zst`` behind. Relative paths start at the study file. A file of that very name comes before a glob.
        hub: a hub dataset instead.
        columns: which column holds which field, such as ``{question: problem, answer: solution}``; what lies inside a
            column is named by the way to it, such as ``responses.0.response``. Left out, the
            fields' own names are looked for: ``messages``, else ``question`` and ``answer``, else ``text``. For a
            recipe that asks a teacher, ``question`` alone will do, or with a ``reference``: an answer that some rows
            may lack.
        max_dropped: the largest share of rows that may be unusable before the source is refused.
    """

    name: Name
    file: str | None = None
    hub: HubDataset | None = None
    columns: dict[RecordField, str] = Field(default_factory=dict)
    max_dropped: float = Field(default=0.01, ge=0, le=1)

    @model_validator(mode="after")
    def _one_origin(self) -> SourceConfig:
        if (self.file is None) == (self.hub is None):
            raise ValueError("give either `file` or `hub`")
        return self._check_columns()

    def _check_columns(self) -> Self:
        fields = set(self.columns)
        shapes = ({"text"}, {"messages"}, {"question", "answer"}, {"question", "reference"}, {"question"})
        if fields and fields not in shapes:
            raise ValueError("`columns` names `text`, or `messages`, or `question` and `answer` (or `reference`)")
        return self
