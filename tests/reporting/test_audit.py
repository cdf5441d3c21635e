"""Tests of the audit's figures, by hand, and of the plays they come from."""

import csv
import io

import jax
import numpy as np
import pytest

from jaxteach.config import Config, Corrupt, Student, resolve
from jaxteach.reporting.audit import (
    ARMS,
    COLUMNS,
    Pairs,
    advantage_of,
    as_csv,
    audit_row,
    pooled,
    ranked,
    visited,
)
from jaxteach.reporting.measure import BLOCK, LANES, Steps, play_episodes
from jaxteach.tasks import make_task
from jaxteach.teacher.corruption import make_teacher
from jaxteach.teacher.loading import load_teacher
from jaxteach.training.state import make_plan


def steps() -> Steps:
    """Two episodes of three and one steps, two actions: states 4, 4, 7 and 4."""
    half, sure = [0.5, 0.5], [1.0, 0.0]
    teacher = np.array([[sure, half], [sure, half], [half, half]], np.float32)
    student = np.array([[[0.25, 0.75], [0.75, 0.25]], [[0.75, 0.25], half], [half, half]], np.float32)
    return Steps(
        live=np.array([[True, True], [True, False], [True, False]]),
        state=np.array([[4, 4], [4, 7], [7, 7]], np.int32),
        teacher=teacher,
        student=np.log(student),
        success=np.array([True, False]),
        reward=np.array([0.5, 0.0], np.float32),
    )


def test_steps_are_sorted_by_abstract_state():
    found = visited(steps(), np.array([10, 11]))
    assert set(found) == {4, 7}
    four, seven = found[4], found[7]
    assert (four.visits, seven.visits) == (3, 1)
    assert four.episodes.tolist() == [10, 11] and four.succeeded.tolist() == [True, False]
    assert seven.episodes.tolist() == [10] and seven.reward.tolist() == [0.5]
    np.testing.assert_allclose(four.teacher, [2.5, 0.5])
    np.testing.assert_allclose(four.student, [1.75, 1.25], rtol=1e-6)
    # Of certainty from a quarter and from three quarters, and of a half from (3/4, 1/4).
    kl = np.log(4) + np.log(4 / 3) + 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)
    assert four.kl == pytest.approx(kl, rel=1e-6) and seven.kl == pytest.approx(0, abs=1e-6)
    # The student prefers action 1 to the teacher's 0 once; a tie goes to the first.
    assert four.departures.tolist() == [[0, 1], [0, 0]] and not seven.departures.any()


def test_students_are_pooled():
    found = visited(steps(), np.array([0, 1]))[4]
    both = pooled([found, found])
    assert both.visits == 6 and both.episodes.tolist() == [0, 1, 0, 1] and both.kl == 2 * found.kl
    assert both.departures.tolist() == [[0, 2], [0, 0]]


def pairs(follow: float, own: float, depart: float, n: int = 40) -> Pairs:
    rng = np.random.default_rng(0)
    rates = np.array([follow, own, depart])[:, None]
    reward = (rates + rng.normal(0, 0.05, (3, n))).astype(np.float32)
    return Pairs(np.repeat(rates > 0.5, n, axis=1), reward)


@pytest.mark.parametrize(
    ("arms", "verdict"),
    [
        ((0.2, 0.9, 0.1), "wrong"),  # what a student has corrected
        ((0.1, 0.1, 0.9), "wrong"),  # what it has not
        ((0.9, 0.9, 0.1), "right"),
        ((0.9, 0.2, 0.1), "right"),
        ((0.5, 0.5, 0.5), "open"),
    ],
)
def test_who_is_right_follows_from_what_following_loses(arms, verdict):
    told = advantage_of(pairs(*arms))
    assert told["verdict"] == verdict and told["pairs"] == 40
    for name, other in (("over_own", arms[1]), ("over_departing", arms[2])):
        gain = told[name]
        assert gain["low"] <= gain["mean"] <= gain["high"]
        assert gain["mean"] == pytest.approx(arms[0] - other, abs=0.05)
    assert [told[arm]["success"] for arm in ARMS] == [float(rate > 0.5) for rate in arms]


def test_nothing_is_said_of_what_was_hardly_played():
    assert advantage_of(pairs(0.1, 0.9, 0.9, n=5))["verdict"] == "unmeasured"
    for none in (None, pairs(0.5, 0.5, 0.5, n=0)):
        told = advantage_of(none)
        assert (told["pairs"], told["follow"], told["over_own"]) == (0, None, None)


