"""The students that ship: found by name, whole, as good as their cards say; and how theirs are made."""

import hashlib
import json
import re

import numpy as np
import pytest

from experiments.pretrain import interval, rounded
from jaxteach import load_policy
from jaxteach.evaluate import Options, evaluate_student
from jaxteach.student.deployed import read_params
from jaxteach.student.pretrained import FOLDER, find_run, pretrained_names
from jaxteach.utils.errors import UserError
from tests.commands import here

PAPER = {"colored_door_key", "lava_door_key", "simple_door_key", "two_door"}


def test_what_ships_is_whole_and_small():
    assert set(pretrained_names()) >= PAPER and len(pretrained_names()) >= 15
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 1_500_000
    for name in pretrained_names():
        files = {
            str(path.relative_to(FOLDER / name)) for path in (FOLDER / name).rglob("*") if path.is_file()
        }
        assert files == {"README.md", "config.json", "evaluation.json", "params/00000.npz"}
        card = (FOLDER / name / "README.md").read_text()
        assert hashlib.sha256((FOLDER / name / "params/00000.npz").read_bytes()).hexdigest() in card
        result = json.loads((FOLDER / name / "evaluation.json").read_text())
        success = result["success_rate"]["mean"]
        low, high = interval(success, result["episodes"])
        assert f"| success | {success:.4f} [{low:.4f}, {high:.4f}] in 4,000 fresh episodes" in card
        config = json.loads((FOLDER / name / "config.json").read_text())
        assert config["fingerprint"] in card and config["out"] == f"runs/{name}"
        assert "`jaxteach run --" in card and re.search(r"commit [0-9a-f]{7}", card)


def test_a_policy_is_loaded_by_name():
    policy = load_policy("pretrained/lava_door_key")
    maps = np.zeros((5, 10, 10, 4), np.uint8)
    maps[..., 3] = 4  # the agent is nowhere but in one cell
    maps[:, 3, 4, 3] = [0, 1, 2, 3, 0]
    np.testing.assert_allclose(policy(maps).sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(load_policy("pretrained/lava_door_key", 0)(maps), policy(maps))
    with pytest.raises(UserError, match=r"has no parameters of seed 3: it holds 0..0"):
        load_policy("pretrained/lava_door_key", 3)


def test_a_folder_that_is_there_means_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pretrained/lava_door_key").mkdir(parents=True)
    assert not find_run("pretrained/lava_door_key").is_absolute()
    assert find_run("runs/pretrained").parts == ("runs", "pretrained")
    assert find_run("pretrained/two_door") == FOLDER / "two_door"


@pytest.mark.parametrize("command", ["render", "evaluate"])
def test_an_unknown_name_is_one_line_with_the_nearest(command):
    done = here(command, "pretrained/lava_dor_key")
    assert (done.status, done.out) == (2, "") and done.err.count("\n") == 1
    assert done.err.startswith("error: no pretrained student 'lava_dor_key': did you mean 'lava_door_key'?")
    with pytest.raises(UserError, match="no pretrained student ''"):
        find_run("pretrained")


def test_render_and_evaluate_take_one_and_write_nothing_into_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(FOLDER.rglob("*"))
    done = here("render", "pretrained/simple_door_key", "--size", 420)
    assert (done.status, done.err) == (0, "") and done.out.startswith("episode.gif: success after ")
    done = here("evaluate", "pretrained/simple_door_key", "--episodes", 200, "--json")
    result = json.loads(done.out)
    assert (done.status, result["seeds"]) == (0, [0]) and result["success_rate"]["mean"] > 0.95
    assert sorted(FOLDER.rglob("*")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["episode.gif"]


@pytest.mark.slow
@pytest.mark.parametrize("name", pretrained_names())
def test_each_is_as_good_as_its_card_says(name):
    """On other episodes than the card's: five standard errors of the difference."""
    told = json.loads((FOLDER / name / "evaluation.json").read_text())
    found = evaluate_student(Options(FOLDER / name, episodes=1000, seed=told["seed"] + 1))
    share, n = told["success_rate"]["mean"], told["episodes"]
    spread = max(share * (1 - share), 1 / n) * (1 / n + 1 / 1000)
    assert abs(found["success_rate"]["mean"] - share) < 5 * spread**0.5


def test_rounding_to_whole_numbers(tmp_path):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(1, 40, 6)).astype(np.float32) * np.array([1e-3, 1, 50, 0, 1, 1], np.float32)
    arrays = {"seed_ids": np.array([7]), "dense_0/kernel": kernel, "dense_0/bias": kernel[:, 0]}
    kept = rounded(arrays)
    assert kept["dense_0/kernel"].dtype == np.int8 and kept["dense_0/bias"].dtype == np.float32
    np.savez(tmp_path / "x.npz", **kept)
    read = read_params(tmp_path / "x.npz")
    assert read.keys() == arrays.keys() and read["dense_0/kernel"].dtype == np.float32
    largest = np.abs(kernel).max(axis=1, keepdims=True)
    assert (np.abs(read["dense_0/kernel"] - kernel) <= largest / 127 * 0.6 + 1e-6).all()
    np.savez(tmp_path / "x.npz", **{name: x for name, x in kept.items() if name != "dense_0/kernel"})
    with pytest.raises(UserError, match="damaged"):
        read_params(tmp_path / "x.npz")
