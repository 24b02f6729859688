"""Checkpoints are whole or not there."""

import pytest

from tasks.anneal.checkpoints import COMMIT, check_shape, checkpoint_folder, commit, latest, prune, run_shape
from tasks.anneal.config import AnnealConfig, AnnealRuntime
from tasks.core.errors import EngineError

SHAPE = run_shape(AnnealConfig(global_batch=8), AnnealRuntime())


def save(root, step):
    folder = checkpoint_folder(root, step)
    (folder / "engine").mkdir(parents=True)
    (folder / "engine" / "weights.pt").write_bytes(b"weights of %d" % step)
    commit(folder, step, SHAPE)
    return folder


def test_the_newest_whole_one_is_found(tmp_path):
    assert latest(tmp_path) is None
    for step in (5, 10, 100):
        save(tmp_path, step)
    found = latest(tmp_path)
    assert found is not None and (found.step, found.shape) == (100, SHAPE)


@pytest.mark.parametrize(
    "tear",
    [
        lambda folder: (folder / COMMIT).unlink(),
        lambda folder: (folder / "engine" / "weights.pt").unlink(),
        lambda folder: (folder / "engine" / "weights.pt").write_bytes(b"weights of"),
        lambda folder: (folder / "engine" / "weights.pt").write_bytes(b"WEIGHTS of 10"),
    ],
)
def test_a_torn_one_falls_back_to_the_one_before(tmp_path, tear):
    save(tmp_path, 5)
    tear(save(tmp_path, 10))
    found = latest(tmp_path)
    assert found is not None and found.step == 5


def test_the_last_two_are_kept_and_torn_ones_are_not(tmp_path):
    for step in (5, 10, 15):
        save(tmp_path, step)
    (checkpoint_folder(tmp_path, 20)).mkdir()
    prune(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000010", "step-00000015"]


def test_another_shape_of_run_is_refused_with_both_named(tmp_path):
    save(tmp_path, 5)
    found = latest(tmp_path)
    assert found is not None
    check_shape(found, SHAPE, "arm")
    with pytest.raises(EngineError, match=r"stopped at step 5 under workers 1, and this run has workers 2"):
        check_shape(found, SHAPE | {"workers": 2}, "arm")
