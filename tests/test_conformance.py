"""`python -m jaxteach.conformance`: what it prints, its exit status, and what it says to bad input."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxteach.conformance import main, task_of
from jaxteach.tasks import task_names
from jaxteach.utils.errors import UserError, cli
from jaxteach.worlds.minigrid.paper.traces import Trace, read_trace, take_episodes

DATA = Path(__file__).parent / "data" / "conformance"


@pytest.fixture(scope="module")
def small() -> Trace:
    """Two short episodes."""
    return take_episodes(read_trace(DATA / "simpledoorkey.npz"), 4, 6)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The command's exit status."""
    monkeypatch.setattr(sys, "argv", ["conformance", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli(main)
    return stop.value.code


def test_a_line_of_json_a_file(small: Trace, tmp_path: Path, monkeypatch, capsys) -> None:
    wrong = {name: values.copy() for name, values in small.items()}
    wrong["obs"][3, 1, 1, 0] += 1
    np.savez(tmp_path / "simpledoorkey.npz", **small)
    np.savez(tmp_path / "wrong.npz", **wrong)

    assert run(monkeypatch, tmp_path / "simpledoorkey.npz") == 0
    (line,) = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    assert list(result) == ["file", "task", "steps", "episodes", "mismatches"]
    assert (result["file"], result["task"], result["episodes"]) == ("simpledoorkey.npz", "simple_door_key", 2)
    assert set(result["mismatches"].values()) == {0} and len(result["mismatches"]) == 11

    both = (tmp_path / "wrong.npz", tmp_path / "simpledoorkey.npz")
    assert run(monkeypatch, *both, "--task", "simple_door_key") == 1
    first, second = (json.loads(line)["mismatches"] for line in capsys.readouterr().out.splitlines())
    assert first["observation"] == 1 and sum(first.values()) == 1
    assert sum(second.values()) == 0


def test_the_task_is_read_off_the_files_name() -> None:
    names = task_names()
    for name in ("simple_door_key", "lava_door_key", "colored_door_key", "two_door"):
        for file in (name.replace("_", ""), f"{name.replace('_', '')}-rare", f"hidden_{name}"):
            assert task_of(Path("somewhere") / f"{file}.npz", names) == name
    with pytest.raises(UserError, match="no task is named in the file's name; give one with --task"):
        task_of(Path("simpledoorkey/trace.npz"), names)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing/simpledoorkey.npz"], "cannot read missing/simpledoorkey.npz: No such file or directory"),
        (["text-twodoor.npz"], "text-twodoor.npz is damaged or cut short: not an archive"),
        (["cut-twodoor.npz"], "cut-twodoor.npz is damaged or cut short: not an archive"),
        (["folder-twodoor.npz"], "cannot read folder-twodoor.npz: Is a directory"),
        (["pickled-twodoor.npz"], "pickled-twodoor.npz is damaged or cut short: not an archive"),
        (["empty-twodoor.npz"], "empty-twodoor.npz: the trace lacks grid"),
        (["trace.npz"], "give one with --task"),
        (["small.npz", "--task", "simpel_door_key"], "did you mean 'simple_door_key'?"),
        (["small.npz", "--task", "two_door"], "small.npz: grid has shape"),
        (["small.npz", "--task", "Navix-Empty-5x5-v0"], "recorded episodes are those of door/key tasks"),
        (["small.npz", "--task", "colored_door_key"], "expected 2, 1, 0"),
        (["small.npz", "--task", "simple_door_key", "--teacher", "chatgml"], "did you mean 'chatglm'?"),
        (["small.npz", "--tusk", "simple_door_key"], "--tusk"),
        ([], "no trace file given"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    arguments: list[str], message: str, small: Trace, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("small.npz", **small)
    np.savez("empty-twodoor.npz", nothing=np.zeros(3))
    np.savez("pickled-twodoor.npz", grid=np.array([{}]))
    Path("cut-twodoor.npz").write_bytes(Path("small.npz").read_bytes()[:5000])
    Path("text-twodoor.npz").write_text("not a trace")
    Path("folder-twodoor.npz").mkdir()
    assert run(monkeypatch, *arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ") and output.err.count("\n") == 1
    assert message in output.err


def test_as_a_command_it_prints_no_traceback() -> None:
    command = [sys.executable, "-m", "jaxteach.conformance", "nowhere/twodoor.npz"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: cannot read nowhere/twodoor.npz: No such file or directory\n"
