"""`assay --help` and a checked study must not wait for an engine to be imported."""

import subprocess
import sys

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
