"""`assay --help` and a checked study must not wait for an engine to be imported."""

import subprocess
import sys

import pytest

ENGINES = ("torch", "transformers", "ray", "deepspeed", "mlflow", "datasets", "opencompass")


def imported(code):
    script = f"{code}\nimport sys; print([name for name in {ENGINES!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_the_main_flow_imports_no_engine():
    assert imported("import flows.assess") == "[]"


def test_the_command_line_imports_neither_an_engine_nor_prefect():
    assert (
        imported(
            "import flows.cli, flows.study\nassert 'prefect' not in sys.modules".replace("assert", "import sys; assert")
        )
        == "[]"
    )


@pytest.mark.parametrize(
    "module", ["findings", "record", "tables", "planning", "plan_tables", "trace", "orders", "funnel"]
)
def test_what_only_looks_into_the_store_imports_neither_an_engine_nor_prefect(module):
    assert imported(f"import flows.{module}, sys; assert 'prefect' not in sys.modules") == "[]"
