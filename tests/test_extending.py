"""docs/extending.md, run as it stands: a package of a user's own with one of each extension."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.commands import ROOT
from tests.plugins import command, install, python

pytestmark = pytest.mark.unoptimised

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {file: code for _, file, code in BLOCK.findall(PAGE) if file}
LINES = [
    line for language, _, code in BLOCK.findall(PAGE) if language == "bash" for line in code.splitlines()
]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The page's package installed, its commands run; the folder, and what each printed."""
    folder = tmp_path_factory.mktemp("extended")
    points = tomllib.loads(FILES["pyproject.toml"])["project"]["entry-points"]
    modules = {name.removesuffix(".py"): code for name, code in FILES.items() if name.endswith(".py")}
    install(folder, "balance", points, **modules)
    printed = []
    for line in LINES:
        python_, flag, module, *arguments = line.split()
        assert (python_, flag) == ("python", "-m")
        done = python(folder, "-m", module, *arguments)
        assert done.status == 0, done.err
        printed.append(done.out)
    return folder, printed


def test_the_commands_use_all_four(walked: tuple[Path, list[str]]) -> None:
    folder, (asked, ran, evaluated) = walked
    assert "tilt left" in asked and "(coin)" in ran and "student on balance, 20 episodes" in evaluated
    assert '"total_variation"' in (folder / "taught" / "config.json").read_text()


def test_a_network_without_a_form_in_numpy_is_refused(walked: tuple[Path, list[str]]) -> None:
    folder, _ = walked
    code = "import jaxteach\ntry:\n    jaxteach.load_policy('taught', 0)\n"
    code += "except jaxteach.UserError as error:\n    print(error)"
    done = python(folder, "-c", code)
    assert "which have a form in NumPy, not 'wide'" in done.out
    done = command(folder, "render", "taught")
    assert done.status == 2 and done.err.count("\n") == 1 and "'wide'" in done.err


def lines_of(file: str, start: str, end: str = r"\n\n\n(?!def|    )|\Z") -> int:
    """How many lines a part of a file takes, blank ones and the module's head left out."""
    part = re.search(rf"^{start}.*?(?={end})", FILES[file], re.MULTILINE | re.DOTALL)
    assert part
    return sum(bool(line.strip()) for line in part[0].splitlines())


def test_each_takes_as_few_lines_as_promised() -> None:
    assert sum(bool(line.strip()) for line in FILES["balance.py"].splitlines()) <= 60
    assert lines_of("balance_extras.py", "class Wide", r"\n\n\ndef total") <= 30
    assert lines_of("balance_extras.py", "def total_variation", r"\n\n\nclass") <= 10
    assert lines_of("balance_extras.py", "class CoinBackend", r"\Z") <= 30
