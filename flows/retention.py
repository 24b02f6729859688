"""What the judging behind a dataset kept, by type of reference and by source, and how far answers agreed."""

from __future__ import annotations

from collections.abc import Iterator

from flows.funnel import funnel
from tasks.core.identity import Frozen
from tasks.core.store import ArtifactRef, Store
from tasks.judge.artifact import read_summary
from tasks.judge.retention import Retention, Summary

#: The steps that choose by verdicts.
_CHOOSERS = ("keep", "failures")


class Judging(Frozen):
    """The verdicts that a step chose by.

    Attributes:
        step: ``keep``, which takes one right answer a question, or ``failures``, which takes what is wrong again and
            again.
        artifact: the verdicts' path in the store, for `assay review`.
        summary: their counts, by type of reference and by source, and how far answers agreed.
    """

    step: str
    artifact: str
    summary: Summary

    def groups(self) -> dict[str, Retention]:
        """Return the counts of all that was judged, then by type of reference and by source."""
        by_reference = {f"reference: {kind}": found for kind, found in self.summary.by_reference.items()}
        by_source = {f"source: {name}": found for name, found in self.summary.by_source.items()}
        return {"all": self.summary.total} | by_reference | by_source

    def said(self) -> list[str]:
        """Return in words what was not answered, and how far answers agree, which is not how many are right."""
        return [*self._unanswered(), *self._agreement()]

    def _unanswered(self) -> Iterator[str]:
        if count := self.summary.unanswered:
            yield f"unanswered: {count:,} {'question' if count == 1 else 'questions'}"

    def _agreement(self) -> Iterator[str]:
        if (found := self.summary.agreement) is None:
            return
        refused = ", ".join(f"{count:,} {reason}" for reason, count in found.refused.items())
        yield (
            f"agreement: of {found.questions:,} questions, the largest class of equal answers has "
            f"{100 * found.mean_share:.1f} % of the answers on average, {found.unanimous:,} are unanimous"
            + (f"; no majority: {refused}" if refused else "")
        )
        yield f"accuracy: not told by agreement; assay review {self.artifact} measures it on a sample"


def judgings(store: Store, ref: ArtifactRef) -> list[Judging]:
    """Return the judgings behind an artifact of this store, the first one first; none where nothing was judged."""
    return list(_judgings(store, ref))


def _judgings(store: Store, ref: ArtifactRef) -> Iterator[Judging]:
    # What is clean of a made dataset may have been cleaned before, as part of another.
    made = store.manifest(ref).sources.get("made", ref.path)
    for step in funnel(store, _named(made)):
        if step.stage in _CHOOSERS:
            verdicts = store.manifest(_named(step.artifact)).sources["verdicts"]
            yield Judging(step=step.stage, artifact=verdicts, summary=read_summary(store, _named(verdicts)))


def _named(path: str) -> ArtifactRef:
    return ArtifactRef(path=path, digest="", num_rows=0)
