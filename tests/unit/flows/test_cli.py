import io
import json

import pytest
from typer.testing import CliRunner

from flows import cli
from tasks.core.errors import StudyError

runner = CliRunner()


def test_help_names_every_command_and_the_exit_codes():
    text = runner.invoke(cli.app, ["--help"]).stdout
    commands = ("run", "make", "plan", "show", "trace", "compare", "audit", "judge", "review", "doctor", "demo")
    assert all(command in text for command in commands)
    assert "Exit codes" in text


@pytest.mark.parametrize(
    "command", ["run", "make", "plan", "show", "trace", "compare", "audit", "judge", "doctor", "demo"]
)
def test_every_command_explains_itself_and_speaks_json(command):
    done = runner.invoke(cli.app, [command, "--help"])
    assert done.exit_code == 0
    assert "--json" in done.stdout


def test_an_error_ends_in_its_exit_code_and_says_the_remedy(monkeypatch, capsys):
    def fails():
        raise StudyError("tokens: too few", remedy="give more")

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "tokens: too few" in said and "give more" in said


def test_a_study_that_was_never_run_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["assay", "show", "nothing", "--store", str(tmp_path)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 6
    assert "nothing" in capsys.readouterr().err


def test_what_a_terminal_cannot_show_is_written_out(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setattr(cli, "app", lambda: cli.out.print("half \udcff − ü"))
    cli.main()
    terminal.flush()
    assert terminal.buffer.getvalue() == b"half \\udcff \\u2212 \\xfc\n"


def test_json_is_whole_and_alone_on_standard_output(capsys):
    cli._print_json({"a": [1, "ü"]})
    assert json.loads(capsys.readouterr().out) == {"a": [1, "ü"]}
