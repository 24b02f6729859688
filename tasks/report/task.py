"""The report task: one value in, ``report.html``, ``report.md`` and ``report.json`` out, and the table in Prefect."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.exceptions import PrefectException

from tasks.core.notices import notice
from tasks.core.store import ArtifactRef, Draft, Store
from tasks.report.artifact import identity
from tasks.report.config import ReportData
from tasks.report.render import html, markdown, summary_table


@task(name="report", task_run_name="report {data.study}")
def write_report(data: ReportData, store_root: Path) -> ArtifactRef:
    """Publish the report of a study, and show its table and its verdicts in Prefect's UI."""
    ref = Store(store_root).produce(identity(data), lambda draft: write_files(data, draft))
    _show(data)
    return ref


def _show(data: ReportData) -> None:
    """Show the report in Prefect's UI. A server that does not take it must not fail a study that is done."""
    key = re.sub(r"[^a-z0-9]+", "-", f"report-{data.study}".lower()).strip("-")
    try:
        create_markdown_artifact(markdown(data), key=key, description=f"Report of {data.study}")
        create_table_artifact(
            summary_table(data), key=f"{key}-deltas", description=f"Deltas of {data.study}, in points"
        )
    except (PrefectException, httpx.HTTPError) as error:
        notice("report", f"{data.study}  the Prefect UI does not show this: {type(error).__name__}")


def write_files(data: ReportData, draft: Draft) -> None:
    """Write the three forms of a report into `draft`."""
    forms = {"report.html": html(data), "report.md": markdown(data), "report.json": data.model_dump_json(indent=1)}
    for name, text in forms.items():
        (draft.folder / name).write_text(text, encoding="utf-8")
    draft.provenance = {"study_hash": data.study_hash}
