"""Tests of --shard: which part of a run it is, and what is refused."""

import pytest

from jaxteach.runs.shards import Shard, note_tasks, read_shard, shards_in
from jaxteach.utils.errors import UserError
from tests.commands import TINY, here

pytestmark = pytest.mark.unoptimised


@pytest.mark.parametrize("n_chunks", [1, 2, 5, 16])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 16])
def test_shards_take_every_chunk_once_and_evenly(n_chunks, count):
    if count > n_chunks:
        with pytest.raises(UserError, match=rf"--shard 0/{count}: the run has {n_chunks} chunks"):
            Shard(0, count).chunks(n_chunks)
        return
    parts = [list(Shard(index, count).chunks(n_chunks)) for index in range(count)]
    assert [chunk for part in parts for chunk in part] == list(range(n_chunks))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    "text", ["", "x", "2", "2/2", "3/2", "0/0", "-1/2", "1/-2", "0/2/3", "1.0/2", "\u0660/\u0662"]
)
def test_what_is_no_shard(text):
    with pytest.raises(UserError, match="must be I/N with I from 0 to N - 1"):
        read_shard(text)


def test_slurm_says_which():
    array = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "2", "SLURM_ARRAY_TASK_COUNT": "4"}
    task = {"SLURM_PROCID": "1", "SLURM_NTASKS": "2"}
    assert read_shard("slurm", array) == Shard(3, 4)
    assert read_shard("slurm", task) == Shard(1, 2)
    assert read_shard("slurm", task | array) == Shard(3, 4)
    with pytest.raises(UserError, match="this is no SLURM task"):
        read_shard("slurm", {})


@pytest.mark.parametrize(
    "bounds",
    [{"SLURM_ARRAY_TASK_MIN": "2", "SLURM_ARRAY_TASK_MAX": "8"}, {"SLURM_ARRAY_TASK_MIN": "0"}],
    ids=["every second", "not told which is the last"],
)
def test_an_array_with_gaps_is_refused(bounds):
    array = {"SLURM_ARRAY_TASK_ID": "6", "SLURM_ARRAY_TASK_COUNT": "4"}
    with pytest.raises(UserError, match=r"the 4 tasks of this array are numbered with gaps.*--array=0-3"):
        read_shard("slurm", array | bounds)


def tasks(own, first, last, count):
    names = ("ID", "MIN", "MAX", "COUNT")
    return {
        f"SLURM_ARRAY_TASK_{name}": str(value)
        for name, value in zip(names, (own, first, last, count), strict=True)
    }


def begin(out, count, indices):
    for index in indices:
        (out / f"shards/{index}-of-{count}").mkdir(parents=True)
        (out / f"shards/{index}-of-{count}/config.json").write_text("{}")
    return out


@pytest.mark.parametrize(
    ("environment", "shard"),
    [
        (tasks(1, 1, 1, 1), Shard(1, 3)),
        (tasks(0, 0, 0, 1), Shard(0, 3)),
        (tasks(2, 0, 2, 2), Shard(2, 3)),
        (tasks(2, 1, 2, 2), Shard(2, 3)),
        (tasks(2, 0, 2, 3), Shard(2, 3)),
        (tasks(5, 4, 6, 3), Shard(1, 3)),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "3"}, Shard(1, 3)),
    ],
    ids=["the second", "the first", "the outer two", "the last two", "all", "all, from four", "no array"],
)
@pytest.mark.parametrize("begun", [(0, 1, 2), (0, 2)])
def test_some_tasks_of_an_array_are_told_by_the_folder(environment, shard, begun, tmp_path):
    assert read_shard("slurm", environment, begin(tmp_path, 3, begun)) == shard


@pytest.mark.parametrize(
    "environment",
    [
        tasks(5, 5, 5, 1),
        tasks(2, 0, 4, 3),
        tasks(1, 0, 4, 5),
        tasks(1, 0, 3, 2),
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "1"},
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"},
    ],
    ids=["out of range", "gaps out of range", "more", "one out of range", "one of a job", "more of a job"],
)
def test_tasks_that_the_folder_contradicts_are_refused(environment, tmp_path):
    out = begin(tmp_path, 3, range(3))
    with pytest.raises(UserError, match=r"against 3 shards.*--array=0-2 or some of it.*--shard I/3"):
        read_shard("slurm", environment, out)


def test_one_task_alone_does_not_say_how_many_there_are(tmp_path):
    for environment in (tasks(1, 1, 1, 1), tasks(0, 0, 0, 1)):
        with pytest.raises(UserError, match="does not say of how many shards"):
            read_shard("slurm", environment, tmp_path)


def test_an_array_that_starts_elsewhere_is_remembered(tmp_path):
    """Tasks 1 to 3 are shards 0 to 2, also when some of them are submitted again."""
    out = begin(tmp_path, 3, range(3))
    note_tasks(out, tasks(2, 1, 3, 3))
    assert read_shard("slurm", tasks(3, 3, 3, 1), out) == Shard(2, 3)
    assert read_shard("slurm", tasks(3, 1, 3, 2), out) == Shard(2, 3)
    assert read_shard("slurm", tasks(0, 0, 2, 3), out) == Shard(0, 3)
    note_tasks(out, tasks(3, 3, 3, 1))
    with pytest.raises(UserError, match="--array=1-3 or some of it"):
        read_shard("slurm", tasks(0, 0, 0, 1), out)
    (out / "shards/array.json").write_text('{"first": "1"}')
    with pytest.raises(UserError, match=r"array\.json: first"):
        read_shard("slurm", tasks(3, 3, 3, 1), out)


def test_variables_that_are_no_numbers(tmp_path):
    with pytest.raises(UserError, match="is no number"):
        read_shard("slurm", tasks("x", 0, 2, 3), tmp_path)


def test_a_task_submitted_again_goes_on_with_its_own_shard(tmp_path, monkeypatch):
    """An array of two from number 4, of which 5 stops and is submitted again alone."""
    run = ("run", *TINY, "--out", tmp_path / "run", "--resume", "--shard", "slurm")

    def submit(own, *array):
        for name, value in tasks(own, *array).items():
            monkeypatch.setenv(name, value)
        return here(*run)

    assert submit(4, 4, 5, 2).status == 0
    assert submit(5, 5, 5, 1).status == 0
    assert sorted(path.name for path in (tmp_path / "run/shards").glob("*-of-*")) == ["0-of-2", "1-of-2"]
    refused = submit(1, 1, 1, 1)
    assert refused.status == 2 and "against 2 shards" in refused.err


def test_a_run_split_in_two_ways(tmp_path):
    for name in ("0-of-2", "0-of-3", "logs"):
        (tmp_path / "shards" / name).mkdir(parents=True)
        (tmp_path / "shards" / name / "config.json").write_text("{}")
    with pytest.raises(UserError, match="parts of 2 and of 3: they overlap"):
        shards_in(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--shard", "0/2"], "--shard 0/2 needs --out"),
        (["--shard", "2/2", "--out", "run"], "--shard 2/2: must be I/N"),
        (["--shard", "0/3", "--out", "run"], "the run has 2 chunks, so at most 2 shards"),
    ],
)
def test_refused_before_a_folder_is_made(arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = here("run", *TINY, *arguments)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert says in done.err
    assert list(tmp_path.iterdir()) == []
