"""Tests of the console command: it lists the commands, runs them, and completes their flags."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jaxteach.__main__ import COMMANDS, console, main
from tests.commands import ROOT
from tests.test_boundary import NO_COMMANDS


def typed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[int, str, str]:
    """Exit status, output and errors of `jaxteach WORDS`."""
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/jaxteach", *words])
    with pytest.raises(SystemExit) as stop:
        console()
    printed = capsys.readouterr()
    return int(stop.value.code or 0), printed.out, printed.err


def test_every_command_is_listed_with_what_it_does(capsys, monkeypatch):
    there = {path.stem for path in (ROOT / "src/jaxteach").glob("*.py") if path.name not in NO_COMMANDS}
    assert set(COMMANDS) == there - {"__main__"}
    for words in ((), ("--help",), ("-h",)):
        status, out, err = typed(capsys, monkeypatch, *words)
        assert (status, err) == (0, "")
        rows = dict(line.split(maxsplit=1) for line in out.splitlines() if line.startswith("  "))
        assert list(rows) == list(COMMANDS) and all(len(text) > 20 for text in rows.values())
        assert max(map(len, out.splitlines())) <= 100


def test_the_version(capsys, monkeypatch):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert typed(capsys, monkeypatch, "--version") == (0, f"jaxteach {version}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_help_names_it_as_it_was_typed(capsys, monkeypatch, command):
    status, out, err = typed(capsys, monkeypatch, command, "--help")
    assert (status, err) == (0, "") and out.startswith(f"usage: jaxteach {command} ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rn"], "unknown command 'rn': did you mean 'run'?"),
        (["--seeds", "3"], "unknown option --seeds: a command comes first, as in jaxteach run --seeds"),
        (["gymnasium"], "unknown command 'gymnasium'"),
        (["__main__"], "unknown command '__main__'"),
        (["plot", "--wndow", "3"], "unknown option --wndow: did you mean --window? (jaxteach plot --help)"),
        (["plot", "nowhere"], "no such run folder: nowhere"),
        (["--tyro-print-completion"], "(jaxteach --help)"),
        (["--tyro-print-completion", "fsh"], "did you mean 'fish'? (choose from: bash, fish,"),
        (["plot", "--tyro-print-completion", "fsh"], "did you mean 'fish'?"),
    ],
)
def test_mistakes_are_one_line_and_status_2(capsys, monkeypatch, words, message):
    status, out, err = typed(capsys, monkeypatch, *words)
    assert (status, out) == (2, "") and err.startswith("error: ") and err.count("\n") == 1
    assert message in err


def test_as_a_module_it_is_the_same(tmp_path):
    def run(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    status, out, _ = run("jaxteach")
    assert status == 0 and out.startswith("usage: python -m jaxteach COMMAND")
    one, other = run("jaxteach", "plot", "nowhere"), run("jaxteach.plot", "nowhere")
    assert one == other == (2, "", "error: no such run folder: nowhere\n")
    assert run("jaxteach", "plot", "--help")[1].replace("-m jaxteach ", "-m jaxteach.").split() == (
        run("jaxteach.plot", "--help")[1].split()
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_their_flags(capsys, monkeypatch, shell):
    status, out, err = typed(capsys, monkeypatch, "--tyro-print-completion", shell)
    assert (status, err) == (0, "")
    assert "jaxteach" in out and all(command in out for command in COMMANDS)
    assert "--ppo.lr-end" in out and "--window" in out


def test_listing_imports_no_command():
    heavy = {"jax", "numpy", "tyro", "jaxteach.run"}
    code = (
        "import sys; sys.argv = ['jaxteach']; from jaxteach.__main__ import main; main(); "
        f"print({heavy} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        check=True,
    )
    assert done.stdout.endswith("set()\n")


def test_status_of_a_command_is_passed_on(monkeypatch):
    monkeypatch.setattr("sys.argv", ["jaxteach", "merge", "x"])
    monkeypatch.setattr("jaxteach.merge.main", lambda: 7)
    assert main() == 7


def test_the_script_is_installed_under_its_name():
    scripts = tomllib.loads((Path(ROOT) / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"jaxteach": "jaxteach.__main__:console"}
