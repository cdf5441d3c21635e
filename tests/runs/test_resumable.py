"""Tests of runs that stop and continue: nothing finished is lost, and the result is the same to the bit."""

import dataclasses
import errno
import json
import shutil

import jax
import numpy as np
import pytest

from jaxteach.config import resolve
from jaxteach.runs import RunFolder, checkpoints, origins
from jaxteach.utils.errors import UserError
from tests.runs.sessions import Session, assert_same, checkpoints_in, poison
from tests.training.conftest import LONG


def lines(path):
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_straight_through(tmp_path, long_program, long_training):
    session = Session(tmp_path, long_program, every=None)
    assert_same(tmp_path, session.run(), long_training)
    assert session.said == []
    assert not (tmp_path / "checkpoints").exists()  # too short for any, unless asked for
    assert [(line["chunk"], line["update"]) for line in lines(tmp_path)] == [
        (chunk, update) for chunk in (0, 1) for update in (8, 16, 24, 32)
    ]


def test_stopped_after_every_segment(tmp_path, long_program, long_training):
    stops = 0
    while not (outcome := Session(tmp_path, long_program, every=0).run(segments=1)).complete:
        stops += 1
        assert outcome.seed_ids.tolist() == ([0, 1] if stops <= 4 else [0, 1, 2])
    assert stops == 7
    assert_same(tmp_path, outcome, long_training)
    assert outcome.earlier_seconds > 0
    assert [(line["chunk"], line["update"]) for line in lines(tmp_path)] == [
        (chunk, update) for chunk in (0, 1) for update in (8, 16, 24, 32)
    ]


def kill(progress):
    """As if the process had been killed: nothing after this line is run."""
    if progress.log.n_updates == 24:
        raise KeyboardInterrupt


def test_killed_between_checkpoints(tmp_path, long_program, long_training):
    with pytest.raises(KeyboardInterrupt):
        Session(tmp_path, long_program, every=2).run(on_segment=kill)
    assert lines(tmp_path)[-1]["update"] == 24
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write("[" * 10**5 + "\n")  # damaged
        file.write('{"chunk": 0, "upd')  # cut short
    session = Session(tmp_path, long_program, every=2)
    assert_same(tmp_path, session.run(), long_training)
    assert session.said == []
    assert [line["update"] for line in lines(tmp_path)] == [8, 16, 24, 32] * 2


