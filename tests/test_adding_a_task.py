"""docs/adding_a_task.md, run as it stands in a copy of the repository.

The whole walk is slow: at every change its first half is run, which writes the task and its table. That tasks
of a package of one's own train and are evaluated is tested then in tests/worlds/test_gymnax.py.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unoptimised

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "adding_a_task.md"
WHO = ("student", "teacher")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Do what the page says before it trains; the folder it was done in, and what was printed."""
    folder, session = tmp_path_factory.mktemp("written"), []
    for language, file, code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if "jaxteach.train(" in code:
            break
        if file:
            (folder / file).write_text(code, encoding="utf-8")
        else:
            assert language == "python"
            session.append(code)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", "\n".join(session)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Do what the page says; the folder it was done in, and what each script printed.

    Blocks with a file's name are written to it; bash blocks are run; the python blocks before a bash
    block are one session.
    """
    folder = tmp_path_factory.mktemp("walk")
    for name in ("src", "teacher_cache"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    printed: list[str] = []
    session: list[str] = []

    def run(*command: str) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = os.environ | {
            "PATH": path,
            "PYTHONPATH": os.pathsep.join([str(folder / "src"), str(folder / "installed")]),
            # pip: into this folder, with the build tools that are there, asking no index.
            "PIP_TARGET": str(folder / "installed"),
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        result = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        printed.append(result.stdout)

    for language, file, code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if file:
            (folder / file).write_text(code, encoding="utf-8")
        elif language == "python":
            session.append(code)
        else:
            assert language == "bash"
            if session:
                run(sys.executable, "-c", "\n".join(session))
                session.clear()
            run("bash", "-euo", "pipefail", "-c", code)
    assert not session
    return folder, printed


def test_the_captions_are_those_on_the_page(written: tuple[Path, str]) -> None:
    folder, printed = written
    captions = [line for line in printed.splitlines() if line.startswith("Agent sees")]
    assert len(captions) == 6
    shown = "\n".join(f"    {caption}" for caption in captions)
    assert shown in PAGE.read_text(encoding="utf-8")
    table = json.loads((folder / "by-hand.json").read_text(encoding="utf-8"))
    assert [state["text"] for state in table["states"]] == captions


@pytest.mark.slow
def test_the_student_learns_as_the_page_says(walked: tuple[Path, list[str]]) -> None:
    _, (python, *_) = walked
    early, late = (float(rate) for rate in re.findall(r"^success (\S+)$", python, re.MULTILINE))
    assert late > 0.85 and late - early > 0.2


@pytest.mark.slow
def test_the_commands_know_the_task(walked: tuple[Path, list[str]]) -> None:
    folder, (_, tables, runs) = walked
    assert "sensible options 1.00" in tables
    student, teacher = (re.search(rf"^{who}:.* success (\d\.\d+)", runs, re.MULTILINE) for who in WHO)
    assert student and float(student[1]) > 0.9
    assert teacher and float(teacher[1]) > 0.99
    assert "student on key_in_corner:large_rooms, 500 episodes" in runs
    assert (folder / "corner.gif").read_bytes().startswith(b"GIF89a")


def test_the_name_is_nowhere_in_the_package() -> None:
    source = (ROOT / "src").rglob("*.py")
    assert not [path for path in source if "key_in_corner" in path.read_text(encoding="utf-8")]
