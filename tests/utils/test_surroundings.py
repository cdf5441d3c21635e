"""Tests of commands in the surroundings they find, as of a notebook, a container or an old terminal."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxteach.utils import surroundings
from tests.commands import ROOT

LIST = ("tables", "--task", "Navix-Empty-5x5-v0")  # quick, starts JAX and imports navix


def run(*arguments, cwd=None, **variables):
    """Run a command under other variables."""
    return subprocess.run(
        [sys.executable, "-m", f"jaxteach.{arguments[0]}", *map(str, arguments[1:])],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")} | variables,
        cwd=cwd,
        capture_output=True,
        check=False,
    )


def test_a_command_looks_for_garbage_seldom_and_not_as_it_ends():
    code = (
        "import atexit, gc; from jaxteach.utils.surroundings import settle; settle(); "
        "print(gc.get_threshold()[0]); atexit._run_exitfuncs(); print(gc.get_freeze_count() > 0)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["100000", "True"]


def test_the_backend_of_a_notebook():
    done = run(*LIST, MPLBACKEND="module://matplotlib_inline.backend_inline")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {},
    ],
)
def test_letters_that_the_terminal_has_none_for(variables):
    code = """
from jaxteach.utils.errors import UserError, cli
def main():
    print("\\u2500 caf\\u00e9 \\udce9")
    raise UserError("\\u2500")
cli(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")} | variables,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2 and done.stderr.startswith(b"error: ") and done.stderr.count(b"\n") == 1
    assert b"caf" in done.stdout and done.stdout.endswith(b" \\udce9\n")


@pytest.mark.parametrize("command", ["run", "plot", "tables", "launch"])
def test_help_on_a_terminal_without_letters(command):
    done = run(command, "--help", PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and b"--" in done.stdout and done.stderr == b""


def test_a_matplotlibrc_that_is_no_text(tmp_path):
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe")
    done = run(*LIST, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1
    assert done.stderr.startswith(b"error: matplotlib cannot read its settings")


def test_a_matplotlibrc_with_mistakes_and_a_folder_of_settings_that_cannot_be_written(tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: maybe\nbackend: nonsense\nfoo.bar: 1\n")
    done = run(*LIST, cwd=tmp_path, MPLCONFIGDIR=str(tmp_path / "matplotlibrc" / "x"))
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"JAX_PLATFORMS": "cuda"}, "JAX_PLATFORMS=cuda: there are no such devices here"),
        ({"JAX_PLATFORMS": "tpu"}, "JAX_PLATFORMS=tpu: there are no such devices here"),
        ({"JAX_PLATFORMS": "nonsense,cpu"}, "JAX_PLATFORMS=nonsense,cpu: there are no such devices here"),
        ({"JAX_PLATFORM_NAME": "gpu"}, "JAX_PLATFORM_NAME=gpu: there are no such devices here"),
        ({"JAX_PLATFORM_NAME": "nonsense"}, "JAX_PLATFORM_NAME=nonsense: there are no such devices here"),
    ],
)
def test_devices_that_are_not_there(variables, says):
    environment = {"JAX_PLATFORMS": ""} | variables
    done = run("evaluate", "--who", "teacher", "--task", "two_door", **environment)
    err = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b"") and err.count("\n") == 1
    assert err.startswith(f"error: {says}") and "unset that" in err


def test_what_needs_no_accelerator_takes_none():
    done = run(*LIST, JAX_PLATFORMS="cuda", JAX_PLATFORM_NAME="gpu")
    assert (done.returncode, done.stderr) == (0, b"")


def test_how_an_extra_is_installed_from_a_checkout(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    assert surroundings.how_to_install("cluster") == 'pip install -e ".[cluster]"'
    monkeypatch.chdir(tmp_path)
    assert surroundings.how_to_install("llm") == f'pip install -e "{ROOT}[llm]"'


def test_how_an_extra_is_installed_beside_an_installed_package(monkeypatch, tmp_path):
    needs = [
        "jax<0.13",
        'submitit<2,>=1.5; extra == "cluster"',
        "torch<3; extra == 'llm'",
        "b; extra == 'llm'",
    ]
    monkeypatch.setattr(
        surroundings, "__file__", str(tmp_path / "site-packages/jaxteach/utils/surroundings.py")
    )
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: needs)
    assert surroundings.how_to_install("cluster") == 'pip install "submitit<2,>=1.5"'
    assert surroundings.how_to_install("llm") == 'pip install "torch<3" "b"'


def test_no_message_names_a_package_that_is_in_no_index():
    for file in Path(surroundings.__file__).parents[1].rglob("*.py"):
        assert "install 'jaxteach" not in (text := file.read_text()) and 'install "jaxteach' not in text, file
