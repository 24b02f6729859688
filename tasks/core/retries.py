"""Which failed tasks Prefect tries again: those of a machine that failed, and may work the next time.

One rule for all stages, as the options of a Prefect task: ``@task(name="anneal", **RETRIES)``. Every further try is
told, with its reason: a person who sees work start over has to know why.
"""

from __future__ import annotations

from typing import Any

from tasks.core.errors import InfrastructureError, OutageError
from tasks.core.notices import notice


async def is_worth_a_retry(task: Any, run: Any, state: Any) -> bool:
    """Say whether a failed run is worth another, and print that it gets one; Prefect asks while tries are left.

    Only what failed for the machine's sake is, and no `OutageError`: of that only a person can tell.
    """
    error = await state.aresult(raise_on_failure=False)
    if not isinstance(error, InfrastructureError) or isinstance(error, OutageError):
        return False
    reason = error.message.partition("\n")[0]  # the end of a log may follow
    notice(task.name, f"try {run.run_count} of {task.retries + 1} failed, and another follows: {reason}")
    return True


#: Two more tries, after so many seconds.
RETRIES: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": [5, 30],
    "retry_condition_fn": is_worth_a_retry,
}
