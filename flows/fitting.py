"""The memory that each stage of a study needs, whether its devices have it, and under which settings it would fit.

Shapes are those of the models' configs, told on torch's meta device; what is reckoned from them is in each stage's
``memory.py``. Where a device's memory is not known, what is needed is still said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Literal

from flows.asking import Search, readings, searches, teachers
from flows.counting import bytes_of
from flows.machine import Device, device_for
from flows.rates import encodes_on_gpu, scores_on_gpu
from flows.work import Work
from tasks.anneal.config import AnnealRuntime
from tasks.anneal.memory import training_memory
from tasks.anneal.placement import fitting as anneal_fitting
from tasks.core.identity import Frozen
from tasks.core.memory import GIB, Memory, ModelShape
from tasks.embed.config import EmbedConfig
from tasks.embed.encoder_files import find_encoder
from tasks.embed.memory import encoding_memory
from tasks.evaluate.memory import scoring_memory
from tasks.generate.config import Teacher
from tasks.generate.memory import fitting as teacher_fitting
from tasks.generate.memory import host_memory, requests_at_once, serving_memory
from tasks.retrieve.config import Bm25Config
from tasks.retrieve.memory import budget, exact_bytes, index_bytes, words_bytes

#: tight: it fits, with less to spare than allocators and libraries may want.
Fit = Literal["fits", "tight", "does not fit", "unknown"]
#: What libraries take of a device beside the model: a CUDA context with NCCL's buffers, or the imports of a process.
LIBRARIES = GIB
#: The share of a device that a stage may need and still be said to fit; the rest is lost to fragments.
_ROOM = 0.9
#: Workers that share one machine's memory when they offload to it.
_GPUS_A_MACHINE = 8
_NO_SHAPE = "this machine has no config of it that transformers makes a causal language model of"


class Need(Frozen):
    """The memory of one stage.

    Attributes:
        name: the model; of a teacher with its dtype and context too, where another one is called the same.
        parts: GiB that one process needs of its device at its peak, by what they hold.
        gib: all of them.
        host_gib: beside them, on the host: what is offloaded, by one process.
        available_gib: what one process may take of its device; None where that is not known.
        remedy: the settings under which it would fit, as the runtime file has them, or what else there is to say.
    """

    stage: str
    name: str
    parts: dict[str, float]
    gib: float
    host_gib: float
    available_gib: float | None
    fit: Fit
    remedy: str


def needs(work: Work, shapes: Mapping[Path, ModelShape]) -> tuple[Need, ...]:
    """Return what each stage of a study needs; of teachers, encoders and searches those that are still asked.

    Args:
        shapes: the shape of each model by its folder: the base, and teachers and encoders whose config is on this
            machine.
    """
    base, asked = shapes[work.base.folder], teachers(work)
    served = [
        _teacher(work, teacher, name, shapes.get(Path(teacher.path)) if teacher.path is not None else None)
        for teacher, name in zip(asked, _names(asked), strict=True)
    ]
    encoders = dict.fromkeys(table.encoder for table in readings(work))
    return (
        *served,
        *(_encode(work, encoder, shapes.get(find_encoder(encoder).folder)) for encoder in encoders),
        *(_search(work, one, shapes) for one in searches(work)),
        _anneal(work, base),
        *_evaluate(work, base),
    )


def teacher_folders(work: Work) -> list[Path]:
    """Return the folders of the teachers that are still asked and lie on this machine, each once."""
    return list(dict.fromkeys(Path(teacher.path) for teacher in teachers(work) if teacher.path is not None))


def encoder_folders(work: Work) -> list[Path]:
    """Return the folders of the encoders that still read, or whose vectors are still searched, each once."""
    searched = [one.recipe.embed for one in searches(work) if not isinstance(one.recipe.search, Bm25Config)]
    encoders = [*(table.encoder for table in readings(work)), *searched]
    return list(dict.fromkeys(find_encoder(encoder).folder for encoder in encoders))


def _anneal(work: Work, shape: ModelShape) -> Need:
    config, runtime = work.study.anneal, work.runtime.anneal
    device = device_for(work.runtime.plan, gpu=runtime.use_gpu)
    memory = training_memory(shape, config, runtime)
    if not device.gpu:  # what is offloaded stays where it was
        memory = Memory(parts={**memory.parts, "offloaded": memory.host})
    available = _share(device, runtime.workers * runtime.parallel_jobs)
    host = device.host // min(runtime.workers, _GPUS_A_MACHINE) if device.gpu and device.host else None
    fit = _fit(memory, available)
    if host is not None and memory.host > host:
        fit = "does not fit"
    remedy = ""
    if fit == "does not fit" and available is not None:
        nearest = anneal_fitting(shape, config, runtime, int(_ROOM * available) - LIBRARIES, host)
        remedy = _changed(runtime, nearest) if nearest else "no setting fits: take devices with more memory"
    return _need("anneal", work.base.folder.name, memory, available, fit, remedy)


def _names(models: list[Teacher]) -> list[str]:
    """Return what to call each model: the last part of its name, and all that tells it apart where two share that."""
    short = [PurePath(one.name).name for one in models]
    return [
        name if short.count(name) == 1 else f"{one.name}, {one.dtype}, context {one.max_model_len or 'its own'}"
        for one, name in zip(models, short, strict=True)
    ]


def _teacher(work: Work, teacher: Teacher, name: str, shape: ModelShape | None) -> Need:
    runtime = work.runtime.generate.of(teacher)
    if shape is None:
        return _unknown("generate", name, f"{_NO_SHAPE}; give a folder that has one as `path` to have it planned")
    gpu = runtime.gpus_per_actor > 0
    device = device_for(work.runtime.plan, gpu=gpu)
    memory = serving_memory(shape, teacher, runtime.tensor_parallel) if gpu else host_memory(shape, teacher)
    available = _share(device, runtime.actors)
    if available is not None and gpu:
        available = int(available * runtime.gpu_memory_utilization)
    fit = _fit(memory, available, room=1.0 if gpu else _ROOM)
    remedy = ""
    if available is not None and gpu and fit == "fits":
        held = requests_at_once(shape, teacher, runtime.tensor_parallel, available - LIBRARIES)
        remedy = f"holds {held:,.1f} requests of the whole context at once"
    elif available is not None and fit == "does not fit":
        count = teacher_fitting(shape, teacher, available - LIBRARIES) if gpu else None
        remedy = (
            f"it fits with generate: {{tensor_parallel: {count}, gpus_per_actor: {count}}}"
            if count
            else "lower the teacher's max_model_len, or take devices with more memory"
        )
    return _need("generate", name, memory, available, fit, remedy)


def _encode(work: Work, encoder: EmbedConfig, shape: ModelShape | None) -> Need:
    name, runtime = PurePath(encoder.path or encoder.hub).name, work.runtime.embed
    if shape is None:
        return _unknown("embed", name, _NO_SHAPE)
    device = device_for(work.runtime.plan, gpu=encodes_on_gpu(work))
    available = _share(device, max(1, len(runtime.devices)))
    memory = encoding_memory(shape, encoder, runtime)
    fit, remedy = _fit(memory, available), ""
    if fit == "does not fit":
        remedy = "no batch fits: take devices with more memory"
        for size in range(runtime.batch_size - 1, 0, -1):
            smaller = runtime.model_copy(update={"batch_size": size})
            if _fit(encoding_memory(shape, encoder, smaller), available) == "fits":
                # What is reckoned is a batch of texts that are all of the longest: it may do with less.
                remedy, fit = f"it surely fits with embed: {{batch_size: {size}}}", "tight"
                break
    return _need("embed", name, memory, available, fit, remedy)


def _search(work: Work, search: Search, shapes: Mapping[Path, ModelShape]) -> Need:
    """Return what the index of a pool needs of the host; a GPU never holds it."""
    memory = _index_memory(search, shapes)
    if memory is None:
        return _unknown("retrieve", search.name, "its rows are counted, or their size told, once they are read")
    host = device_for(work.runtime.plan, gpu=False).memory
    available = None if host is None else budget(work.runtime.retrieve.memory_bytes, host)
    fit = _fit(memory, available, room=1.0)
    remedy = ""
    if fit == "does not fit" and "index" in memory.parts:
        remedy = f"set search: {{flat_rows: {search.rows}}}, which holds no vectors, or take a machine with more memory"
    elif fit == "does not fit":
        remedy = "give it a smaller pool or fewer queries, or take a machine with more memory"
    return _need("retrieve", search.name, memory, available, fit, remedy)


def _index_memory(search: Search, shapes: Mapping[Path, ModelShape]) -> Memory | None:
    """Return the bytes that a search takes at most; None where its rows, or its vectors' width, are not known."""
    recipe = search.recipe
    if isinstance(recipe.search, Bm25Config):
        sizes = [bytes_of(dataset) for dataset in recipe.pool]
        return None if None in sizes else Memory(parts={"words": words_bytes(sum(size or 0 for size in sizes))})
    shape = shapes.get(find_encoder(recipe.embed).folder)
    if shape is None or search.rows is None or search.queries is None:
        return None
    if search.rows <= recipe.search.flat_rows:
        return Memory(parts={"queries and a block": exact_bytes(search.queries, recipe.search.select.k, shape.hidden)})
    return Memory(parts={"index": index_bytes(search.rows, shape.hidden, recipe.search.index)})


