"""Tests of hierarchical learning: when options are chosen, and what they are worth, worked by hand."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.config import Variant, resolve
from jaxteach.config.pytree import make_hyper
from jaxteach.student.returns import gae, next_values
from jaxteach.tasks import make_task
from jaxteach.training import as_arrays, play_students, train
from jaxteach.training.hierarchical import NO_OPTION, execute, follow, semi_markov_gae
from jaxteach.training.ppo import learn, targets
from jaxteach.training.state import make_plan
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper.constants import DONE, PICKUP, RIGHT
from tests.training.conftest import EPISODES, STEPS, experience
from tests.training.corridor import corridor
from tests.worlds.minigrid.paper.scenes import scene

EXPLORE, TO_KEY, TO_DOOR, PICK_UP, PUT_DOWN, OPEN = range(6)
ALONE = {"task": "corridor", "variant": Variant(), "method": "hierarchical", "teacher": "none"}
HIERARCHICAL = dataclasses.replace(STEPS, **ALONE, seeds=2, seeds_per_chunk=2)
INTERRUPTIBLE = dataclasses.replace(HIERARCHICAL, method="interruptible")
__all__ = ["corridor"]

pytestmark = pytest.mark.unoptimised

step = jax.jit(execute, static_argnums=0)

AWAY = """
#####
#k..#
#...#
#..v#
##D##
"""
AHEAD = """
#####
#.>k#
#...#
#...#
##D##
"""


def go(
    drawing: str, memory: list[int], running: int, chosen: int, first: bool = False
) -> tuple[int, bool, int]:
    """One step of one environment: the action, whether the choice was taken up, and what runs on."""
    task = make_task("simple_door_key")
    obs, recalled = scene(drawing)[None], np.int32([[memory]])
    found = step(
        task,
        obs,
        recalled,
        np.array([first]),
        np.int32([running if running == NO_OPTION else with_subject(task, obs, recalled, running)]),
        np.int32([chosen]),
    )
    action, decides, on = (x[0] for x in found)
    return int(action), bool(decides), int(on) if on == NO_OPTION else int(on) % len(task.language.options)


@functools.partial(jax.jit, static_argnums=0)
def with_subject(task, obs, memory, option):
    """An option as `execute` keeps it while it runs: with what it is about."""
    _, view = task.perceive(obs, memory)
    return option + len(task.language.options) * task.subject(view, jnp.int32([option]))[0]


@pytest.mark.parametrize(
    ("drawing", "memory", "running", "chosen", "first", "expected"),
    [
        # nothing runs: the choice is taken up, and continues if it is more than one step
        (AWAY, [1, 1], NO_OPTION, TO_KEY, False, (RIGHT, True, TO_KEY)),
        (AWAY, [1, 1], NO_OPTION, PICK_UP, False, (PICKUP, True, NO_OPTION)),
        # what runs continues, whatever the student would choose now
        (AWAY, [1, 1], TO_KEY, PICK_UP, False, (RIGHT, False, TO_KEY)),
        # it has arrived: the student chooses
        (AHEAD, [1, 3], TO_KEY, PICK_UP, False, (PICKUP, True, NO_OPTION)),
        (AHEAD, [1, 3], TO_KEY, TO_DOOR, False, (RIGHT, True, TO_DOOR)),
        # a choice that cannot be applied waits one step
        (AHEAD, [1, 3], NO_OPTION, TO_KEY, False, (DONE, True, NO_OPTION)),
        (AWAY, [1, 1], NO_OPTION, EXPLORE, False, (DONE, True, NO_OPTION)),
        # an episode that begins knows nothing of what ran in the one before
        (AWAY, [1, 1], TO_KEY, PICK_UP, True, (PICKUP, True, NO_OPTION)),
    ],
)
def test_one_step(drawing, memory, running, chosen, first, expected):
    assert go(drawing, memory, running, chosen, first) == expected


@pytest.mark.parametrize(
    ("drawing", "memory", "chosen", "action"),
    [
        # the first step of an option, whatever ran before
        (AWAY, [1, 1], TO_KEY, RIGHT),
        (AWAY, [1, 1], PICK_UP, PICKUP),
        # one that cannot be followed, or has ended, waits
        (AWAY, [1, 1], EXPLORE, DONE),
        (AHEAD, [1, 3], TO_KEY, DONE),
        # actions come after the six options
        (AHEAD, [1, 3], 6 + RIGHT, RIGHT),
        (AHEAD, [1, 3], 6 + PICKUP, PICKUP),
        (AHEAD, [1, 3], 6 + DONE, DONE),
    ],
)
def test_one_step_that_may_be_left(drawing, memory, chosen, action):
    task = make_task("simple_door_key")
    found = jax.jit(follow, static_argnums=0)(
        task, scene(drawing)[None], np.int32([[memory]]), np.int32([chosen])
    )
    assert found.tolist() == [action]


# Red is c1 while its key is seen alone; with the blue key, which captions list before it, it is c2.
RED_ALONE = """
#######
#?....#
#.....#
#..>.r#
#.....#
#######
"""


@pytest.mark.parametrize(("blue", "ends"), [(False, False), (True, True)])
def test_going_to_a_thing_ends_when_it_is_renamed(blue, ends):
    task = make_task("colored_door_key")
    to_c1 = [option.text for option in task.language.options].index("go to <c1 key>")
    wait = np.array([False]), np.int32([NO_OPTION]), np.int32([to_c1])
    _, _, running = step(task, scene(RED_ALONE)[None], np.int32([[[-1, -1], [3, 5]]]), *wait)
    assert running[0] != NO_OPTION
    drawing = RED_ALONE.replace("?", "b") if blue else RED_ALONE
    memory = np.int32([[[1, 1] if blue else [-1, -1], [3, 5]]])
    explore = np.int32([0])
    _, decides, _ = step(task, scene(drawing)[None], memory, np.array([False]), running, explore)
    assert bool(decides[0]) == ends


def test_exploring_runs_until_nothing_is_left():
    unseen = AWAY.replace("#k..#", "#kv.?", 1).replace("#..v#", "#...?", 1)
    action, decides, option = go(unseen, [1, 1], EXPLORE, TO_KEY)
    assert not decides and option == EXPLORE and action != DONE
    assert go(AWAY, [1, 1], EXPLORE, TO_KEY) == (RIGHT, True, TO_KEY)


def one_environment(*columns):
    """Arrays [T, 1]."""
    return [
        np.asarray(column, bool if isinstance(column[0], bool) else np.float32)[:, None] for column in columns
    ]


def test_an_option_is_discounted_by_its_length():
    # Gamma 1/2. An option of three steps with rewards 1, 0, 4, then one that begins in a state of value 8.
    rewards, values = one_environment([1, 0, 4, 0], [3, 99, 99, 8])
    none, decides = one_environment([False] * 4, [True, False, False, True])
    following = next_values(values, np.array([16.0], np.float32), np.array([-1.0]), none)
    one_step = semi_markov_gae(rewards, values, following, none, none, decides, 0.5, 0.0)
    # 1 + 0 / 2 + 4 / 4 + 8 / 8 - 3; the second is still running where the window ends: 0 + 16 / 2 - 8.
    np.testing.assert_allclose(one_step[[0, 3], 0], [0.0, 0.0])
    rewards[3] = 2  # the second is worth 2 more than its state: in full with lambda 1, by half with 1 / 2
    monte_carlo = semi_markov_gae(rewards, values, following, none, none, decides, 0.5, 1.0)
    np.testing.assert_allclose(monte_carlo[[0, 3], 0], [2 / 8, 2.0])
    halfway = semi_markov_gae(rewards, values, following, none, none, decides, 0.5, 0.5)
    np.testing.assert_allclose(halfway[[0, 3], 0], [1 / 8, 2.0])


@pytest.mark.parametrize(
    ("terminated", "truncated", "worth"),
    # Reward 2 at the end of two steps: 2 / 2, and after a truncation a quarter of the value of its own end.
    [(True, False, 1.0), (False, True, 1 + 12 / 4), (True, True, 1.0)],
)
def test_an_option_that_ends_with_its_episode(terminated, truncated, worth):
    rewards, values = one_environment([0, 2, 5], [3, 99, 7])
    decides, at_end = one_environment([True, False, True], [False, True, False])
    ends = at_end & terminated, at_end & truncated
    following = next_values(values, np.array([16.0], np.float32), np.array([12.0], np.float32), ends[1])
    found = semi_markov_gae(rewards, values, following, *ends, decides, 0.5, 1.0)
    np.testing.assert_allclose(found[0, 0], worth - 3)


def test_options_of_one_step_are_plain_gae():
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(2, 12, 5)).astype(np.float32)
    terminated, truncated = rng.random((2, 12, 5)) < 0.15
    last, final = rng.normal(size=(2, 5)).astype(np.float32)
    steps = rewards, values, next_values(values, last, final, truncated), terminated, truncated
    found = semi_markov_gae(*steps, np.ones((12, 5), bool), 0.9, 0.8)
    np.testing.assert_allclose(found, gae(*steps, 0.9, 0.8), atol=1e-5)


@pytest.fixture(scope="module")
def run(corridor):
    """Five updates of students that choose among options, and never learn."""
    return experience(make_plan(resolve(HIERARCHICAL), taught=False), 5)


def test_every_episode_begins_with_a_choice(run):
    rows = jax.tree.map(lambda x: np.asarray(x[:, 0]), run.rollouts.rows)
    assert rows.valid[rows.first].all()
    assert 0.1 < rows.valid.mean() < 0.95  # some options run for longer than a step
    assert rows.obs is None and rows.memory is None
    assert set(np.unique(rows.action[rows.valid])) == set(range(4))


def test_environment_steps_are_counted_not_choices(run):
    np.testing.assert_array_equal(run.rollouts.env_steps[:, 0], 64)
    assert not np.asarray(run.rollouts.rows.valid[:, 1]).any()  # the seed that takes no part


def test_options_run_on_across_updates(run):
    option = np.asarray(run.before.option[1:, 0])  # [update, env]
    goes_on = (option != NO_OPTION) & ~np.asarray(run.rollouts.rows.first[1:, 0, 0])
    chosen = np.asarray(run.rollouts.rows.valid[1:, 0, 0])
    assert (goes_on & ~chosen).any()
    assert chosen[~goes_on].all()


def test_targets_follow_choices(run):
    rollout = jax.tree.map(lambda x: x[2, 0], run.rollouts)
    hyper = make_hyper(run.plan.config, 8)
    silence = jnp.zeros((*rollout.rows.action.shape, 4))
    batch = targets(run.plan, rollout, silence, hyper)
    rows = jax.tree.map(np.asarray, rollout.rows)
    gamma, lam = float(hyper.config.ppo.gamma), float(hyper.config.ppo.gae_lambda)
    for e in range(4):
        for t in np.flatnonzero(rows.valid[:, e]):
            total, k = 0.0, 0
            while True:
                total += gamma**k * rows.reward[t + k, e]
                if rows.terminated[t + k, e]:
                    break
                if rows.truncated[t + k, e]:
                    total += gamma ** (k + 1) * float(rollout.final_value[e])
                    break
                k += 1
                if t + k == 16:
                    total += gamma**k * float(rollout.last_value[e])
                    break
                if rows.valid[t + k, e]:
                    value = rows.value[t + k, e]
                    total += gamma**k * (value + lam * (batch.returns[t + k, e] - value))
                    break
            np.testing.assert_allclose(batch.returns[t, e], total, atol=1e-5)


def test_a_tiny_run_learns_counts_and_is_evaluated(corridor):
    training = train(HIERARCHICAL)
    metrics = training.metrics
    assert training.complete
    np.testing.assert_array_equal(metrics["env_steps"][:, -1], 512)
    assert np.isfinite(metrics["policy_loss"]).all() and np.abs(metrics["policy_loss"]).max() > 0
    np.testing.assert_array_equal(metrics["distill"], 0)
    plan = make_plan(resolve(HIERARCHICAL), taught=False)
    played = as_arrays(
        play_students(plan.task, plan.student, training.params, np.uint32([0, 1]), 20, False, "hierarchical")
    )
    assert ((played["success_rate"] >= 0) & (played["success_rate"] <= 1)).all()
    assert (played["length"] <= plan.task.max_steps).all()


@pytest.fixture(scope="module")
def free(corridor):
    """Two updates of students that choose at every step, and never learn."""
    return experience(make_plan(resolve(INTERRUPTIBLE), taught=False), 2)


def test_options_and_actions_are_chosen_at_every_step(free):
    rows = jax.tree.map(lambda x: np.asarray(x[:, 0]), free.rollouts.rows)
    assert rows.valid.all()
    assert set(np.unique(rows.action)) == set(range(4 + 4))
    assert free.plan.student.n_actions == 8
    assert (np.asarray(free.before.option) == NO_OPTION).all()  # nothing runs on
    # A student that has learnt nothing chooses among all alike, and its choices' log-probabilities say so.
    np.testing.assert_allclose(rows.log_prob, -np.log(8), atol=0.2)


def test_choices_of_one_step_are_worth_what_plain_gae_says(free):
    rollout = jax.tree.map(lambda x: np.asarray(x[1, 0]), free.rollouts)
    rows, hyper = rollout.rows, make_hyper(free.plan.config, 8)
    batch = targets(free.plan, rollout, jnp.zeros((*rows.action.shape, 8)), hyper)
    gamma, lam = float(hyper.config.ppo.gamma), float(hyper.config.ppo.gae_lambda)
    for e in range(4):
        after, later = rollout.last_value[e], 0.0
        for t in range(15, -1, -1):
            cut, final = rows.truncated[t, e], rows.terminated[t, e]
            after = 0.0 if final else rollout.final_value[e] if cut else after
            delta = rows.reward[t, e] + gamma * after - rows.value[t, e]
            later = delta + gamma * lam * (0.0 if final or cut else later)
            np.testing.assert_allclose(batch.returns[t, e] - rows.value[t, e], later, atol=1e-5)
            after = rows.value[t, e]
    assert (rows.terminated | rows.truncated).any()


@pytest.mark.slow
@pytest.mark.parametrize("base", [STEPS, EPISODES])
def test_students_that_choose_at_every_step_learn_and_are_evaluated(base):
    config = dataclasses.replace(base, method="interruptible", teacher="none", seeds=2, seeds_per_chunk=2)
    training = train(config)
    assert training.complete
    assert np.isfinite(training.metrics["policy_loss"]).all()
    plan = make_plan(resolve(config), taught=False)
    params = training.params
    played = as_arrays(
        play_students(plan.task, plan.student, params, np.uint32([0, 1]), 20, False, "interruptible")
    )
    assert (played["length"] <= plan.task.max_steps).all()


@pytest.mark.parametrize("method", ["hierarchical", "interruptible"])
@pytest.mark.parametrize("base", [STEPS, EPISODES])
def test_it_is_resolved_to_learn_alone(base, method):
    config = resolve(dataclasses.replace(base, method=method))
    assert (config.teacher, config.decay.name) == ("none", "none")
    with pytest.raises(UserError, match="without a teacher"):
        make_plan(config, taught=True)


@pytest.fixture(scope="module")
def whole(corridor):
    """One update of whole episodes of students that choose among options."""
    config = dataclasses.replace(EPISODES, **ALONE)
    return experience(make_plan(resolve(config), taught=False), 1)


@functools.partial(jax.jit, static_argnums=0)
def learn_from(plan, state, rollout, valid, hyper):
    """The state after learning from those rows of a rollout that are valid."""
    rollout = rollout.replace(rows=rollout.rows.replace(valid=valid))
    batch = targets(plan, rollout, jnp.zeros((*valid.shape, 4)), hyper)
    return learn(plan, state, rollout, batch, jnp.float32(0), jax.random.key(1), hyper)[0]


@pytest.mark.parametrize(("n_choices", "size"), [(5, 16), (16, 16), (40, 16), (61, 30)])
@pytest.mark.parametrize("played", ["run", "whole"])
def test_every_choice_counts_once(played, n_choices, size, request):
    """As many steps of Adam as hold all choices; the last is padded with rows that do not count."""
    played = request.getfixturevalue(played)
    config = played.plan.config
    config = dataclasses.replace(config, ppo=dataclasses.replace(config.ppo, minibatch=size, epochs=1))
    state, rollout = jax.tree.map(lambda x: x[0, 0], (played.before, played.rollouts))
    valid = np.zeros(rollout.rows.valid.size, bool)
    valid[:: valid.size // n_choices] = True
    valid[np.flatnonzero(valid)[n_choices:]] = False
    hyper = make_hyper(config, 8).changed({"ppo.lr": jnp.float32(0)})
    plan = make_plan(config, taught=False)
    after = learn_from(plan, state, rollout, valid.reshape(rollout.rows.valid.shape), hyper)
    assert int(after.adam.count) == -(-n_choices // size)


def test_whole_episodes_too(whole):
    rows = jax.tree.map(lambda x: np.asarray(x[0, 0]), whole.rollouts.rows)
    assert rows.valid[0].all()
    # All environments have come to rest before the buffer ends, and choices are fewer than steps.
    assert not rows.valid[-1].any()
    assert 10 < rows.valid.sum() < int(whole.rollouts.env_steps[0, 0])
