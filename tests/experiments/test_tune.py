"""Tests of tuning: every method alike, on seeds that are never reported, and chosen by the rule it states."""

import csv
import dataclasses
import hashlib
import json
import runpy
import sys
from collections import Counter

import methods
import numpy as np
import pytest
import tune
from common import SCALES, Options
from methods import METHODS, OURS, chosen, configured, untuned
from reporting import csv_text, run_command

from jaxteach.config import check, resolve
from jaxteach.config.effects import check_sweep
from jaxteach.config.sweep import changed, grid
from jaxteach.run import read_options
from jaxteach.utils.errors import UserError

DEFAULT = SCALES["default"]
COMMITTED = sorted(methods.TUNED.glob("*.json"))


def test_the_command_of_a_sweep_gives_its_configuration():
    for method in METHODS:
        config = resolve(tune.tuning(DEFAULT, "lava_door_key", method))
        options, _ = read_options(run_command(config, {"platform": "gpu"}).split()[3:])
        assert resolve(options.config) == config


def test_the_script_takes_the_tasks_to_tune_on(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tune.py", "--task", "lava_door_key", "--task", "two_door", "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(tune.__file__, run_name="__main__")
    assert f"--task {{{','.join(tune.TASKS)}}}" in " ".join(capsys.readouterr().out.split())


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Where tuned settings are looked for in a test."""
    monkeypatch.setattr(methods, "TUNED", tmp_path)
    return tmp_path


def test_every_method_has_the_same_budget():
    assert set(tune.GRIDS) == set(METHODS)
    for task in tune.TASKS:
        sweeps = {method: tune.tuning(DEFAULT, task, method) for method in METHODS}
        for config in sweeps.values():
            check_sweep(config)
            check(config)
            assert config.first_seed >= 100 and config.first_seed + config.seeds <= 1000
        assert {(len(grid(config)), config.seeds) for config in sweeps.values()} == {(8, 3)}
        steps = {method: resolve(config).env_steps for method, config in sweeps.items()}
        baselines = {steps[method] for method in METHODS if method != OURS}
        assert len(baselines) == 1 and baselines.pop() >= steps[OURS]


def test_the_first_setting_of_each_grid_is_the_default():
    for method in METHODS:
        base = untuned(DEFAULT, "simple_door_key", method)
        first = grid(tune.tuning(DEFAULT, "simple_door_key", method))[0]
        assert changed(base, first.values) == base


def test_the_plan_trains_all_methods_of_the_tasks_asked_for(monkeypatch, capsys):
    found = []

    def trained(jobs, options):
        found.extend(jobs)
        raise SystemExit

    monkeypatch.setattr(tune, "trained", trained)
    for scale, tasks, n in (("default", (), 20), ("default", ("two_door",), 5), ("quick", (), 5)):
        found.clear()
        with pytest.raises(SystemExit):
            tune.tune(Options("tune", SCALES[scale], plan=True, tasks=tasks))
        assert len({(job.config.task, job.label) for job in found}) == n
        assert {job.config.task for job in found} >= set(tasks)
    assert "8 settings, ppo.entropy_weight=0.01,0.03 x ppo.gamma=0.99,0.995 x" in capsys.readouterr().out


def row(method, point, seed, score):
    return {"run": method, "point": point, "seed": seed, "score": score}


def test_the_choice_by_hand():
    one, two, three = (f"ppo.gamma={gamma},ppo.lr=0.002" for gamma in (0.99, 0.995, 0.9))
    rows = [
        *(row("a", one, seed, score) for seed, score in ((100, 0.9), (101, 0.1))),
        *(row("a", two, seed, score) for seed, score in ((100, 0.6), (101, 0.7))),
        *(row("a", three, seed, score) for seed, score in ((100, 0.7), (101, 0.6))),  # equal: the earlier
        *(row("b", point, 100, 0.0) for point in (one, two, three)),  # nothing learns: the defaults
    ]
    values = {"ppo.gamma": 0.995, "ppo.lr": 0.002}
    best = {"point": two, "values": values, "score": 0.65, "default_score": 0.5}
    none = {"point": one, "values": values | {"ppo.gamma": 0.99}, "score": 0.0, "default_score": 0.0}
    assert tune.choose(rows) == {"a": best, "b": none}


def test_success_averaged_by_hand():
    rates = np.array([[np.nan, np.nan, 0.4, 0.8, np.nan], [np.nan] * 5, [1.0, 0.5, 0.0, 0.5, 0.5]])
    np.testing.assert_allclose(tune.averaged(rates), [(0.4 + 0.8 + 0.8) / 5, 0.0, 0.5])


def test_tuned_settings_are_those_of_the_file(files):
    for method in METHODS:
        plain = configured(DEFAULT, "lava_door_key", method)
        assert plain == untuned(DEFAULT, "lava_door_key", method)
    choice = {"chosen": {"RL only": {"values": {"ppo.gamma": 0.995, "ppo.entropy_weight": 0.03}}}}
    (files / "simple_door_key.json").write_text(json.dumps(choice))
    for task in ("simple_door_key", "simple_door_key:small_rooms"):
        config = configured(DEFAULT, task, "RL only")
        assert (config.ppo.gamma, config.ppo.entropy_weight, config.decay.name) == (0.995, 0.03, "none")
        assert configured(DEFAULT, task, OURS) == untuned(DEFAULT, task, OURS)
    own = configured(DEFAULT, "simple_door_key", "RL + count bonus", env_steps=4096, teacher="none")
    assert (own.env_steps, own.teacher, own.ppo.bonus) == (4096, "none", "visits")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "is damaged or cut short"),
        ('{"chosen": {"RL only": 3}}', "must hold 'values'"),
        ('{"chosen": {"RL only": {"values": {"ppo.x": 3}}}}', "ppo.x is no setting"),
    ],
)
def test_a_damaged_file_is_refused(files, text, words):
    (files / "two_door.json").write_text(text)
    with pytest.raises(UserError, match=words):
        chosen(files / "two_door.json")


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.stem)
def test_the_committed_choice_follows_from_the_committed_rows(file):
    choice = json.loads(file.read_text())
    data = file.with_suffix(".csv").read_bytes()
    assert choice["files"] == {f"{file.stem}.csv": hashlib.sha256(data).hexdigest()}
    rows = list(csv.DictReader(data.decode().splitlines()))
    assert csv_text(rows).encode() == data
    assert tune.choose(rows) == choice["chosen"] and choice["rule"] == tune.RULE
    assert {100 <= int(row["seed"]) < 1000 for row in rows} == {True}
    assert choice["seeds"] == sorted({int(row["seed"]) for row in rows})
    sizes = Counter(row["run"] for row in rows)
    assert set(sizes) == set(METHODS) and len(set(sizes.values())) == 1
    assert [run["label"] for run in choice["runs"]] == list(METHODS)
    # Tuning has seeds of its own.
    assert choice["scale"] | {"seeds": DEFAULT.seeds} == dataclasses.asdict(DEFAULT)
    for method in METHODS:  # as the script would train it today
        config = resolve(tune.tuning(DEFAULT, file.stem, method))
        assert choice["env_steps"][method] == config.env_steps
        assert choice["grid"][method] == {f: list(v) for f, v in map(tune.parse_axis, config.sweep)}