def _evaluate(work: Work, shape: ModelShape) -> Iterator[Need]:
    """Yield what scoring needs by transformers; with vLLM, its engines are the teacher's sort."""
    config, runtime = work.study.evaluate, work.runtime.evaluate
    if config.engine == "vllm":
        scored = Teacher(path=str(work.base.folder), dtype=config.dtype, max_model_len=config.max_context)
        yield _teacher(work, scored, work.base.folder.name, shape).model_copy(update={"stage": "evaluate"})
        return
    gpu = scores_on_gpu(work)
    device = device_for(work.runtime.plan, gpu=gpu)
    available = _share(device, runtime.processes if not gpu else 1)
    longest = max((one.max_output_tokens or 0 for one in work.study.benchmarks), default=0) or None
    memory = scoring_memory(shape, config, runtime, longest=longest, gpu=gpu)
    fit = _fit(memory, available)
    remedy = ""
    if fit == "does not fit" and available is not None:
        remedy, fit = "no batch fits: take devices with more memory", "does not fit"
        for size in range(runtime.batch_size - 1, 0, -1):
            smaller = runtime.model_copy(update={"batch_size": size})
            if _fit(scoring_memory(shape, config, smaller, longest=longest, gpu=gpu), available) == "fits":
                # What is reckoned is a batch of answers that are all of the longest: it may do with less.
                remedy, fit = f"it surely fits with evaluate: {{batch_size: {size}}}", "tight"
                break
    yield _need("evaluate", work.base.folder.name, memory, available, fit, remedy)


