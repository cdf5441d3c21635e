"""Tests of what --help prints: complete, short, free of what tells nothing, in any width and encoding."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
import tyro

from jaxteach.__main__ import COMMANDS
from jaxteach.cli import parse
from tests.commands import here


@dataclass(frozen=True)
class Options:
    """Do something that takes a long sentence to say, longer than a line of a terminal has room for."""

    folder: tyro.conf.Positional[Path | None] = None
    """Where; by default here."""
    seeds: int = 8
    """How many seeds."""
    cache: Path | None = None
    """A folder, or none."""
    think: bool = True
    """Think first."""
    quick: bool = False
    """Be quick about it, and leave out all that takes long, which is described at length in these words."""
    colour: Annotated[Literal["red", "green"] | None, tyro.conf.arg(name="hue")] = None
    """Of the curve."""


def helped(monkeypatch, capsys, columns=80, asked="--help", **more):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as stop:
        parse(Options, "run", args=[asked], **more)
    assert (stop.value.code or 0) == 0
    return capsys.readouterr().out


def test_all_is_told_once_and_nothing_of_none(monkeypatch, capsys):
    out = helped(monkeypatch, capsys)
    assert out.startswith("usage: python -m jaxteach.run [-h] [OPTIONS] [PATH]\n\nDo something")
    words = " ".join(out.split())
    for told in (
        "[PATH] Where; by default here.",
        "--seeds INT How many seeds. (default: 8)",
        "--cache PATH A folder, or none.",
        "--no-think Switch off: think first.",
        "--quick Be quick about it, and leave out all that takes long, which is described at length in these",
        "--hue {red,green} Of the curve.",
    ):
        assert words.count(told) == 1
    assert "None" not in out and "--no-quick" not in out and "(default: True)" not in out


@pytest.mark.parametrize("columns", [60, 80, 100, 300])
def test_it_fits_the_terminal(monkeypatch, capsys, columns):
    for common in ((), ("--quick",)):
        assert max(map(len, helped(monkeypatch, capsys, columns, common=common).splitlines())) <= min(
            columns, 100
        )


def test_common_flags_come_first_and_in_full(monkeypatch, capsys):
    out = helped(monkeypatch, capsys, common=("--quick", "--seeds"))
    rest = out[out.index("\noptions:") :]
    assert 0 < out.index("  --quick") < out.index("  --seeds") < out.index("\noptions:")
    assert "--quick" not in rest and "at length in" in out
    assert "python -m jaxteach.run --help-all tells all of this in full." in rest
    full = helped(monkeypatch, capsys, asked="--help-all", common=("--seeds",))
    assert "at length in" in full and "--help-all" not in full


def test_the_terminals_width_is_left_as_it_was(monkeypatch, capsys):
    helped(monkeypatch, capsys, columns=77)
    assert os.environ["COLUMNS"] == "77"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_commands_help(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = here(command, "--help").out
    assert out.isascii() and len(out.splitlines()) < 120
    assert not re.search(r"None\}|default: None|default: False", out)
    assert not re.search(r"(?m)^  --\S+, --no-", out)
