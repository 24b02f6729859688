"""What a person sees while a study runs."""

from flows.progress import AnnealProgress
from tasks.anneal.engine import Progress


def test_a_retry_counts_no_anneal_twice(capsys):
    with AnnealProgress(3) as progress:
        for job, state in [("a", "finished"), ("b", "finished"), ("a", "cached"), ("b", "cached"), ("c", "finished")]:
            progress(Progress(job, state))
    said = capsys.readouterr().err
    assert progress.done == 3
    assert "3 of 3" in said
    assert "5 of 3" not in said
