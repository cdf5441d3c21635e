"""What `python -m jaxteach.run` refuses, in a line."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jaxteach.teacher.loading import cache_folder
from tests.commands import TINY, Done, apart, files_in, here

pytestmark = pytest.mark.unoptimised

CHATGLM = cache_folder() / "simple_door_key/chatglm.json"
COUNTS = "seeds seeds-per-chunk env-steps eval-episodes rollout.envs ppo.epochs".split()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, here("run", *TINY, "--first-seed", 5, "--out", folder)


def refused(done: Done, *parts: str) -> None:
    """It must be one line on stderr that names the culprit, and nothing else."""
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("error: ") and done.err.count("\n") == 1
    assert [part for part in parts if part not in done.err] == []


@pytest.fixture
def bad(tmp_path, monkeypatch):
    """Runs with one thing wrong, which must be refused and leave nothing behind."""
    monkeypatch.chdir(tmp_path)

    def run_bad(*arguments, says):
        before = files_in(tmp_path)
        refused(here("run", *TINY, *arguments), *says)
        assert files_in(tmp_path) == before
        assert not (tmp_path / "runs").exists()

    return run_bad


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--task", "simple_dor_key"], ["unknown task 'simple_dor_key'", "did you mean 'simple_door_key'"]),
        (["--task", "simple_door_key:large_room"], ["large_room", "did you mean 'large_rooms'"]),
        (["--decay", "linear_plato"], ["unknown decay 'linear_plato'", "did you mean 'linear_plateau'"]),
        (["--student", "egg"], ["unknown student 'egg'", "did you mean 'ego'"]),
        (["--teacher", "chatgml"], ["'chatgml'", "simple_door_key", "did you mean 'chatglm'"]),
        (["--preset", "papper"], ["unknown preset 'papper'", "did you mean 'paper'"]),
        (["--distill", "forward_lk"], ["unknown distillation 'forward_lk'", "did you mean 'forward_kl'"]),
        (["--teacher", "no/such/table.json"], ["no/such/table.json"]),
        (["--distill.teacher", "medium"], ["--distill.teacher: 'medium'", "soft", "hard"]),
        (["--seeds", "abc"], ["--seeds: 'abc' is not a whole number"]),
        (["--ppo.lr", "fast"], ["--ppo.lr: 'fast' is not a number"]),
        (["--ppo.lr", "nan"], ["--ppo.lr nan"]),
        (["--ppo.gamma", "1.5"], ["--ppo.gamma 1.5"]),
        (["--decay.start", "inf"], ["--decay.start inf"]),
        (["--decay.floor", "-1"], ["--decay.floor -1"]),
        (["--sedes", "3"], ["unknown option --sedes", "did you mean --seeds"]),
        (["--first-seed", "-1"], ["--first-seed -1"]),
        (["--first-seed", str(2**32)], ["--first-seed 4294967296"]),
        (["--env-steps", str(2**31 - 1)], ["--env-steps 2147483647: must be at most 2113929216"]),
        (["--env-steps", str(2**31)], ["--env-steps 2147483648: must be at most 2113929216"]),
        (["--env-steps", str(2**64)], ["--env-steps 18446744073709551616: must be at most"]),
        (["--seeds", str(2**40)], ["--seeds 1099511627776: must be at most 16777216"]),
        (["--eval-episodes", str(2**31)], ["--eval-episodes 2147483648: must be at most 16777216"]),
        (["--rollout.envs", "65536", "--rollout.steps", "512"], ["33554432 environment steps an update"]),
        (["--ppo.epochs", str(2**31)], ["--ppo.epochs 2147483648: must be at most 16777216"]),
        (["--ppo.lr-end", "nan"], ["--ppo.lr-end nan"]),
        (["--decay.start", "1e39"], ["--decay.start 1e+39: must be a number of at least 0"]),
        (["--variant.max-steps", str(2**31)], ["2147483648 steps, from 1 to 16777216"]),
        (["--rollout.steps", "151"], ["--rollout.steps 151", "30"]),
        (["--ppo.minibatch", "1000"], ["--ppo.minibatch 1000", "128"]),
        (["--variant.room-max", "11"], ["simple_door_key", "11"]),
        (["--variant.n-lava", "-1"], ["simple_door_key", "-1 lava"]),
        (["--resume"], ["--resume needs --out"]),
        (["--host-devices", "0"], ["--host-devices 0", "at least 1"]),
        (["--sweep", "ppo.larning_rate=1"], ["ppo.larning_rate"]),
        (["--sweep", "student.hidden=8,16"], ["student.hidden"]),
        *(
            ([f"--{flag}", value], [f"--{flag} {value}", "at least 1"])
            for flag in COUNTS
            for value in ("0", "-3")
        ),
    ],
)
def test_bad_flags_are_refused(bad, arguments, says):
    bad(*arguments, says=says)


def table_with(change, path: Path) -> Path:
    """ChatGLM's table with one thing changed."""
    document = json.loads(CHATGLM.read_text())
    changed = change(document)
    text = changed if isinstance(changed, str) else json.dumps(document)
    path.write_text(text)
    return path


