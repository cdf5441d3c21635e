"""Replays of recordings: what is wrong in them is counted, what cannot be read is refused in one line."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.conformance import COMPARED, conform
from jaxteach.worlds.minigrid.traces import Trace, is_minigrid_trace, read_trace
from tests.worlds.minigrid.farama import record

NAME = "MiniGrid-ObstructedMaze-1Dlhb-v0"


@pytest.fixture(scope="module")
def trace() -> Trace:
    return record(NAME, 6, seed=8)[0]


def save(trace: Trace, path: Path, **changed: np.ndarray) -> Path:
    np.savez_compressed(path, **{**trace.arrays, **changed})
    return path


def test_a_recording_replays_from_its_file(trace: Trace, tmp_path: Path) -> None:
    path = save(trace, tmp_path / "anything.npz")
    assert is_minigrid_trace(path)
    result = conform(read_trace(path))
    assert result["id"] == NAME and result["episodes"] == 6 and result["steps"] == len(trace["action"])
    assert result["mismatches"] == dict.fromkeys(COMPARED, 0)


@pytest.mark.parametrize(
    ("array", "counted"),
    [
        ("grid", "grid"),
        ("inside", "inside"),
        ("agent_pos", "pose"),
        ("agent_dir", "pose"),
        ("carrying", "carrying"),
        ("image", "image"),
        ("visible", "visible"),
        ("reward", "reward"),
        ("terminated", "terminated"),
        ("truncated", "truncated"),
    ],
)
def test_one_wrong_row_is_one_mismatch(trace: Trace, array: str, counted: str) -> None:
    values = trace[array].copy()
    flat = values.reshape(len(values), -1)
    flat[1, -1] = flat[1, -1] == 0  # in the first episode's second state, or step: never in a first state
    wrong = dataclasses.replace(trace, arrays={**trace.arrays, array: values})
    assert conform(wrong)["mismatches"] == {**dict.fromkeys(COMPARED, 0), counted: 1}


def test_a_mission_that_the_level_does_not_have_is_a_mismatch(trace: Trace) -> None:
    missions = np.array(["pick up the red ball", *trace["mission"][1:]])
    wrong = dataclasses.replace(trace, arrays={**trace.arrays, "mission": missions})
    assert conform(wrong)["mismatches"]["mission"] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minigrid": np.array("2.5.0")}, "minigrid 2.5.0"),
        ({"id": np.array("MiniGrid-WFC-MazeSimple-v0")}, "WFC levels are not here"),
        ({"id": np.array("MiniGrid-DoorKey-5x5-v0")}, "grid of 11x6"),
        ({"reward": np.zeros(3)}, "field 'reward'"),
        ({"steps": np.zeros(0, int)}, "field 'steps'"),
    ],
)
def test_a_recording_that_does_not_fit_is_refused(
    trace: Trace, tmp_path: Path, changes: dict[str, np.ndarray], message: str
) -> None:
    path = save(trace, tmp_path / "bad.npz", **changes)
    with pytest.raises(UserError, match=message):
        conform(read_trace(path), str(path))


def test_a_truncated_file_a_text_and_another_archive_are_refused(trace: Trace, tmp_path: Path) -> None:
    whole = save(trace, tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("no trace")
    np.savez(tmp_path / "other.npz", actions=np.zeros(3))
    for name in ("cut", "text", "other", "missing"):
        path = tmp_path / f"{name}.npz"
        with pytest.raises(UserError, match=name):
            read_trace(path)
        assert not is_minigrid_trace(path)
