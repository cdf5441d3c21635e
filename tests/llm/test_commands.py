"""The two commands, as a user types them: what they do, and what they say when something is wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jaxteach import precompute, tables
from jaxteach.tasks import registry, task_names
from jaxteach.teacher import cache_folder, table_names
from jaxteach.teacher.loading import load_teacher
from jaxteach.utils.errors import UserError, cli
from jaxteach.worlds.minigrid.paper.simple_door_key import SimpleDoorKey
from jaxteach.worlds.minigrid.paper.task import Task
from tests.llm.server import FakeServer

IDEAL = ["--backend", "rule", "--model", "ideal"]


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command in this process: exit status, stdout, stderr."""
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def run(module, *arguments):
        monkeypatch.setattr(sys, "argv", ["x", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli(module.main)
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


@pytest.mark.parametrize("module", ["precompute", "tables"])
def test_help_is_fast_and_loads_nothing_heavy(module):
    code = (
        f"import sys, jaxteach.{module} as m; sys.argv = ['x', '--help']\n"
        "try: m.main()\n"
        "finally: print(*sorted({'jax', 'navix', 'torch', 'numpy'} & sys.modules.keys()), file=sys.stderr)"
    )
    source = str(Path(precompute.__file__).parents[1])
    seconds = []
    for _ in range(3):  # the processor's seconds, not the clock's: the machine may be busy
        start = sum(os.times()[2:4])
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": source},
        )
        seconds.append(sum(os.times()[2:4]) - start)
    assert min(seconds) < 2
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert "usage: python -m jaxteach." in done.stdout


@pytest.mark.parametrize(
    ("task", "rule"),
    [
        (task, rule)
        for task in task_names()
        for rule in ("ideal", "uniform")
        if f"rule-{rule}" in table_names(task)
    ],
)
def test_the_shipped_rule_tables_are_what_the_command_writes(tmp_path, command, task, rule):
    out = tmp_path / f"rule-{rule}.json"
    status, said, _ = command(precompute, "--task", task, "--backend", "rule", "--model", rule, "--out", out)
    assert status == 0
    assert "uniform over admissible options" in said
    assert out.read_bytes() == (cache_folder() / task / out.name).read_bytes()


def test_a_server_answers_through_the_command(tmp_path, command):
    out = tmp_path / "t.json"
    with FakeServer() as server:
        flags = ["--task", "simple_door_key", "--backend", "openai", "--model", "m", "--base-url", server.url]
        status, _, _ = command(precompute, *flags, "--samples", 2, "--out", out)
        assert status == 0
        assert command(precompute, *flags, "--samples", 3, "--out", out, "--resume")[0] == 0
        status, _, said = command(precompute, *flags, "--temperature", 0.1, "--out", out, "--resume")
        assert len(server.bodies) == 18
    assert status == 2
    assert "temperature was 0.7 and is now 0.1" in said
    assert json.loads(out.read_text())["provenance"]["asks"] == 18


def test_a_dry_run_asks_nobody_and_writes_nothing(tmp_path, command):
    out = tmp_path / "t.json"
    flags = ["--task", "simple_door_key", "--backend", "openai", "--model", "m", "--out", out, "--dry-run"]
    status, said, _ = command(precompute, *flags)
    assert status == 0
    assert said.startswith("120 calls for 6 states (0 answered already), about ")
    assert said.endswith(f"at most {120 * 160} tokens of answers\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ([], "time: not known without a --model"),
        (["--model", "some-org/some-model"], "time: not known ("),
    ],
)
def test_a_dry_run_in_this_process_says_when_the_time_cannot_be_known(tmp_path, command, flags, says):
    out = tmp_path / "t.json"
    status, said, _ = command(precompute, "--task", "simple_door_key", *flags, "--out", out, "--dry-run")
    first, second = said.splitlines()
    assert status == 0
    assert first.startswith("12 calls for 6 states (0 answered already), about ")
    assert second.startswith(says)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--task", "simple_door_key", "--estimator", "score"], "the openai backend cannot score"),
        (["--task", "without_facts"], "has no facts"),
    ],
)
def test_a_dry_run_refuses_what_a_run_would(tmp_path, command, monkeypatch, flags, says):
    class WithoutFacts(SimpleDoorKey):
        name = "without_facts"
        facts = Task.facts

    monkeypatch.setitem(registry._tasks._registered, "without_facts", WithoutFacts)
    out = tmp_path / "t.json"
    status, _, said = command(
        precompute, *flags, "--backend", "openai", "--model", "m", "--out", out, "--dry-run"
    )
    assert (status, said.count("\n")) == (2, 1)
    assert says in said


def test_the_table_of_a_variant_is_its_task_s(tmp_path, command):
    out = tmp_path / "t.json"
    assert command(precompute, "--task", "two_door:small_rooms", *IDEAL, "--out", out)[0] == 0
    assert load_teacher(str(out), "two_door:small_rooms").sha256 == load_teacher(str(out), "two_door").sha256


