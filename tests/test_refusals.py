"""Wrong input is refused before JAX is imported, by every command, and so within a second."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxteach.config import Config, resolve, to_json
from jaxteach.teacher.loading import cache_folder

ROOT = Path(__file__).parents[1]
CHATGLM = cache_folder() / "simple_door_key/chatglm.json"
TWO_DOOR = cache_folder() / "two_door/chatglm.json"


@pytest.fixture(scope="module")
def without_jax(tmp_path_factory):
    """Runs a command where importing JAX, or what imports it, ends the process: status and stderr."""
    folder = tmp_path_factory.mktemp("blocked")
    for name in ("jax", "jaxlib", "flax", "navix", "optax", "orbax", "chex"):
        (folder / f"{name}.py").write_text(f"import os; print('{name} was imported'); os._exit(99)\n")
    path = os.pathsep.join([str(folder), str(ROOT / "src")])

    def start(command, *arguments, cwd):
        done = subprocess.run(
            [sys.executable, "-m", f"jaxteach.{command}", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": path},
        )
        return done.returncode, done.stdout, done.stderr

    return start


@pytest.fixture
def place(tmp_path):
    """A folder with a run, a shard of one, and tables that are not in order."""
    config = resolve(Config(seeds=2))
    values = {
        "schema_version": 1,
        **to_json(config),
        "view": {"height": 10, "width": 10, "key_colours": [None]},
        "teacher_table": {"name": "chatglm", "sha256": "0"},
        "fingerprint": "0",
        "device": {"platform": "cpu", "kind": "cpu", "count": 1},
        "versions": {},
        "deterministic": False,
        "keep_params": "all",
    }
    counts = {name: np.ones((2, 1)) for name in ("env_steps", "started", "finished", "succeeded", "return")}
    for folder in ("run", "whole/shards/0-of-2"):
        (tmp_path / folder / "params").mkdir(parents=True)
        (tmp_path / folder / "config.json").write_text(json.dumps(values))
        np.savez(tmp_path / folder / "metrics.npz", seed_ids=np.arange(2), **counts)
    table = json.loads(CHATGLM.read_text())
    table["states"].pop()
    (tmp_path / "short.json").write_text(json.dumps(table))
    (tmp_path / "torn.json").write_text(CHATGLM.read_text()[:100])
    (tmp_path / "trace.npz").write_text("no archive")
    return tmp_path


MODEL = ["--task", "simple_door_key", "--out", "t.json"]
TEACHER = ["--who", "teacher", "--task", "simple_door_key"]
CASES = [
    ("run", ["--teacher", "chatgml"], "did you mean 'chatglm'"),
    ("run", ["--teacher", "none.json"], "none.json: no such file"),
    ("run", ["--teacher", "torn.json"], "torn.json is damaged or cut short: not JSON"),
    ("run", ["--teacher", "short.json"], "is missing"),
    ("run", ["--teacher", TWO_DOOR], "'two_door'"),
    ("run", ["--task", "lava"], "unknown task 'lava'"),
    ("run", ["--task", "two_door:small_room"], "unknown variant 'small_room'"),
    ("run", ["--variant.room-max", "11"], "room side 11"),
    ("run", ["--task", "colored_door_key", "--variant.n-keys", "4"], "4 keys, at most 3"),
    ("run", ["--rollout.steps", "151"], "--rollout.steps 151"),
    ("run", ["--ppo.minibatch", "1000"], "--ppo.minibatch 1000"),
    ("run", ["--rollout.collect", "episodes", "--rollout.min-env-steps", "5000"], "min-env-steps 5000"),
    ("run", ["--corrupt.states", "7"], "has only 6 abstract states"),
    ("run", ["--corrupt.states", "2", "--corrupt.share", "0.1"], "give one of them"),
    ("run", ["--out", "run"], "already holds a run"),
    ("run", ["--out", "torn.json/below"], "a file in the way"),
    ("run", ["--out", "run", "--resume"], "has changed since run was started"),
    ("run", ["--out", "run", "--resume", "--seeds", "3"], "another configuration"),
    ("run", ["--out", "x", "--shard", "2/3", "--seeds-per-chunk", "8"], "at most 1 shards"),
    ("evaluate", ["nowhere"], "no such run folder"),
    ("evaluate", ["run"], "holds no parameters"),
    ("evaluate", ["run", "--task", "two_door"], "holds no parameters"),
    ("evaluate", [*TEACHER, "--teacher", "chatgml"], "did you mean 'chatglm'"),
    ("evaluate", ["--who", "teacher", "--task", "lava"], "unknown task 'lava'"),
    ("evaluate", ["--who", "teacher", "--task", "lava_door_key:lav"], "unknown variant 'lav'"),
    ("evaluate", [*TEACHER, "--teacher", "none"], "no teacher to evaluate"),
    ("render", ["nowhere"], "is not a run folder"),
    ("render", ["run"], "has no parameters: it holds none"),
    ("precompute", MODEL, "--model is missing"),
    ("precompute", [*MODEL, "--backend", "rule", "--model", "idael"], "unknown rule 'idael'"),
    ("precompute", ["--task", "lava", "--out", "t.json"], "unknown task 'lava'"),
    ("tables", ["torn.json"], "torn.json is damaged or cut short: not JSON"),
    ("tables", ["--task", "lava"], "unknown task 'lava'"),
    ("tables", ["--task", "simple_door_key", "--compare", "chatglm", "chatgml"], "did you mean 'chatglm'"),
    ("merge", ["nowhere"], "holds no shards"),
    ("merge", ["whole"], "1/2 (has not begun)"),
    ("launch", ["--out", "x", "--", "--teacher", "chatgml"], "did you mean 'chatglm'"),
    ("launch", ["--out", "x", "--", "--corrupt.states", "7"], "has only 6 abstract states"),
    ("launch", ["--out", "x", "--", "--task", "two_door:small_room"], "unknown variant 'small_room'"),
    ("plot", ["nowhere"], "no such run folder"),
    ("report", ["nowhere"], "no such run folder"),
    ("report", ["run", "--out", "x.pdf"], "the page is HTML"),
    ("run", ["--config", "nowhere.toml"], "No such file"),
    ("run", ["--config", "torn.json"], "damaged or cut short"),
    ("conformance", ["trace.npz"], "no task is named"),
    ("conformance", ["trace.npz", "--task", "lava"], "unknown task 'lava'"),
    ("conformance", ["trace.npz", "--task", "two_door"], "trace.npz"),
]


@pytest.mark.parametrize(("command", "arguments", "says"), CASES)
def test_refused_without_jax(without_jax, place, command, arguments, says):
    before = sorted(place.rglob("*"))
    status, out, err = without_jax(command, *arguments, cwd=place)
    assert (status, out) == (2, ""), (out, err)
    assert err.startswith("error: ") and err.count("\n") == 1
    assert says in err
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("run", ["--teacher", "chatgml"]), ("evaluate", ["nowhere"]), ("precompute", MODEL)],
)
def test_refused_within_a_second(without_jax, place, command, arguments):
    seconds = []
    for _ in range(3):  # the best of three, and of the processor's time: the machine may be busy
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert without_jax(command, *arguments, cwd=place)[0] == 2
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 1
