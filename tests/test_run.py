"""Tests of `python -m jaxteach.run`: what it leaves behind, how it stops, what it refuses."""

import hashlib
import json
import re
import resource
import signal
import time

import numpy as np
import pytest

from jaxteach import load_policy
from jaxteach.analysis import load_run
from jaxteach.teacher.loading import cache_folder
from jaxteach.training.metrics import ARRAYS
from tests.commands import TINY, apart, files_in, here, started

CHATGLM = cache_folder() / "simple_door_key/chatglm.json"
OBSERVATION = np.full((10, 10, 4), (1, 0, 0, 4), np.uint8)
OBSERVATION[5, 5, 3] = 0
COUNTS = "seeds seeds-per-chunk env-steps eval-episodes rollout.envs ppo.epochs".split()
HELP = {
    "run": "--task --teacher --decay --student --preset --seeds --first-seed --env-steps --out "
    "--eval-episodes --seeds-per-chunk --ppo.lr --decay.floor --distill.teacher --resume".split(),
    "evaluate": "--who --task --teacher --episodes --greedy --json".split(),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, here("run", *TINY, "--first-seed", 5, "--out", folder)


# ---- the run folder -------------------------------------------------------------------------------


def test_a_run_ends_well_and_says_how_it_went(run):
    folder, done = run
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith(f"run folder: {folder} (") and lines[0].endswith(" free)")
    assert re.fullmatch(r"compiling for \d+ cpu devices? \.\.\.", lines[1])
    assert re.fullmatch(r"compiled in .* s; up to .* of disk needed, .* free", lines[2])
    assert re.fullmatch(r" *\d+%  chunk 1/2  update 8/64  .* steps/s  success .*  \d+ s left", lines[3])
    assert lines[4] == "evaluating chunk 1/2, 2 students ..."
    assert any(line.startswith("student: IQM success ") and "over 3 seeds" in line for line in lines)
    summary = json.loads((folder / "summary.json").read_text())
    teacher, episodes = summary["teacher_success_rate"], summary["teacher_episodes"]
    assert f"teacher: success {teacher:.3f} over {episodes} episodes (chatglm)" in lines
    assert any(line.startswith("trained in ") for line in lines)


def test_run_folder_holds_what_is_promised(run):
    names = {"config.json", "summary.json", "metrics.npz", "metrics.jsonl"}
    assert set(files_in(run[0])) == names | {"params/00000.npz", "params/00001.npz"}


def test_config_is_resolved(run):
    config = json.loads((run[0] / "config.json").read_text())
    asked = {"seeds": 3, "first_seed": 5, "seeds_per_chunk": 2, "env_steps": 4096, "eval_episodes": 20}
    assert asked.items() <= config.items()
    assert (config["task"], config["teacher"], config["preset"]) == ("simple_door_key", "chatglm", "fast")
    assert config["student"] == {"name": "ego", "hidden": 8}
    assert config["decay"]["name"] == "linear_plateau"
    assert config["ppo"]["minibatch"] == 32
    assert {"python", "jaxteach", "jax", "jaxlib", "flax", "navix", "numpy"} <= set(config["versions"])
    sha256 = hashlib.sha256(CHATGLM.read_bytes()).hexdigest()
    assert config["teacher_table"] == {"name": "chatglm", "sha256": sha256}


def test_summary_has_every_key(run):
    summary = json.loads((run[0] / "summary.json").read_text())
    facts = {"schema_version": 2, "task": "simple_door_key", "student": "ego", "decay": "linear_plateau"}
    assert facts.items() <= summary.items()
    assert summary["teacher"]["name"] == "chatglm" and len(summary["teacher"]["sha256"]) == 64
    assert (summary["seeds"], summary["env_steps"]) == ([5, 6, 7], [4096] * 3)
    assert 0.1 < summary["teacher_success_rate"] < 0.9  # it knows nothing of lava
    assert {"0.5", "0.8", "0.9", "0.95"} <= set(summary["env_steps_to_success"])
    crossings = summary["confirmed_crossings"]
    assert list(crossings) == list(summary["env_steps_to_success"])
    assert all(set(crossing) == {"env_steps", "known_after", "seeds"} for crossing in crossings.values())
    assert summary["env_steps_per_second"] > 0
    wall = summary["wall_seconds"]
    assert set(wall) == {"compile", "train", "evaluate", "total"}
    assert wall["total"] >= wall["compile"] + wall["train"] + wall["evaluate"] > 0
    assert summary["env_steps_per_second"] == pytest.approx(3 * 4096 / wall["train"])
    for name in ("success_rate", "return", "length"):
        statistic = summary[name]
        assert set(statistic) == {"mean", "iqm", "ci95", "n", "per_seed"}
        assert (statistic["n"], len(statistic["per_seed"])) == (3, 3)
        low, high = statistic["ci95"]
        assert low <= statistic["iqm"] <= high
        assert statistic["mean"] == pytest.approx(np.mean(statistic["per_seed"]))
    assert 1 < summary["length"]["mean"] <= 30


def test_metrics_have_every_array(run):
    with np.load(run[0] / "metrics.npz", allow_pickle=False) as metrics:
        assert {"seed_ids", *ARRAYS} <= set(metrics.files)
        assert metrics["seed_ids"].tolist() == [5, 6, 7]
        assert {metrics[name].shape for name in ARRAYS} == {(3, 32)}
        np.testing.assert_array_equal(metrics["env_steps"][0], np.arange(1, 33) * 128)
        assert np.isfinite(metrics["distill"]).all()
    assert load_run(run[0]).seeds == 3  # and the analysis takes them as they are


def test_log_has_a_line_a_segment(run):
    lines = [json.loads(line) for line in (run[0] / "metrics.jsonl").read_text().splitlines()]
    assert [(line["chunk"], line["update"]) for line in lines] == [
        (c, u) for c in (0, 1) for u in (8, 16, 24, 32)
    ]
    assert [line["env_steps"] for line in lines] == [2048, 4096, 6144, 8192, 9216, 10240, 11264, 12288]
    assert all({"success", "seconds", "lambda", "distill", "value_loss"} <= set(line) for line in lines)
    assert [line["env_steps_per_seed"] for line in lines] == [1024, 2048, 3072, 4096] * 2


def test_every_student_can_be_loaded(run):
    policies = [load_policy(run[0], seed)(OBSERVATION) for seed in (5, 6, 7)]
    assert np.unique(policies, axis=0).shape == (3, 7)
    np.testing.assert_allclose(np.sum(policies, axis=1), 1, atol=1e-5)


def test_a_run_repeated_gives_the_same_numbers(run, tmp_path):
    folder = tmp_path / "again"
    assert here("run", *TINY, "--first-seed", 5, "--out", folder).status == 0
    for name in ("params/00000.npz", "params/00001.npz", "metrics.npz"):
        with np.load(run[0] / name) as one, np.load(folder / name) as other:
            assert set(one.files) == set(other.files)
            for array in one.files:
                np.testing.assert_array_equal(one[array], other[array])
    first, second = (json.loads((path / "summary.json").read_text()) for path in (run[0], folder))
    measures = "success_rate return length env_steps_to_success confirmed_crossings teacher_success_rate"
    for name in measures.split():
        assert first[name] == second[name]


def test_without_a_teacher_and_into_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = here("run", *TINY, "--teacher", "none", "--seeds", 1)
    assert (done.status, done.err) == (0, "")
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("simple_door_key-none-linear_plateau-")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["teacher"] is None and summary["teacher_success_rate"] is None
    assert json.loads((folder / "config.json").read_text())["teacher_table"] is None
    with np.load(folder / "metrics.npz") as metrics:
        assert not metrics["distill"].any()
    assert "teacher:" not in done.out


# ---- speed and signals --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "evaluate"])
def test_help_is_quick_and_complete(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = apart(command, "--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.status, done.err) == (0, "")
    assert [flag for flag in HELP[command] if flag not in done.out] == []
    # The processor's seconds: the machine may be busy.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2


def test_ctrl_c_leaves_a_usable_run(tmp_path):
    folder = tmp_path / "run"
    process = started("run", *TINY, "--seeds", 50_000, "--host-devices", 1, "--out", folder)
    while not (folder / "metrics.jsonl").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert out.startswith(f"run folder: {folder} (")
    assert not (folder / "summary.json").exists()
    metrics = load_run(folder).metrics
    assert 2 <= len(metrics["seed_ids"]) < 50_000
    # What was learnt so far can be looked at and played, while the run can still continue.
    assert here("plot", folder, "--window", 1).status == 0
    assert load_policy(folder, 1)(OBSERVATION).sum() == pytest.approx(1, abs=1e-5)
    assert here("evaluate", folder, "--episodes", 20).status == 0
    assert f"continue with: python -m jaxteach.run --resume --out {folder}" in err