def test_finished_chunks_are_not_trained_again(tmp_path, long_program, long_training):
    Session(tmp_path, long_program).run(segments=6)
    finished = tmp_path / "params" / "00000.npz"
    before = finished.stat()
    trained = []
    outcome = Session(tmp_path, long_program).run(on_segment=lambda p: trained.append((p.chunk, p.share)))
    assert [chunk for chunk, _ in trained] == [1, 1]
    assert trained[-1][1] == 1.0
    assert (finished.stat().st_mtime_ns, finished.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert_same(tmp_path, outcome, long_training)


def test_checkpoints_are_kept_by_twos_and_go_with_their_chunk(tmp_path, long_program):
    held = []
    Session(tmp_path, long_program).run(on_segment=lambda p: held.append(checkpoints_in(tmp_path, p.chunk)))
    assert max(len(updates) for updates in held) <= 3  # the oldest goes once the newest is whole
    assert list((tmp_path / "checkpoints").iterdir()) == []
    folder = RunFolder(tmp_path)
    folder.clean()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["metrics.jsonl", "params"]


def test_checkpoints_by_the_clock(tmp_path, long_program, monkeypatch):
    saved = []
    monkeypatch.setattr(
        checkpoints.Checkpoints, "save", lambda self, p: saved.append((p.chunk, p.log.n_updates))
    )
    monkeypatch.setattr(checkpoints, "INTERVAL", 0.0)
    Session(tmp_path / "often", long_program, every=None).run()
    # Whatever the clock says, a chunk that has ended is written as a result.
    assert saved == [(chunk, update) for chunk in (0, 1) for update in (8, 16, 24)]
    saved.clear()
    Session(tmp_path / "never", long_program, every=0).run()
    assert saved == []


# ---- damage --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, long_program):
    """A run stopped in its first chunk, with checkpoints of updates 16 and 24."""
    path = tmp_path_factory.mktemp("stopped") / "run"
    Session(path, long_program).run(segments=3)
    assert checkpoints_in(path) == [16, 24]
    return path


@pytest.fixture
def copy(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / "run")


def test_every_file_of_a_checkpoint_counts_or_does_not_matter(stopped, tmp_path):
    whole = checkpoints.read_checkpoint(stopped / "checkpoints/00000/24")
    files = [p.relative_to(stopped) for p in (stopped / "checkpoints/00000/24").rglob("*") if p.is_file()]
    refused = set()
    for number, file in enumerate(files):
        size = (stopped / file).stat().st_size
        for damage in ("deleted", "truncated", "flipped"):
            path = shutil.copytree(stopped, tmp_path / f"{number}-{damage}") / file
            data = bytearray(path.read_bytes())
            data[size // 2] ^= 0x10
            path.unlink()
            if damage != "deleted":
                path.write_bytes(data if damage == "flipped" else data[: size // 2])
            try:
                read = checkpoints.read_checkpoint(tmp_path / f"{number}-{damage}" / "checkpoints/00000/24")
            except Exception:
                refused.add((file, damage))
            else:  # never other numbers than those that were saved
                for ours, theirs in zip(read[:2], whole[:2], strict=True):
                    assert checkpoints.digest(ours) == checkpoints.digest(theirs)
    # Some files are copies or notes that nothing reads; the one that holds most of the numbers is not.
    largest = max(files, key=lambda file: (stopped / file).stat().st_size)
    assert {(largest, damage) for damage in ("deleted", "truncated", "flipped")} <= refused


@pytest.mark.parametrize("damage", ["deleted file", "truncated", "emptied"])
def test_a_damaged_checkpoint_is_passed_over(copy, long_program, long_training, damage):
    newest = copy / "checkpoints/00000/24"
    largest = max((p for p in newest.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    if damage == "deleted file":
        largest.unlink()
    elif damage == "truncated":
        largest.write_bytes(largest.read_bytes()[:100])
    else:
        shutil.rmtree(newest)
        newest.mkdir()
    session, updates = Session(copy, long_program), []

    def see(progress):
        updates.append(progress.log.n_updates)
        # Perhaps it was the network that failed: nothing is thrown away before the chunk has ended.
        assert newest.with_name("24.damaged").is_dir() or progress.chunk == 1

    outcome = session.run(on_segment=see)
    assert updates[:2] == [24, 32]  # from the one before, update 16
    (line,) = session.said
    assert line.startswith(f"checkpoint {newest} is damaged and passed over") and line.isprintable()
    assert not newest.parent.exists()
    assert_same(copy, outcome, long_training)


def test_all_checkpoints_damaged(copy, long_program, long_training):
    for update in (16, 24):
        shutil.rmtree(copy / f"checkpoints/00000/{update}/state")
    session = Session(copy, long_program)
    assert_same(copy, session.run(), long_training)
    assert len(session.said) == 3
    assert session.said[-1] == "no checkpoint of chunk 0 is intact: the chunk begins again"


def test_deleted_checkpoints(copy, long_program, long_training):
    shutil.rmtree(copy / "checkpoints")
    assert_same(copy, Session(copy, long_program).run(), long_training)


@pytest.mark.parametrize("name", ["params", "metrics"])
def test_a_damaged_result_is_trained_again(tmp_path, long_program, long_training, name):
    Session(tmp_path, long_program).run(segments=6)
    file = tmp_path / name / "00000.npz"
    file.write_bytes(file.read_bytes()[:-100])
    session, trained = Session(tmp_path, long_program), []
    outcome = session.run(on_segment=lambda p: trained.append(p.chunk))
    assert trained == [0] * 4 + [1] * 2
    assert session.said == [
        f"{file} is damaged or cut short: not an archive of {name.replace('params', 'parameters')}: "
        "chunk 0 is trained again"
    ]
    assert_same(tmp_path, outcome, long_training)
    assert [line["update"] for line in lines(tmp_path) if line["chunk"] == 0] == [8, 16, 24, 32]


@pytest.mark.parametrize("name", ["params", "metrics"])
def test_a_result_that_the_system_does_not_let_read_is_kept(tmp_path, long_program, name):
    Session(tmp_path, long_program).run(segments=6)
    file = tmp_path / name / "00000.npz"
    file.unlink()
    file.mkdir()  # even root cannot read that
    with pytest.raises(UserError, match=rf"^cannot read {file}: Is a directory$"):
        Session(tmp_path, long_program).run()


def test_another_run_s_files_are_refused(tmp_path, stopped, copy, long_program):
    with pytest.raises(
        UserError, match=r"checkpoint .*/24 was written with another configuration or teacher"
    ):
        Session(copy, long_program, fingerprint="another").run()
    assert checkpoints_in(copy) == [16, 24]  # and kept
    Session(tmp_path / "b", long_program).run(segments=6)
    with pytest.raises(UserError, match=r"00000\.npz was written with another configuration or teacher"):
        Session(tmp_path / "b", long_program, fingerprint="another").run()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"configuration": "other"}, "another configuration:"),
        ({"teacher table": None}, "another teacher table:"),
        (
            {"configuration": "other", "teacher table": "other"},
            "another configuration and another teacher table:",
        ),
    ],
)
def test_a_checkpoint_of_another_run_says_what_differs(tmp_path, long_program, changes, what):
    was = {"configuration": "c", "teacher table": "t"}
    Session(tmp_path, long_program, origins=was).run(segments=1)
    with pytest.raises(UserError, match=f"was written with {what}"):
        Session(tmp_path, long_program, fingerprint="another", origins=was | changes).run()
    assert checkpoints_in(tmp_path) == [8]


def test_a_fingerprint_is_of_its_origins(table):
    config = resolve(LONG)
    first = origins(config, table, False)
    assert first["teacher table"] == table.sha256
    changed = {
        "configuration": origins(dataclasses.replace(config, seeds=4), table, False),
        "teacher table": origins(config, dataclasses.replace(table, sha256="another"), False),
    }
    for name, others in changed.items():
        assert [key for key in first if first[key] != others[key]] == [name]
    assert origins(config, None, False)["teacher table"] is None


def facts_of(path):
    return next(file for file in path.rglob("facts/*") if file.name == "metadata")


@pytest.mark.parametrize("name", ["fingerprint", "origins", "seconds", "sha256"])
@pytest.mark.parametrize("removed", [True, False], ids=["removed", "changed"])
def test_damaged_facts_are_passed_over(copy, long_program, long_training, name, removed):
    file = facts_of(copy / "checkpoints/00000/24")
    facts = json.loads(file.read_text())
    del facts[name]
    file.write_text(json.dumps(facts if removed else facts | {name: 7.5}))
    session = Session(copy, long_program)
    assert_same(copy, session.run(), long_training)
    assert len(session.said) == 1 and "24 is damaged and passed over" in session.said[0]


@pytest.mark.parametrize("change", ["missing", "added", "reshaped"])
def test_a_checkpoint_of_another_version_is_refused_and_kept(copy, long_program, monkeypatch, change):
    """As if the state had changed with an upgrade: the checkpoint is whole, but not for this version."""
    read = checkpoints.read_checkpoint

    def other_version(path):
        state, *rest = read(path)
        if change == "missing":
            del state["born"]
        else:
            state["new" if change == "added" else "born"] = np.zeros(1)
        return state, *rest

    monkeypatch.setattr(checkpoints, "read_checkpoint", other_version)
    with pytest.raises(
        UserError, match=r"is of another version of jaxteach \(its state differs in (born|new)\)"
    ):
        Session(copy, long_program).run()
    assert checkpoints_in(copy) == [16, 24]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, "Permission denied"),
        OSError(errno.EIO, "Input/output error"),
        ValueError("INTERNAL: Error reading ... [os_error_code='24']"),
    ],
    ids=["permission", "disk", "too many open files"],
)
def test_a_checkpoint_that_the_system_does_not_let_read_is_kept(
    copy, long_program, long_training, monkeypatch, error
):
    def unreadable(path):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "read_checkpoint", unreadable)
        with pytest.raises(UserError, match=r"cannot read checkpoint .*/24: [A-Z].*; nothing was changed"):
            Session(copy, long_program).run()
    assert checkpoints_in(copy) == [16, 24]
    session, updates = Session(copy, long_program), []
    assert_same(copy, session.run(on_segment=lambda p: updates.append(p.log.n_updates)), long_training)
    assert updates[0] == 32 and session.said == []


