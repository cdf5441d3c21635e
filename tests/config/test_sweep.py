"""Tests of sweeps: the grid, its labels, and what cannot be swept."""

import pytest

from jaxteach.config import Config, Decay, share_of_run
from jaxteach.config.sweep import TRACED, grid
from jaxteach.utils.errors import UserError


def points(*texts):
    return grid(Config(sweep=texts))


def test_without_a_sweep_there_is_one_point():
    (point,) = grid(Config())
    assert (point.label, point.values, point.config) == ("", {}, Config())


def test_every_combination_in_order():
    found = points("--ppo.lr=1e-3,2e-3", "decay=linear,cosine")
    assert [point.label for point in found] == [
        "ppo.lr=0.001,decay=linear",
        "ppo.lr=0.001,decay=cosine",
        "ppo.lr=0.002,decay=linear",
        "ppo.lr=0.002,decay=cosine",
    ]
    assert found[3].values == {"ppo.lr": 0.002, "decay": "cosine"}
    assert found[3].config.ppo.lr == 0.002 and found[3].config.decay == Decay("cosine")
    assert all(point.config.sweep == () for point in found)


def test_dashes_are_underscores():
    assert points("decay.plateau-at=0.1")[0].config.decay.plateau_at == 0.1


def test_values_that_are_close_have_labels_of_their_own():
    labels = [point.label for point in points("ppo.lr=0.0010000001,0.001,1e-3000,0.1")]
    assert labels == ["ppo.lr=0.0010000001", "ppo.lr=0.001", "ppo.lr=0", "ppo.lr=0.1"]


def test_integers_are_updates_and_floats_fractions():
    found = points("decay.off_at=1,1.0,0.5,3,2e3")
    assert [point.label.partition("=")[2] for point in found] == ["1", "1.0", "0.5", "3", "2000"]
    assert [share_of_run(point.config.decay.off_at) for point in found] == [None, 1.0, 0.5, None, None]
    for text in ("decay.off_at=1980,1980.0", "decay.plateau_at=0,0.0"):
        with pytest.raises(UserError, match="comes twice"):
            points(text)


def test_a_label_that_could_name_no_folder():
    fields = [name for name in TRACED if name.startswith("ppo.")]
    points(*(f"{name}=0.125" for name in fields))
    with pytest.raises(UserError, match=r"at most 255 characters, and ppo\.lr=0\.1234567.* has \d{3}:"):
        points(*(f"{name}=0.1234567890123456" for name in fields))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("decay.floor", "must be FIELD=VALUE,VALUE"),
        ("decay.floor=", "must be FIELD=VALUE,VALUE"),
        ("decay.floor=0,,1", "must be FIELD=VALUE,VALUE"),
        ("decay.flor=0", r"unknown field 'decay\.flor': did you mean 'decay\.floor'"),
        ("student.hidden=8,16", r"student\.hidden: cannot be swept"),
        ("ppo.minibatch=64", r"ppo\.minibatch: cannot be swept"),
        ("seeds=1,2", "seeds: cannot be swept"),
        ("ppo.lr=fast", "'fast' is not a number"),
        ("ppo.lr=nan", r"--ppo\.lr nan: must be a number"),
        ("ppo.gamma=0.9,1.5", r"--ppo\.gamma 1\.5: must be a number from 0 to 1"),
        ("ppo.lr=0.1,1e-1", "a value comes twice"),
        ("decay=linear,liner", "unknown decay 'liner'"),
        ("teacher=chatglm,none", "teacher: cannot be swept"),
    ],
)
def test_what_cannot_be_swept(text, message):
    with pytest.raises(UserError, match=message):
        points(text)


def test_a_field_swept_twice():
    with pytest.raises(UserError, match="swept twice"):
        points("ppo.lr=0.1", "ppo.lr=0.2")
