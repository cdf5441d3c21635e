"""What is shipped: the wheel, made from the source archive, carries the tables and finds them."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESOLVE = """
from jaxteach.tasks import language
from jaxteach.teacher import find_table, load_table
print(find_table("chatglm", "simple_door_key"))
print(load_table("chatglm", "simple_door_key", language("simple_door_key")).sha256)
"""


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed: checkout -> source archive -> wheel -> folder."""
    folder = tmp_path_factory.mktemp("packaging")
    build = (sys.executable, "-m", "hatchling", "build")
    run(*build, "-t", "sdist", "-d", folder, cwd=ROOT)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    run(*build, "-t", "wheel", "-d", folder, cwd=next(path for path in folder.iterdir() if path.is_dir()))
    wheel, target = next(folder.glob("*.whl")), folder / "site"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--no-deps", "--no-index", "--target", target, wheel, cwd=folder)
    return target


def test_an_installed_wheel_finds_its_tables_from_another_folder(installed: Path, tmp_path: Path) -> None:
    path, digest = run(sys.executable, "-c", RESOLVE, cwd=tmp_path, PYTHONPATH=str(installed)).splitlines()
    assert Path(path) == installed / "jaxteach/teacher_cache/simple_door_key/chatglm.json"
    checkout = run(sys.executable, "-c", RESOLVE, cwd=tmp_path, PYTHONPATH=str(ROOT / "src")).splitlines()
    assert checkout == [str(ROOT / "teacher_cache/simple_door_key/chatglm.json"), digest]


def test_the_wheel_carries_every_table_and_module_of_the_checkout(installed: Path) -> None:
    def files(folder: Path, ending: str) -> set[Path]:
        return {path.relative_to(folder) for path in folder.rglob(f"*{ending}")}

    assert files(installed / "jaxteach", ".py") == files(ROOT / "src/jaxteach", ".py")
    for assets in (".html", ".css", ".js", ".txt"):
        assert files(installed / "jaxteach", assets) == files(ROOT / "src/jaxteach", assets)
    for kept in (".npz", ".json", ".md"):
        shipped = files(ROOT / "src/jaxteach/pretrained", kept)
        assert shipped and files(installed / "jaxteach/pretrained", kept) == shipped
    assert files(installed / "jaxteach/teacher_cache", ".json") == files(ROOT / "teacher_cache", ".json")


def test_the_console_command_is_installed(installed: Path, tmp_path: Path) -> None:
    version = run(installed / "bin/jaxteach", "--version", cwd=tmp_path, PYTHONPATH=str(installed))
    assert version.startswith("jaxteach ")
    listed = run(installed / "bin/jaxteach", "tables", "--help", cwd=tmp_path, PYTHONPATH=str(installed))
    assert listed.startswith("usage: jaxteach tables ")


def test_citation_and_package_name_the_same_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited and cited[1] == version
