"""Packages of a user's own: written into a folder as if installed there, and commands that see them."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.commands import ROOT, Done


def install(
    folder: Path, package: str, entry_points: Mapping[str, Mapping[str, str]], **modules: str
) -> Path:
    """Write a package with its entry points.

    Args:
        folder: what continues the path; it may hold several packages.
        package: its name.
        entry_points: by group, `module:object` by name.
        **modules: the source of its modules by their names.

    Returns:
        The folder.
    """
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [
        line
        for group, points in entry_points.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)
    return folder


def python(folder: Path, *arguments: object) -> Done:
    """Run Python where the packages of a folder are installed."""
    path = os.pathsep.join([str(folder), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def command(folder: Path, name: str, *arguments: object) -> Done:
    """Run `python -m jaxteach.<name>` where the packages of a folder are installed."""
    return python(folder, "-m", f"jaxteach.{name}", *arguments)
