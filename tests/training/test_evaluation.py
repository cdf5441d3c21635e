"""Tests of evaluation: every episode counts once, long ones as much as short ones."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from jaxteach.config import Corrupt, resolve
from jaxteach.tasks import make_task
from jaxteach.tasks.protocol import Defaults, Outcome
from jaxteach.teacher.corruption import make_teacher
from jaxteach.training import as_arrays, play_students, play_teacher, summarise
from jaxteach.training.evaluation import play
from jaxteach.training.state import Plan, make_plan
from tests.training.conftest import STEPS

pytestmark = pytest.mark.unoptimised


class Clockwork(struct.PyTreeNode):
    """An episode that ends by itself: after one step with success, or after 40 without."""

    good: jax.Array
    clock: jax.Array


@dataclasses.dataclass(frozen=True)
class CoinTask(Defaults):
    """Half of the episodes succeed at once; the others fail late, unless they are paid by the step."""

    n_draws: int = 1
    always_good: bool = False
    pay: float = 0.0

    def reset(self, words):
        return Clockwork(good=(words[0] & 1 == 1) | self.always_good, clock=jnp.zeros((), jnp.int32))

    def step(self, state, action):
        clock = state.clock + 1
        done = state.good | (clock >= 40)
        reward = jnp.where(state.good, 1.0, self.pay)
        outcome = Outcome(reward, done & state.good, done & ~state.good, done & (state.good | (self.pay > 0)))
        return state.replace(clock=clock), outcome


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def played(task, n_lanes, n_episodes):
    def act(key, state, first, hidden):
        return jnp.zeros(n_lanes, jnp.int32), hidden

    return play(task, act, jnp.zeros((n_lanes, 0)), jax.random.key(0), n_episodes)


def test_short_episodes_are_not_favoured():
    # Counting the first 1000 to finish would give nearly 1 success and a mean length of nearly 1.
    result = played(CoinTask(), 50, 1000)
    assert float(result.success) == pytest.approx(0.5, abs=0.06)  # 3.8 standard deviations
    assert float(result.reward) == pytest.approx(float(result.success))
    assert float(result.length) == pytest.approx(40 - 39 * float(result.success), rel=1e-5)


def test_the_return_is_the_sum_of_an_episodes_rewards():
    result = played(CoinTask(pay=0.5), 50, 1000)
    share = (40 - float(result.length)) / 39  # of episodes that end at once
    assert float(result.reward) == pytest.approx(share * 1 + (1 - share) * 20, rel=1e-4)
    assert float(result.success) == 1  # the task's own word, not a positive reward at a termination


@pytest.mark.parametrize(("n_lanes", "n_episodes"), [(4, 7), (4, 8), (5, 3), (1, 6)])
def test_exactly_as_many_episodes_as_asked_for(n_lanes, n_episodes):
    """Each of these takes one step and brings 1: one too many or too few would show in the means."""
    result = played(CoinTask(always_good=True), n_lanes, n_episodes)
    assert [float(x) for x in (result.success, result.reward, result.length)] == [1, 1, 1]


@pytest.fixture(scope="module")
def plan() -> Plan:
    """What decides how the students of `STEPS` play."""
    return make_plan(resolve(STEPS), taught=True)


@pytest.fixture(scope="module")
def students(plan: Plan):
    """Untrained students, on eight seeds."""
    params = jax.jit(jax.vmap(plan.student.init))(jax.vmap(jax.random.key)(np.arange(8)))

    def evaluate(rows, seed_ids, greedy=False):
        some = jax.tree.map(lambda x: x[np.asarray(rows)], params)
        ids = np.asarray(seed_ids, np.uint32)
        return as_arrays(play_students(plan.task, plan.student, some, ids, 20, greedy))

    return evaluate


def test_a_students_episodes_follow_from_its_seed_alone(students):
    before = students([0, 1, 2, 3], [10, 11, 12, 13])
    after = students([3, 3, 1, 1], [13, 99, 11, 98])
    assert set(before) == {"success_rate", "return", "length"}
    for name, values in before.items():
        assert values.shape == (4,) and np.isfinite(values).all()
        assert (after[name][0], after[name][2]) == (values[3], values[1])
    assert after["length"][1] != after["length"][0]  # other episodes


def test_episodes_keep_to_the_time_limit(students, plan):
    length = students([0, 1, 2, 3], [10, 11, 12, 13])["length"]
    assert np.all((length > 1) & (length <= plan.task.max_steps))


def test_the_teacher_alone(plan, table):
    task = plan.task
    teacher = make_teacher(table, task, Corrupt())
    plain = make_task("simple_door_key", room_min=5, room_max=6, max_steps=60)
    success, length = [], []
    for which in (task, plain):
        result = as_arrays(play_teacher(which, teacher, np.uint32(0), 60, False))
        success.append(float(result["success_rate"][0]))
        length.append(float(result["length"][0]))
    # It knows nothing of lava; without any it always gets there.
    assert success[0] < 0.9 < success[1] == 1.0
    assert length[1] < 30


def test_summary_of_an_evaluation():
    summary = summarise({"success_rate": np.array([0.0, 0.5, 0.5, 1.0])})["success_rate"]
    assert set(summary) == {"mean", "iqm", "ci95", "n", "per_seed"}
    assert (summary["mean"], summary["iqm"], summary["n"]) == (0.5, 0.5, 4)
    assert summary["per_seed"] == [0.0, 0.5, 0.5, 1.0]
    low, high = summary["ci95"]
    assert 0 <= low <= 0.5 <= high <= 1