def test_an_error_does_not_stick_to_the_progress_bar(tmp_path, command, monkeypatch):
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True)
    with FakeServer() as server:
        server.text = lambda body, chance: "Hm."
        flags = [
            "--backend",
            "openai",
            "--model",
            "m",
            "--base-url",
            server.url,
            "--out",
            tmp_path / "t.json",
        ]
        status, _, said = command(precompute, "--task", "simple_door_key", *flags)
    assert status == 2
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    assert "120 answers" in plain and "\nerror: state " in plain


def test_nothing_is_overwritten_unasked(tmp_path, command):
    out = tmp_path / "t.json"
    flags = ["--task", "simple_door_key", *IDEAL, "--out", out]
    assert command(precompute, *flags)[0] == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    status, _, said = command(precompute, *flags)
    assert status == 2
    assert "--resume continues it, --overwrite replaces it" in said
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    status, _, said = command(precompute, "--task", "simple_door_key", "--model", "/no/model", "--out", out)
    assert "--resume continues it" in said, "found out before any model is looked for"
    assert command(precompute, *flags, "--overwrite")[0] == 0
    assert (tmp_path / "t.json.answers.jsonl.old").exists()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--task", "simple_dor_key", *IDEAL], "did you mean 'simple_door_key'?"),
        (["--task", "simple_door_key", "--backend", "rule"], "--model is missing"),
        (["--task", "simple_door_key", "--backend", "rule", "--model", "idal"], "did you mean 'ideal'?"),
        (["--task", "simple_door_key", *IDEAL, "--samples", "0"], "--samples is 0: it must be at least 1"),
        (["--task", "simple_door_key", *IDEAL, "--samples", "x"], "--samples"),
        (["--task", "simple_door_key", *IDEAL, "--prompt", "/no/such.txt"], "cannot read the prompt file"),
        (
            ["--task", "simple_door_key", "--backend", "openai", "--model", "m", "--base-url", "x"],
            "--base-url",
        ),
        (
            [
                "--task",
                "simple_door_key",
                "--backend",
                "openai",
                "--model",
                "m",
                "--base-url",
                "http://127.0.0.1:9/v1",
            ],
            "no answer from 127.0.0.1:9",
        ),
        (["--task", "simple_door_key", *IDEAL, "--name", "two\nlines"], "--name must be 1 to 200 printable"),
        ([*IDEAL], "--task"),
        (["--task", "simple_door_key", *IDEAL, "--modle", "x"], "--modle"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, command, flags, says):
    status, _, said = command(precompute, *flags, "--out", tmp_path / "t.json")
    assert status == 2
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert says in said
    assert not (tmp_path / "t.json").exists()


def test_places_that_cannot_be_written(tmp_path, command):
    (tmp_path / "file").write_text("")
    long = "x" * 250 + ".json"  # itself not too long, but the log's name is
    for out in (tmp_path / "file" / "t.json", tmp_path, tmp_path / long, tmp_path / "no-suffix"):
        status, _, said = command(precompute, "--task", "simple_door_key", *IDEAL, "--out", out)
        assert (status, said.count("\n")) == (2, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_tables_lists_shipped_and_own_tables(tmp_path, command):
    mine = tmp_path / "mine.json"
    mine.write_bytes((cache_folder() / "two_door" / "rule-ideal.json").read_bytes())
    status, said, _ = command(tables, mine)
    assert status == 0
    assert said.count("rule-ideal") == 5 + 13  # the tasks, one of ours, and families of levels
    assert said.count("chatglm") == 4
    assert all(task in said for task in task_names())
    status, said, _ = command(tables, "--task", "two_door", "--markdown")
    assert "| rule-uniform | uniform | score | 9 |" in said
    assert "simple_door_key" not in said
    status, said, _ = command(tables, "--task", "MiniGrid-KeyCorridorS3R3-v0", "--markdown")
    assert said.startswith("### MiniGrid-KeyCorridor\n") and "| rule-ideal |" in said


def test_the_readme_of_the_tables_is_what_the_command_prints(command):
    readme = (cache_folder() / "README.md").read_text()
    status, said, _ = command(tables, "--markdown")
    assert status == 0
    assert said.strip() in readme, "run: python -m jaxteach.tables --markdown, and put it there"
    assert all(
        f"| {name} |" in readme.split("## How")[1] for task in task_names() for name in table_names(task)
    )


def test_tables_compares(command):
    status, said, _ = command(tables, "--task", "simple_door_key", "--compare", "chatglm", "rule-ideal")
    assert status == 0
    assert "Agent sees <nothing>, holds <key>.  (apart by 0.24)" in said


def test_tables_refuses_what_is_none(tmp_path, command):
    path = tmp_path / "x.json"
    for text in ("{}", "[]", "{"):
        path.write_text(text)
        status, _, said = command(tables, path)
        assert (status, said.count("\n")) == (2, 1)
    status, printed, said = command(tables, "--task", "nonsense")
    assert (status, printed, said.count("\n")) == (2, "", 1)
    status, _, said = command(tables, "--compare", "chatglm", "rule-ideal")
    assert status == 2
    assert "give --task" in said
    with pytest.raises(UserError, match="did you mean 'chatglm'"):
        tables._load("chatglmm", "two_door")