def set_probability(document, value):
    document["states"][0]["plans"][0]["probability"] = value


def set_option(document, **values):
    document["states"][1]["plans"][0]["options"][0].update(values)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["states"].pop(2) and None, ["missing"]),
        (lambda d: set_probability(d, -0.5), ["probability"]),
        (lambda d: set_probability(d, float("nan")), ["probability"]),
        (lambda d: set_probability(d, 0.9), ["sum"]),
        (lambda d: set_option(d, option="fly"), ["fly"]),
        (lambda d: set_option(d, option="go to", object="dragon"), ["dragon"]),
        (lambda d: d.update(task="two_door"), ["two_door", "simple_door_key"]),
        (lambda d: d.update(schema_version=99), ["schema_version", "99"]),
        (lambda d: json.dumps(d)[:500], ["JSON"]),
        (lambda d: "", ["JSON"]),
    ],
    ids="missing negative nan sum option object task schema truncated empty".split(),
)
def test_bad_tables_are_refused(bad, tmp_path, change, says):
    table = table_with(change, tmp_path / "table.json")
    bad("--teacher", "table.json", says=[table.name, *says])


def test_a_run_is_never_overwritten(run):
    folder, before = run[0], files_in(run[0])
    refused(here("run", *TINY, "--out", folder), str(folder), "already holds a run")
    assert files_in(folder) == before


@pytest.mark.parametrize("below", ["", "below", "much/further/below"])
def test_a_file_in_the_way(bad, tmp_path, below):
    (tmp_path / "file").write_text("kept")
    bad("--out", tmp_path / "file" / below, says=[str(tmp_path / "file")])


def test_bad_input_from_outside(tmp_path):
    refused(apart("run", "--task", "lava", cwd=tmp_path), "unknown task 'lava'", "'lava_door_key'")
    refused(apart("run", "--teacher", "gpt", cwd=tmp_path), "'gpt'", "simple_door_key")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host-devices", "3"], ["--host-devices 3", "the 2 seeds of a chunk", "divisor of 2"]),
        (["--host-devices", "4"], ["--host-devices 4", "a multiple of 4 as --seeds-per-chunk"]),
        (["--host-devices", "512", "--seeds-per-chunk", "512"], ["--host-devices 512", "from 1 to 256"]),
    ],
)
def test_devices_are_refused_before_jax_makes_them(bad, monkeypatch, arguments, says):
    monkeypatch.setattr("jaxteach.utils.jax_setup.start_jax", lambda *options: pytest.fail("JAX was started"))
    bad(*arguments, says=says)


def test_a_signal_ends_a_run_while_jax_starts(tmp_path):
    code = """
import threading
from jaxteach import run
from jaxteach.utils import jax_setup as backend
backend.start_jax = lambda *options: (print("starting", flush=True), threading.Event().wait(60))
run.main()
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout.readline() == "starting\n"
        process.terminate()
        assert process.wait(timeout=20) == -signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
