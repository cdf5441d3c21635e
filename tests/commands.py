"""Commands run as a user runs them: inside this process, which shares compiled programs, or apart."""

import contextlib
import importlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from jaxteach.utils.errors import cli

ROOT = Path(__file__).parents[1]
# The smallest run that still does everything, in two chunks of which the second is padded. Its students
# learn next to nothing, but lava ends their episodes early, at various times. On one device, as in the tests'
# own process: so that commands apart from it find its compiled programs.
TINY = (
    "--seeds 3 --seeds-per-chunk 2 --env-steps 4096 --eval-episodes 20 --student.hidden 8 "
    "--rollout.envs 8 --rollout.steps 16 --ppo.minibatch 32 --ppo.epochs 1 "
    "--variant.room-min 5 --variant.room-max 6 --variant.n-lava 2 --variant.max-steps 30 --host-devices 1"
).split()


@dataclass(frozen=True)
class Done:
    """A command's result."""

    status: int
    out: str
    err: str


def here(command: str, *arguments: object) -> Done:
    """Run `python -m jaxteach.<command>` inside this process."""
    main = importlib.import_module(f"jaxteach.{command}").main
    out, err = io.StringIO(), io.StringIO()
    argv = [command, *map(str, arguments)]
    status: int | str | None = None
    with mock.patch("sys.argv", argv), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli(main)
        except SystemExit as stop:
            status = stop.code
    return Done(int(status or 0), out.getvalue(), err.getvalue())


def started(command: str, *arguments: object, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Start `python -m jaxteach.<command>` in a separate process."""
    return subprocess.Popen(
        [sys.executable, "-m", f"jaxteach.{command}", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )


def apart(command: str, *arguments: object, cwd: Path | None = None) -> Done:
    """Run `python -m jaxteach.<command>` in a separate process."""
    process = started(command, *arguments, cwd=cwd)
    out, err = process.communicate(timeout=300)
    return Done(process.returncode, out, err)


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
