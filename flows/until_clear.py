"""A study whose seeds are added a round at a time, until its verdicts are clear or will hardly become so.

Each look is the same study with more of its seeds: what an earlier look trained and scored is found in the store. The
error levels are spent over the looks (`tasks.compare.sequential`), so that looking often claims no more.
"""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.assess import assess
from flows.findings import comparison_of
from flows.progress import say
from flows.record import latest, read_record
from flows.study import Runtime, Study
from tasks.compare.stopping import decide
from tasks.core.errors import StudyError
from tasks.core.store import Store

#: Fewer carry no verdict.
_FEWEST_SEEDS = 2


@flow(name="assess until clear", flow_run_name="{study.name}, until clear")
def assess_until_clear(study: Study, runtime: Runtime = Runtime()) -> Path:  # noqa: B008 - frozen, so it may be shared
    """Carry a study out look by look and return the folder of the last look's report.

    A study that declares no looks is looked at after every seed, from the second on.

    Raises:
        StudyError: if there are fewer than three seeds, or the last declared look is not at all of them.
    """
    study = with_looks(study)
    store, looks = Store(runtime.store), study.compare.looks or ()
    for seeds in looks:
        report = assess(study.model_copy(update={"seeds": study.seeds[:seeds]}), runtime)
        record = read_record(store, latest(store, study.name).record)
        decision = decide(comparison_of(store, record), study.compare)
        say("look", f"{study.name}, {seeds} of {len(study.seeds)} seeds: {decision.sentence}")
        if decision.next_seeds is None:
            break
    return report


def with_looks(study: Study) -> Study:
    """Return a study that says when it is looked at: as it declares, else after every seed from the second on.

    Raises:
        StudyError: as `assess_until_clear`.
    """
    count = len(study.seeds)
    if study.compare.looks is None and count > _FEWEST_SEEDS:
        compare = study.compare.model_copy(update={"looks": tuple(range(_FEWEST_SEEDS, count + 1))})
        return study.model_copy(update={"compare": compare})
    if study.compare.looks is None or study.compare.looks[-1] != count:
        raise StudyError(
            f"seeds: {count}, and the last look is at {study.compare.looks[-1] if study.compare.looks else 'none'}",
            remedy=f"declare {_FEWEST_SEEDS + 1} seeds or more, and end compare.looks at their number",
        )
    return study
