"""The commands in README.md and docs/, run as they stand.

Fenced blocks whose info string ends in `test` (```bash test) are run, one page after the other in a folder
of its own, blocks in order. Only budgets are changed: `python -m jaxteach.run` is given flags for a tiny run
besides its own. At every change README.md is run within this process, which shares compiled programs with
others, but for what has long tests of its own; of the pages that take long the blocks are read alone.
`make test-slow` runs them as they are.
"""

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import ROOT, TINY, here

BLOCK = re.compile(r"^```(bash|python) test\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LONG = ("README.md", "environments.md", "report.md")
TESTED = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]
FEWER = {"run": TINY, "evaluate": ["--episodes", "20"], "report": ["--episodes", "24"]}
"""By command: flags that make it a matter of seconds."""
CASES = "\n".join(
    f'    "-m jaxteach.{name}") exec "{sys.executable}" "$@" {" ".join(flags)} ;;'
    for name, flags in FEWER.items()
)
PYTHON = f"""#!/bin/sh
case "$1 $2" in
{CASES}
    *) exec "{sys.executable}" "$@" ;;
esac
"""
CONSOLE = """#!/bin/sh
command="$1"
shift
exec python -m "jaxteach.$command" "$@"
"""


def make_shims(folder: Path) -> Path:
    """A folder of commands as pages have them, which cut budgets down."""
    folder.mkdir()
    for name, text in (("python", PYTHON), ("jaxteach", CONSOLE)):
        shim = folder / name
        shim.write_text(text)
        shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    return folder


def test_the_readme_is_tested():
    assert ROOT / "README.md" in TESTED


@pytest.mark.parametrize("page", [page for page in TESTED if page.name in LONG], ids=lambda page: page.name)
def test_blocks_that_take_long_can_be_read(page):
    for language, code in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            compile(code, page.name, "exec")
        else:
            subprocess.run(["bash", "-n", "-c", code], check=True)


def test_the_readme_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for language, code in BLOCK.findall(PAGES[0].read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(code, "README.md", "exec"), {})
            continue
        for line in code.splitlines():
            python, flag, module, *arguments = shlex.split(line, comments=True)
            assert (python, flag) == ("python", "-m")
            name = module.removeprefix("jaxteach.")
            if name == "report" or arguments[0].startswith("pretrained/"):
                continue  # tests/test_report.py, tests/student/test_pretrained.py
            done = here(name, *arguments, *FEWER.get(name, ()))
            assert done.status == 0, f"{line}\n{done.err}"


@pytest.mark.unoptimised
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.slow] if page.name in LONG else [])
        for page in TESTED
    ],
)
def test_commands_work_as_they_stand(page, tmp_path):
    shims = make_shims(tmp_path / "bin")
    folder = tmp_path / "there"
    folder.mkdir()
    environment = os.environ | {
        "PATH": f"{shims}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
    }
    for language, code in BLOCK.findall(page.read_text(encoding="utf-8")):
        command = ["bash", "-euo", "pipefail", "-c"] if language == "bash" else ["python", "-c"]
        done = subprocess.run(
            [*command, code], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{code}\n{done.stderr}"
