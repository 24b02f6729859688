"""The artifact that a report becomes."""

from __future__ import annotations

import httpx
import pytest
from prefect.exceptions import PrefectException

from tasks.core.store import Store
from tasks.report.artifact import identity
from tasks.report.config import STAGE_VERSION, ReportData
from tasks.report.task import write_files, write_report

#: Pinned beside the version: another digest without a higher STAGE_VERSION is a change nobody announced.
PINNED = (5, "226e47c385fd9439")


def test_three_forms_and_the_pinned_digest(tmp_path, data: ReportData):
    store = Store(tmp_path)
    ref = store.produce(identity(data), lambda draft: write_files(data, draft))
    folder = store.folder(ref)
    assert {path.name for path in folder.iterdir()} == {"report.html", "report.md", "report.json", "manifest.json"}
    assert ReportData.model_validate_json((folder / "report.json").read_text()) == data
    assert (STAGE_VERSION, ref.digest[:16]) == PINNED


def test_the_same_data_is_the_same_report_and_other_data_another(data: ReportData):
    assert identity(data).key == identity(data.model_copy(update={})).key
    assert identity(data).key != identity(data.model_copy(update={"warnings": ("new",)})).key


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), PrefectException("413")])
def test_a_server_that_does_not_take_the_report_fails_no_study(tmp_path, data: ReportData, monkeypatch, capsys, error):
    def refuse(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("tasks.report.task.create_markdown_artifact", refuse)
    ref = write_report.fn(data, tmp_path)
    assert (Store(tmp_path).folder(ref) / "report.html").exists()
    [line] = capsys.readouterr().err.splitlines()
    assert "the Prefect UI does not show this" in line
    assert type(error).__name__ in line
