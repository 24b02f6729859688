"""The artifact that a report becomes."""

from __future__ import annotations

from tasks.core.store import Store
from tasks.report.config import STAGE_VERSION, ReportData
from tasks.report.task import identity, write_files

#: Pinned beside the version: another digest without a higher STAGE_VERSION is a change nobody announced.
PINNED = (3, "c48518b96fdf65c0")


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
