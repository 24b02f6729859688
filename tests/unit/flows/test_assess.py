"""In which order a study's sources are made; what each of them holds is given, nothing is read or trained."""

import json
from pathlib import Path

import pytest

from flows import assess
from flows.study import Runtime, parse_study
from flows.work import Work
from tasks.core.checkpoint import Checkpoint
from tasks.core.errors import StudyError
from tasks.core.store import ArtifactRef


@pytest.fixture
def gathered(tmp_path, monkeypatch):
    """Gather the sources of a study whose packs hold so many sequences; what was made is in `gathered.made`."""

    def record(work, source, beside):
        gather.made.append(source.name)
        return ArtifactRef(path=f"records/{source.name}", digest=source.name, num_rows=1)

    def gather(**sequences):
        def pack(work, name, records):
            held = dict.fromkeys(("sequences", "samples", "tokens", "supervised_tokens"), sequences[name])

            def build(draft):
                (draft.folder / "size.json").write_text(json.dumps(held))

            return work.store.produce(work.pack_identity(records), build)

        monkeypatch.setattr(assess, "_pack", pack)
        return assess.gather(Work(study, Runtime(store=tmp_path / "store"), base))

    questions = {"name": "asked", "file": "asked.jsonl"}
    distilled = {"kind": "distill", "questions": questions, "teacher": {"model": {"path": "teacher"}, "sampling": {}}}
    study = parse_study(
        {
            "name": "here", "base": {"path": "base"}, "stage": "pretrain", "tokens": 1000, "seeds": [1],
            "validated": [{"name": "mix", "weight": 1, "file": "mix.jsonl"}],
            "candidates": [{"name": "taught", "recipe": distilled}, {"name": "new", "file": "new.jsonl"}],
            "anneal": {"sequence_length": 10, "global_batch": 2},
            "benchmarks": [{"name": "gsm8k"}],
        },
        "here",
    )  # fmt: skip
    base = Checkpoint(folder=Path("base"), digest="b", tokenizer="t", template="c", template_text=None)
    monkeypatch.setattr(assess, "_records", record)
    gather.made = []
    return gather


def test_no_teacher_is_paid_for_a_study_whose_file_is_too_small(gathered):
    with pytest.raises(StudyError, match=r"candidates\.new: its 20 % of the budget repeats it 10\.0 times"):
        gathered(mix=100, taught=100, new=2)
    assert gathered.made == ["mix", "new"]


def test_what_a_teacher_made_is_checked_too(gathered):
    with pytest.raises(StudyError, match=r"candidates\.taught: its 20 % of the budget repeats it 20\.0 times"):
        gathered(mix=100, taught=1, new=100)


def test_whatever_is_made_first_the_sources_stay_in_the_studys_order(gathered):
    records, packs = gathered(mix=100, taught=100, new=100)
    assert gathered.made == ["mix", "new", "taught"]
    assert list(records) == list(packs) == ["mix", "taught", "new"]
