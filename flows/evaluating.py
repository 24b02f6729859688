"""Every model of a study on every benchmark: by transformers, or in two passes with `generate` between them.

::

    transformers    evaluate: OpenCompass asks and scores
    vllm            record:   OpenCompass asks, and what it asks is written down, once for all models of a tokenizer
                    generate: each model answers, in shards, and goes on from them after a kill
                    evaluate: OpenCompass scores the answers

`generate` is asked once for each way to end an answer that a benchmark has, and once for the texts whose likelihood
counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from flows.caching import cached
from flows.caps import spent_on
from flows.device import device
from flows.progress import EvaluateProgress, GenerateProgress
from flows.work import RunRefs, ScoreRefs, Work
from tasks.core.store import ArtifactRef
from tasks.evaluate.config import EvaluateConfig, EvaluateJob
from tasks.evaluate.recording import Asked, Recording, read_recording
from tasks.evaluate.task import evaluate_models, record_prompts
from tasks.generate.artifact import identity as answers_identity
from tasks.generate.artifact import teacher_digest
from tasks.generate.budget import Spent
from tasks.generate.config import GenerateConfig, Sampling, Scoring, Teacher
from tasks.generate.task import generate, release


class RecordProgress(EvaluateProgress):
    """The benchmarks of a study that are written down."""

    stage = "record"


def evaluate_arms(work: Work, models: RunRefs, beside: Iterable[ArtifactRef] = ()) -> ScoreRefs:
    """Return the scores of every model on every benchmark, by the study's engine.

    Args:
        beside: what else the study has asked models for: the caps on it are over all of it.
    """
    jobs = work.evaluate_jobs(models)
    identities = [work.score_identity(job) for job in jobs.values()]
    evaluate = cached(evaluate_models, work.store, identities)
    queue = list(jobs.values())
    if work.study.evaluate.engine == "vllm":
        queue = _answered(work, queue, beside)
    with EvaluateProgress(len(queue)) as progress, device(work.store, identities):
        scores = evaluate(queue, work.study.evaluate, work.runtime.evaluate, work.store.root, report=progress)
    return dict(zip(jobs, scores, strict=True))


def _answered(work: Work, jobs: list[EvaluateJob], beside: Iterable[ArtifactRef]) -> list[EvaluateJob]:
    """Return the jobs, those that have no scores yet with the answers to score."""
    scores = [work.store.find(work.score_identity(job)) for job in jobs]
    to_do = [job for job, found in zip(jobs, scores, strict=True) if found is None]
    if not to_do:
        return jobs
    with RecordProgress(len({job.benchmark.name for job in to_do})) as progress:
        refs = record_prompts(to_do, work.study.evaluate, work.runtime.evaluate, work.store.root, report=progress)
    spent, answers = spent_on(work.store, [*beside, *filter(None, scores)], work.runtime.generate), {}
    try:
        for job, ref in zip(to_do, refs, strict=True):
            found = _answers(work, job, read_recording(work.store, ref), spent)
            spent += spent_on(work.store, found, work.runtime.generate)
            answers[job.name, job.benchmark.name] = found
    finally:
        release()
    return [job.model_copy(update={"answers": answers.get((job.name, job.benchmark.name), ())}) for job in jobs]


def _answers(work: Work, job: EvaluateJob, recording: Recording, spent: Spent) -> tuple[ArtifactRef, ...]:
    name, store, runtime = f"{job.name} on {job.benchmark.name}", work.store, work.runtime.generate
    answers: list[ArtifactRef] = []
    for asked in recording.asked:
        config = generate_config(job, work.study.evaluate, recording, asked)
        identity = answers_identity(config, asked.requests, teacher_digest(config.model))
        before = spent + spent_on(store, answers, runtime)
        with GenerateProgress(name) as progress, device(store, [identity]):
            where = (runtime, store.root)
            answers.append(generate(name, config, asked.requests, *where, before=before, report=progress))
    return tuple(answers)


def generate_config(job: EvaluateJob, config: EvaluateConfig, recording: Recording, asked: Asked) -> GenerateConfig:
    """Return how a model is to answer, or score, recorded requests: greedily, the tokens of its answers kept, so that
    they can be read as those of transformers are."""
    teacher = Teacher(path=job.folder, dtype=config.dtype, max_model_len=recording.context)
    if asked.max_output_tokens is None:
        return GenerateConfig(model=teacher, scoring=Scoring())
    sampling = Sampling(
        temperature=0.0, max_output_tokens=asked.max_output_tokens, stop=asked.stop, top_logprobs=0
    )  # fmt: skip
    return GenerateConfig(model=teacher, sampling=sampling)
