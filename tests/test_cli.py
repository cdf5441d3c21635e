"""Tests of the command line's parsing: tyro's boxes become one plain sentence."""

from dataclasses import dataclass
from typing import Literal

import pytest

from jaxteach.cli import in_short, parse
from jaxteach.errors import UserError, cli


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
