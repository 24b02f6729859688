import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_reference_is_what_the_models_say():
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, text in module.pages().items():
        assert (DOCS / "reference" / name).read_text() == text, "run `make reference`"
