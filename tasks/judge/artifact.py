"""What the judge stage publishes: by which keys, under which names."""

from __future__ import annotations

from tasks.core.identity import Identity, fingerprint
from tasks.core.store import ArtifactRef, Store
from tasks.judge.config import STAGE_VERSION, JudgeConfig, KeepConfig
from tasks.judge.language_model import PROMPT
from tasks.judge.retention import Summary

SUMMARY_FILE = "summary.json"


def identity(
    config: JudgeConfig, outcomes: ArtifactRef, references: ArtifactRef, samples: int | None = None
) -> Identity:
    """Return what verdicts are: the rule, the answers asked for, those that came, and the questions."""
    inputs = {"outcomes": outcomes.digest, "references": references.digest}
    return Identity.of("judge", STAGE_VERSION, {"rule": config, "samples": samples}, inputs)


def requests_identity(verdicts: ArtifactRef, outcomes: ArtifactRef, references: ArtifactRef) -> Identity:
    """Return what the requests to a language model are: of which verdicts and texts, in which words."""
    inputs = {"verdicts": verdicts.digest, "outcomes": outcomes.digest, "references": references.digest}
    return Identity.of("judge-requests", STAGE_VERSION, {"prompt": fingerprint(PROMPT)}, inputs)


def settled_identity(verdicts: ArtifactRef, answers: ArtifactRef) -> Identity:
    """Return what settled verdicts are: those of rules, and what a language model answered."""
    inputs = {"verdicts": verdicts.digest, "answers": answers.digest}
    return Identity.of("judge-settled", STAGE_VERSION, {}, inputs)


def read_summary(store: Store, ref: ArtifactRef) -> Summary:
    """Return the summary of published verdicts."""
    return Summary.model_validate_json((store.folder(ref) / SUMMARY_FILE).read_text(encoding="utf-8"))


def keep_identity(
    config: KeepConfig,
    questions: ArtifactRef,
    outcomes: ArtifactRef,
    verdicts: ArtifactRef,
    originals: ArtifactRef | None = None,
) -> Identity:
    """Return what kept answers are: the rule, the questions, their answers and the verdicts on them."""
    inputs = {"questions": questions.digest, "outcomes": outcomes.digest, "verdicts": verdicts.digest}
    inputs |= {"originals": originals.digest} if originals else {}
    return Identity.of("keep", STAGE_VERSION, config, inputs)


def failures_identity(wrong: int, questions: ArtifactRef, verdicts: ArtifactRef) -> Identity:
    """Return what failed questions are: how many wrong answers make a failure, and the verdicts."""
    inputs = {"questions": questions.digest, "verdicts": verdicts.digest}
    return Identity.of("failures", STAGE_VERSION, {"wrong": wrong}, inputs)
