"""The small study with every engine on the GPU: NCCL, DeepSpeed's offload, OpenCompass on CUDA."""

import pytest
import yaml

pytestmark = [pytest.mark.gpu, pytest.mark.engine]


@pytest.mark.parametrize(
    "anneal", [{}, {"zero_stage": 2}, {"zero_stage": 3, "offload": True, "gradient_checkpointing": True}]
)
def test_a_study_on_a_gpu_finds_what_it_finds_on_a_cpu(small_study, anneal):
    declared = yaml.safe_load(small_study.file.read_text())
    declared["anneal"] |= {"dtype": "bfloat16", "attention": "sdpa"}
    small_study.file.write_text(yaml.safe_dump(declared))
    runtime = {"anneal": {"use_gpu": True, **anneal}, "evaluate": {"device": "cuda"}}
    (small_study.folder / "runtime.yaml").write_text(yaml.safe_dump(runtime))
    settings = ("--runtime", small_study.folder / "runtime.yaml")
    done = small_study.assay("run", small_study.file, *settings, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    shown = {candidate["name"]: candidate for candidate in small_study.json("show", "small")["candidates"]}
    assert shown["right"]["verdict"] == "helps"
    assert shown["wrong"]["verdict"] != "helps"
