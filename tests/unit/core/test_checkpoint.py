"""What lies with a model: its chat template, however it was saved."""

import json

import pytest

from tasks.core.checkpoint import own_template

NAMED = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "plain"}]


@pytest.mark.parametrize(
    ("declared", "found"),
    [("plain", "plain"), (NAMED, "plain"), (NAMED[:1], None), ([], None), (None, None)],
)
def test_the_template_of_a_tokenizers_config(tmp_path, declared, found):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": declared}))
    assert own_template(tmp_path) == found


def test_a_template_in_a_file_of_its_own_comes_first(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": NAMED}))
    (tmp_path / "chat_template.jinja").write_text("own")
    assert own_template(tmp_path) == "own"
