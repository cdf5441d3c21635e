"""Tests of the command line's parsing: tyro's boxes become one plain sentence."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
import tyro

from jaxteach.cli.parsing import in_full, in_short, parse
from jaxteach.utils.errors import UserError, cli


@dataclass(frozen=True)
class Options:
    """Some options."""

    seeds: int = 8
    """How many seeds."""
    lr: float = 1e-3
    """Learning rate."""
    lava: int | None = None
    """Lava cells."""
    teacher: Literal["soft", "hard"] = "soft"
    """Which."""
    calm: bool = False
    """A switch, with two flags."""
    pair: tuple[int, int] | None = None
    """Two of them."""


@dataclass(frozen=True)
class Needed:
    """Options without which nothing goes."""

    out: Path
    """Where to, as wide as a line of a box is, and wider; (in words)."""
    task: str
    """Which."""
    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """From where."""


def test_values_are_parsed_over_the_default():
    assert parse(Options, "run", args=["--seeds", "3"]) == Options(seeds=3)
    assert parse(Options, "run", default=Options(lr=1.0), args=["--lava=2"]) == Options(lr=1.0, lava=2)
    assert parse(Options, "run", args=["--seeds", "3", "--seeds", "4"]).seeds == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--seeds abc", "--seeds: 'abc' is not a whole number"),
        ("--seeds 3.5", "--seeds: '3.5' is not a whole number"),
        ("--lr x", "--lr: 'x' is not a number"),
        ("--lava two", "--lava: 'two' does not fit, it takes {None}|INT"),
        ("--seeds", "--seeds: its value is missing"),
        ("--teacher medium", "--teacher: 'medium' is not one of 'soft', 'hard'"),
        ("--sed 3", "unknown option --sed: did you mean --seeds?"),
        ("--nonsense", "unknown option --nonsense"),
        ("--lr 1 2", "unknown option 2"),
        ("--calm yes", "unknown option yes"),
        ("--clam", "unknown option --clam: did you mean --calm?"),
        ("--no-clam", "unknown option --no-clam: did you mean --no-calm?"),
        ("--see 1 --l 2", "unknown option --see: did you mean --seeds?"),
        ("--pair 1", "--pair: '1' does not fit, it takes {None}|{INT INT}"),
    ],
)
def test_mistakes_in_one_sentence(arguments, message, capsys):
    with pytest.raises(UserError) as error:
        parse(Options, "run", args=arguments.split())
    assert str(error.value) == f"{message} (python -m jaxteach.run --help)"
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "box",
    [
        "╭─ Parsing error ─╮\n│ Something \x1b[31mnew: --a-b - c │\n\x1b[0m╰──╯",
        " Parsing error\n -----\n  Something new: --a-b - c\n",
    ],
)
def test_words_not_foreseen_are_kept(box):
    assert in_short(box) == "Something new: --a-b - c"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "RUN and --out and --task are missing"),
        ("r --out x", "--task is missing"),
        ("--out x --task y", "RUN is missing"),
        ("r --nonsense", "unknown option --nonsense"),
    ],
)
def test_what_is_required_is_named(arguments, message):
    with pytest.raises(UserError) as error:
        parse(Needed, "run", args=arguments.split())
    assert str(error.value) == f"{message} (python -m jaxteach.run --help)"


def test_a_heading_of_any_name_is_left_out():
    assert in_short("╭─ Brand new heading ─╮\n│ Something: a │\n╰──╯") == "Something: a"


@pytest.mark.parametrize("arguments", ["~/r --out=~/x --task=~/t", "~/r --out ~/x --task ~/t"])
def test_a_home_that_the_shell_has_left(monkeypatch, arguments):
    monkeypatch.setenv("HOME", "/elsewhere")
    found = parse(Needed, "run", args=arguments.split())
    assert found == Needed(Path("/elsewhere/x"), "/elsewhere/t", Path("/elsewhere/r"))


def test_a_home_that_there_is_not(monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # unknown to the system, HOME unset
    for argument in ("--out=~/x", "~", "~/x"):
        with pytest.raises(UserError, match="this account has no home directory"):
            in_full(argument)
    assert in_full("--out=~friend/x") == "--out=~friend/x"


def test_help_is_printed_and_ends_well(capsys):
    with pytest.raises(SystemExit) as stop:
        parse(Options, "run", args=["--help"])
    printed = capsys.readouterr()
    assert (stop.value.code or 0, printed.err) == (0, "")
    assert "How many seeds." in printed.out


@pytest.mark.parametrize(("result", "status"), [(None, 0), (0, 0), (130, 130)])
def test_exit_status_is_what_main_returns(result, status):
    with pytest.raises(SystemExit) as stop:
        cli(lambda: result)
    assert stop.value.code == status


def test_user_errors_are_one_printable_line(capsys):
    def main():
        raise UserError("two\nlines \x1b[31mand\x00 " + "much " * 1000)

    with pytest.raises(SystemExit) as stop:
        cli(main)
    printed = capsys.readouterr()
    assert (stop.value.code, printed.out) == (2, "")
    assert printed.err.startswith("error: two lines ?[31mand? much")
    assert printed.err.count("\n") == 1
    assert len(printed.err) < 620
    assert printed.err.rstrip("\n").isprintable()


def test_other_errors_are_not_hidden():
    def main():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        cli(main)
