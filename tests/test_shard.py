"""Tests of --shard: which part of a run it is, and what is refused."""

import pytest

from jaxteach.errors import UserError
from jaxteach.shards import Shard, read_shard, shards_in
from tests.commands import TINY, here


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
