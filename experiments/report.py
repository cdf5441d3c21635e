"""Writes the numbers that the pages take from the committed results; --check tries whether they hold."""

import argparse
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from common import ROOT
from tables import Table, read_table, tuned

from jaxteach.utils.errors import UserError, cli
from jaxteach.utils.files import write_atomic

PAGES = ("README.md", "docs/results.md", "docs/teachers.md")
RESULTS = ROOT / "experiments" / "results"
SENTENCES = ROOT / "experiments" / "sentences.txt"
SECTION = re.compile(
    r"(<!-- table ([\w/]+)(?: of (\w+))?(?: run ([^\n]+?))?(?: against ([^\n]+?))? -->\n)(.*?)(<!-- end -->)",
    re.DOTALL,
)
PLACE = re.compile(r"\{([^{}]+)\}")
NUMBER = r"(\d(?:[\d,.]*\d)?(?:k| %|%)?(?: \[[^\]]*\])?|<0\.001|never)"
"""What stands in a page where a sentence has a place."""
COLUMNS = {
    "success": "success",
    "teacher": "teacher alone",
    "budget": "environment steps a seed",
    "steps": ("confirmed steps to 0.8", "steps to 0.8"),
    "steps95": "to 0.95",
    "reached": ("seeds confirmed", "seeds that reach"),
    "ratio": "steps, as a multiple",
    "above": "P(ends above",
    "p": "p",
    "students": "students",
    "teachers": "teachers alone",
    "wrong": "wrong",
    "solving": "tables with students above 0.8",
    "unlisted": "unlisted",
}
"""How the head of a column begins, by what sentences call it."""


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing: say whether the pages hold, and train two recorded runs anew, to the bit",
    )
    given = parser.parse_args()
    for name in PAGES:
        file = ROOT / name
        text = file.read_text(encoding="utf-8")
        new = fill(text, name)
        if given.check and new != text:
            raise UserError(f"{file} is not what the results say: run python experiments/report.py")
        if not given.check:
            write_atomic(file, new.encode())
    if given.check:
        from repeating import repeat

        return repeat(RESULTS)
    return 0


def fill(text: str, page: str, results: Path = RESULTS, sentences: Path = SENTENCES) -> str:
    """A page with its tables, and the numbers of its sentences, written anew.

    Args:
        text: the page; a table stands between `<!-- table fig_x -->`, which may name the one task (`of TASK`)
            or run (`run RUN`) to show and the run that all are compared with (`against RUN`), or
            `<!-- table tune/TASK -->` for what was tuned, and `<!-- end -->`.
        page: its path, by which sentences name it.
        results: a folder for each figure, with its summary.csv; a table without one is left empty.
        sentences: the sentences with numbers: a line each, `PAGE: text with {figure|task|run|what}`.

    Raises:
        UserError: a sentence is not in the page, or names what is not in the results.
    """
    tables: dict[str, Table] = {}

    def table(match: re.Match[str]) -> str:
        head, name, task, run, reference, _, end = match.groups()
        if name.startswith("tune/"):
            return f"{head}{tuned(results / name)}{end}"
        found = read_table(results / name, reference, task, run)
        if task is run is None:
            tables[name] = found
        return f"{head}{found.markdown}{end}"

    text = SECTION.sub(table, text)
    for line in sentences.read_text(encoding="utf-8").splitlines():
        where, _, sentence = line.partition(": ")
        if where == page:
            text = written(text, sentence, lambda place: value(place, tables, results))
    return text


def written(text: str, sentence: str, fills: Callable[[str], str]) -> str:
    """A page with the numbers of a sentence written anew.

    Args:
        text: the page, which may break the sentence into lines anywhere.
        sentence: with places in braces.
        fills: what goes into a place.
    """
    if sentence.startswith("{"):
        raise UserError(f"experiments/sentences.txt: a sentence has to begin with a word: {sentence}")
    places = PLACE.findall(sentence)
    literal = [re.sub(r"(\\ )+", r"\\s+", re.escape(part)) for part in PLACE.split(sentence)[::2]]
    found = list(re.finditer(NUMBER.join(literal), text))
    if len(found) != 1:
        raise UserError(f"experiments/sentences.txt: {len(found)} times in the page, not once: {sentence}")
    (match,) = found
    for number, place in reversed(list(enumerate(places, 1))):
        start, end = match.span(number)
        text = text[:start] + fills(place) + text[end:]
    return text


def value(place: str, tables: dict[str, Table], results: Path) -> str:
    """What goes into a place, `figure|task|run|what`: a cell, by its column's short name, or a part of it.

    Args:
        place: between the braces; `what:part` for what `part` gives.
        tables: of the page, by figure.
        results: for figures that the page has no table of.

    Raises:
        UserError: the results have no such number.
    """
    figure, task, run, what = place.split("|")
    what, _, which = what.partition(":")
    table = tables.setdefault(f"fig_{figure}", read_table(results / f"fig_{figure}"))
    heads = COLUMNS[what]
    for head in (heads,) if isinstance(heads, str) else heads:
        try:
            cell = table.cell(task, run, head)
        except KeyError:
            continue
        return part(cell, which) if which else cell
    raise UserError(f"experiments/sentences.txt: the results have no {{{place}}}")


def part(cell: str, which: str) -> str:
    """A part of a cell: its number `alone`, without interval; in `%`; the p-value of `steps` or `success`.

    >>> part("0.555 [0.5, 0.6]", "alone"), part("more than 7.4", "alone"), part("<0.001; 0.157", "success")
    ('0.555', '7.4', '0.157')
    >>> part("0.292", "%"), part("75%", "%")
    ('29.2 %', '75 %')
    """
    if which in ("steps", "success"):
        return cell.split("; ")[which == "success"]
    alone = cell.removeprefix("more than ").partition(" [")[0]
    if which == "alone":
        return alone
    return f"{alone[:-1]} %" if alone.endswith("%") else f"{Decimal(alone) * 100:.1f} %"


if __name__ == "__main__":
    cli(main)
