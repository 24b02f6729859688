"""What the report stage publishes: by which keys."""

from __future__ import annotations

from tasks.core.identity import Identity, fingerprint
from tasks.report.config import STAGE_VERSION, ReportData


def identity(data: ReportData) -> Identity:
    """Return what a report is: the whole of what it shows."""
    return Identity.of("report", STAGE_VERSION, {"study": data.study}, {"data": fingerprint(data)})
