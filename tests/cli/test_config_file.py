"""Tests of `--config FILE`: what a file changes, what flags change over it, and what is refused."""

import json
from pathlib import Path

import pytest

from jaxteach.config import Config, preset, to_json
from jaxteach.run import read_options
from jaxteach.utils.errors import UserError
from tests.commands import ROOT, TINY, here

OLD = ROOT / "tests/data/v1_runs/taught/config.json"


def asked(*args: object) -> Config:
    return read_options([str(arg) for arg in args])[0].config


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_some_settings_in_toml_or_json_change_the_presets(tmp_path):
    toml = written(
        tmp_path, "a.toml", 'task = "lava_door_key"\nseeds = 3\n[ppo]\nlr = 0.5\n[decay]\noff_at = 1\n'
    )
    as_json = {"task": "lava_door_key", "seeds": 3, "ppo": {"lr": 0.5}, "decay": {"off_at": 1}}
    same = written(tmp_path, "a.json", json.dumps(as_json))
    flags = ["--task", "lava_door_key", "--seeds", 3, "--ppo.lr", 0.5, "--decay.off-at", 1]
    assert to_json(asked("--config", toml)) == to_json(asked("--config", same)) == to_json(asked(*flags))
    # A preset says what the file leaves out, whether a flag or the file names it.
    assert asked("--config", toml, "--preset", "paper").decay.floor == preset("paper").decay.floor
    named = written(tmp_path, "b.toml", 'preset = "paper"\n')
    assert asked(f"--config={named}") == preset("paper")
    assert asked("--config", written(tmp_path, "empty.toml", "")) == Config()


def test_the_preset_of_a_level_is_found_wherever_the_level_is_named(tmp_path):
    level = "MiniGrid-ObstructedMaze-2Dlhb-v1"
    by_flags = asked("--preset", "level", "--task", level, "--teacher", "rule-ideal")
    assert (by_flags.decay.floor, by_flags.env_steps) == (0.3, 1_048_576)
    text = f'task = "{level}"\npreset = "level"\nteacher = "rule-ideal"\n'
    assert asked("--config", written(tmp_path, "a.toml", text)) == by_flags
    named = written(tmp_path, "b.toml", f'task = "{level}"\n')
    assert asked("--config", named, "--preset", "level").decay == by_flags.decay
    assert asked("--task", level, "--preset", "level", "--env-steps", 512).env_steps == 512
    with pytest.raises(UserError, match="task must be a text"):
        asked("--config", written(tmp_path, "c.toml", "task = 3\n"))
    for args in (["--preset", "level"], ["--preset", "level", "--task", "two_door"]):
        with pytest.raises(UserError, match="nothing was found for task"):
            asked(*args)


def test_flags_change_what_the_file_says_wherever_they_stand(tmp_path):
    toml = written(tmp_path, "a.toml", "seeds = 3\nppo.lr = 0.5\nppo.clip = 0.3\n")
    for args in (
        ["--seeds", 5, "--ppo.lr", 0.1, "--config", toml],
        ["--config", toml, "--seeds", 5, "--ppo.lr", 0.1],
    ):
        config = asked(*args)
        assert (config.seeds, config.ppo.lr, config.ppo.clip) == (5, 0.1, 0.3)


def test_the_last_of_two_files_counts_as_of_any_flag(tmp_path):
    one, other = written(tmp_path, "a.toml", "seeds = 3"), written(tmp_path, "b.toml", "seeds = 4")
    assert asked("--config", one, "--config", other).seeds == 4
    assert asked("--preset", "fast", "--preset", "paper") == preset("paper")


def test_a_runs_record_repeats_it_elsewhere():
    options, then = read_options(["--config", str(OLD)])
    assert then is None
    config, record = options.config, json.loads(OLD.read_text())
    assert (config.out, options.host_devices, options.keep_params) == (None, 1, "all")
    # Fields that came later are at their defaults.
    own = {**to_json(config), "out": "runs/taught"}
    own["corrupt"].pop("states")
    own["ppo"] = {name: value for name, value in own["ppo"].items() if not name.startswith("bonus")}
    assert own | {"variant": 0} == {name: record[name] for name in own} | {"variant": 0}
    assert asked("--config", OLD, "--seeds", 3).seeds == 3


def test_a_run_from_a_record_has_the_same_results(tmp_path):
    assert here("run", *TINY, "--out", tmp_path / "a", "--keep-params", "none").status == 0
    done = here("run", "--config", tmp_path / "a/config.json", "--out", tmp_path / "b")
    assert (done.status, done.err) == (0, "")
    one, other = (json.loads((tmp_path / name / "config.json").read_text()) for name in "ab")
    assert one["fingerprint"] == other["fingerprint"] and other["keep_params"] == "none"
    assert (tmp_path / "a/metrics.npz").read_bytes() == (tmp_path / "b/metrics.npz").read_bytes()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "sedes = 3", "sedes is no setting: did you mean 'seeds'?"),
        ("a.toml", "[ppo]\nlrr = 1", "ppo.lrr is no setting: did you mean 'lr'?"),
        ("a.toml", "seeds-per-chunk = 3", "did you mean 'seeds_per_chunk'?"),
        ("a.toml", "seeds = 3\nseeds = 4", "is not TOML"),
        ("a.toml", "seeds = 'x'", "seeds must be a whole number, not 'x'"),
        ("a.toml", "seeds = true", "seeds must be a whole number"),
        ("a.toml", "seeds = 2024-01-01", "seeds must be a whole number, not 2024-01-01"),
        ("a.toml", "seeds = 0", "--seeds 0: must be at least 1"),
        ("a.toml", "ppo.lr = nan", "ppo.lr must be a finite number"),
        ("a.toml", "decay = 'linear'", "decay must be an object"),
        ("a.toml", "preset = 3", "preset must be a text"),
        ("a.toml", "preset = 'slow'", "unknown preset 'slow'"),
        ("a.toml", "keep_params = 'some'", "keep_params must be one of all, none"),
        ("a.toml", "resume = true", "resume is no setting"),
        ("a.toml", "a = " + "[" * 5000, "is not TOML"),
        ("a.toml", "\x00", "is not TOML"),
        ("a.json", '{"seeds": 1, "seeds": 2}', "the key 'seeds' stands there twice"),
        ("a.json", '{"ppo": {"lr": 1, "lr": 2}}', "ppo: the key 'lr' stands there twice"),
        ("a.json", "[1]", "must hold a JSON object"),
        ("a.json", '{"seeds": ', "is damaged or cut short"),
        ("a.json", '{"fingerprint": "x"}', "is missing"),
        ("a.yaml", "seeds: 3", "must be a .toml or a .json file"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, name, text, message):
    path = written(tmp_path, name, text)
    with pytest.raises(UserError) as error:
        asked("--config", path)
    assert message in str(error.value)
    done = here("run", "--config", path)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)


def test_what_is_no_file_is_refused(tmp_path):
    for path, message in (
        (tmp_path / "no.toml", "No such file"),
        (tmp_path / "no.json", "No such file"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(UserError, match=message):
            asked("--config", path)
    with pytest.raises(UserError, match="--config: its value is missing"):
        asked("--config")


def test_a_preset_cannot_be_put_under_a_record():
    with pytest.raises(UserError, match="holds settings of the preset fast"):
        asked("--config", OLD, "--preset", "paper")
    assert asked("--config", OLD, "--preset", "fast").preset == "fast"