def _share(device: Device, processes: int) -> int | None:
    """Return what one process may take: a GPU is its own, a host is shared."""
    if device.memory is None:
        return None
    return device.memory if device.gpu else device.memory // processes


def _fit(memory: Memory, available: int | None, room: float = _ROOM) -> Fit:
    if available is None:
        return "unknown"
    needed = memory.device + LIBRARIES
    return "fits" if needed <= room * available else "tight" if needed <= available else "does not fit"


def _need(stage: str, name: str, memory: Memory, available: int | None, fit: Fit, remedy: str) -> Need:
    parts = {**memory.parts, "libraries": LIBRARIES}
    return Need(
        stage=stage,
        name=name,
        parts={what: _gib(count) for what, count in parts.items()},
        gib=_gib(sum(parts.values())),
        host_gib=_gib(memory.host),
        available_gib=None if available is None else _gib(available),
        fit=fit,
        remedy=remedy,
    )


def _unknown(stage: str, name: str, why: str) -> Need:
    return Need(stage=stage, name=name, parts={}, gib=0, host_gib=0, available_gib=None, fit="unknown", remedy=why)


def _changed(runtime: AnnealRuntime, nearest: AnnealRuntime) -> str:
    """Return the settings that differ, as the runtime file has them."""
    before, after = runtime.model_dump(), nearest.model_dump()
    said = (f"{name}: {str(value).lower()}" for name, value in after.items() if value != before[name])
    return f"it fits with anneal: {{{', '.join(said)}}}"


def _gib(count: int) -> float:
    return round(count / GIB, 3)
