"""Every error that Assay raises on purpose, as one tree.

::

    AssayError                  exit code 1
    ├── StudyError        2     the declared study makes no sense; nothing was started
    ├── DataError         3     an input file, row or column cannot be used
    ├── EngineError       4     an engine failed, and trying again will not help
    │   └── InfrastructureError   5   the machine failed (killed, lost, timed out): worth a retry
    │       └── OutageError       5   ... and stays failed: only a person can tell when it is worth one
    ├── IntegrityError    6     a result is missing, stale, partial or does not belong here
    └── BudgetReached     7     the work stopped at a declared cap; what was done is kept

An error says what is wrong, where, and what to do about it (``remedy``). Engines' own errors are mapped to these once,
at the adapter, and chained. `tasks.core.retries` tries what raised an `InfrastructureError` again, unless it is an
`OutageError`.
"""

from __future__ import annotations


class AssayError(Exception):
    """Base of all errors that Assay raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive Exception's own pickling, and these errors cross processes.
        return (_rebuild, (type(self), self.message, self.remedy))


def _rebuild(kind: type[AssayError], message: str, remedy: str) -> AssayError:
    return kind(message, remedy=remedy)


class StudyError(AssayError):
    """The declared study makes no sense. The message opens with the field's path."""

    exit_code = 2


class DataError(AssayError):
    """An input file, row or column cannot be used as declared."""

    exit_code = 3


class EngineError(AssayError):
    """An engine failed for a reason that a retry would only repeat."""

    exit_code = 4


class InfrastructureError(EngineError):
    """The machine, not the work, failed: a killed process, a lost node, a time-out. Worth a retry."""

    exit_code = 5


class OutageError(InfrastructureError):
    """The machine stays failed: a full disk, a declared time that is over, or a stage's own retries in vain."""


class IntegrityError(AssayError):
    """A result is missing, stale, partial, or belongs to something else. Never a number."""

    exit_code = 6


class BudgetReached(AssayError):  # noqa: N818 - it is no fault
    """The work stopped cleanly at a cap that was declared. What was done is kept; a higher cap goes on from there."""

    exit_code = 7