def test_the_most_harmful_rows_come_first():
    def row(name, visits=1, arms=None):
        return {"state": name, "visits": visits, **advantage_of(pairs(*arms) if arms else None)}

    rows = [
        row("unseen", 0),
        row("right", arms=(0.9, 0.9, 0.1)),
        row("wrong, corrected", arms=(0.5, 0.9, 0.1)),
        row("open", arms=(0.5, 0.5, 0.5)),
        row("wrong, followed", arms=(0.0, 0.0, 0.9)),
        row("seen", 9),
    ]
    order = ["wrong, followed", "wrong, corrected", "open", "right", "seen", "unseen"]
    assert [row["state"] for row in ranked(rows)] == order


def test_csv_has_a_line_a_state_and_no_column_is_lost():
    task, table = make_task("simple_door_key"), load_teacher("chatglm", "simple_door_key")
    found = visited(steps(), np.array([0, 1]))[4]
    wide = found.__class__(
        **{
            **found.__dict__,
            **{name: np.pad(getattr(found, name), (0, 5)) for name in ("teacher", "student")},
            "departures": np.pad(found.departures, (0, 5)),
        }
    )
    rows = [
        audit_row(task, table, 0, True, wide, pairs(0.2, 0.9, 0.1)),
        audit_row(task, table, 1, False, None, None),
    ]
    one, other = csv.DictReader(io.StringIO(as_csv([{"label": "a, b", "rows": rows}])))
    assert list(one) == list(COLUMNS) and one["run"] == "a, b" and one["corrupted"] == "True"
    assert one["departs_from"] == task.action_names[0] and one["departs_to"] == task.action_names[1]
    assert float(one["over_own_high"]) < 0 and one["verdict"] == "wrong"
    assert (
        other["visits"] == "0"
        and other["kl"] == other["follow_return"] == ""
        and other["verdict"] == "unmeasured"
    )
    flat = {key for key, value in rows[0].items() if not isinstance(value, dict)}
    assert flat - {"plans"} <= set(COLUMNS)


@pytest.fixture(scope="module")
def played():
    """A task with lava, an untrained recurrent student, and its teacher with errors."""
    config = resolve(Config(task="lava_door_key", student=Student("gru", 8), corrupt=Corrupt(0.5)))
    plan = make_plan(config, taught=False)
    table = load_teacher(config.teacher, config.task)
    teacher = make_teacher(table, plan.task, config.corrupt)
    return plan.task, plan.student, teacher, plan.student.init(jax.random.key(0))


@pytest.mark.unoptimised
def test_an_episode_is_the_same_wherever_it_is_played(played):
    numbers = np.arange(LANES + 9)
    whole, some = play_episodes(*played, numbers), play_episodes(*played, numbers[::-1][:5])
    assert whole.live.shape[1] == len(numbers) and len(whole.live) % BLOCK == 0
    length = whole.live.sum(axis=0)
    assert (length > 0).all() and (length <= played[0].max_steps).all() and not whole.live[-1].all()
    np.testing.assert_array_equal(whole.reward[::-1][:5], some.reward)
    np.testing.assert_array_equal(length[::-1][:5], some.live.sum(axis=0))
    np.testing.assert_allclose(np.exp(whole.student[whole.live]).sum(axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.unoptimised
def test_a_student_acts_otherwise_in_one_state_alone_and_from_there_on_episodes_part(played, follow):
    numbers = np.arange(64)
    own = play_episodes(*played, numbers)
    state = int(np.bincount(own.state[own.live][own.state[own.live] >= 0]).argmax())
    other = play_episodes(*played, numbers, np.full(64, state), np.full(64, follow))
    assert (own.reward != other.reward).any() or (own.live.sum(axis=0) != other.live.sum(axis=0)).any()
    for episode in range(64):
        here = np.flatnonzero(own.live[:, episode] & (own.state[:, episode] == state))
        first = here[0] + 1 if here.size else own.live[:, episode].sum()
        np.testing.assert_array_equal(own.state[:first, episode], other.state[:first, episode])
        if not here.size:
            assert own.reward[episode] == other.reward[episode]
    nowhere = play_episodes(*played, numbers, np.full(64, 10_000), np.full(64, follow))
    np.testing.assert_array_equal(nowhere.reward, own.reward)