# ---- divergence ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def poisoned(long_program):
    return poison(long_program, np.nan)


def test_a_seed_that_diverges_is_frozen_and_the_others_go_on(tmp_path, poisoned, long_program, long_training):
    session = Session(tmp_path, poisoned)
    outcome = session.run()
    assert outcome.complete
    assert outcome.diverged == [{"seed": 1, "update": 0}]  # padding of the second chunk does not count
    (line,) = session.said
    assert line.startswith("seed 1 diverged in update 0")
    folder = RunFolder(tmp_path)
    start = long_program.init(jax.device_put(np.uint32([0, 1]), long_program.by_seed)).params
    for ours, first, sound in zip(
        jax.tree.leaves(folder.read_params(0)),
        jax.tree.leaves(start),
        jax.tree.leaves(long_training.params),
        strict=True,
    ):
        np.testing.assert_array_equal(ours[1], first[1])
        np.testing.assert_array_equal(ours[0], sound[0])
    metrics = outcome.metrics
    assert np.isnan(metrics["policy_loss"][1, 1:]).all()
    assert np.isfinite(metrics["policy_loss"][[0, 2]]).all()
    np.testing.assert_array_equal(metrics["env_steps"], long_training.metrics["env_steps"])


def test_divergence_is_remembered_by_a_run_that_goes_on(tmp_path, poisoned):
    Session(tmp_path, poisoned).run(segments=3)
    session = Session(tmp_path, poisoned)
    assert session.run().diverged == [{"seed": 1, "update": 0}]
    assert session.said == []  # told once
