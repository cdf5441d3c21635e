"""Tests of the training loop: when the teacher is asked, and that seeds, runs and chunks do not mix."""

import dataclasses
import functools
import logging

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.config import resolve
from jaxteach.config.pytree import make_hyper
from jaxteach.student.decay import SCHEDULES
from jaxteach.training import compile_program, loop, train
from jaxteach.training.loop import ask_teacher, init_chunk, run_update
from jaxteach.training.program import group_size
from jaxteach.training.state import make_plan
from tests.training.conftest import EPISODES, STEPS


def same(a, b):
    """Whether two trees of arrays are equal to the last bit, NaN included."""
    return all(
        jax.tree.leaves(jax.tree.map(lambda x, y: np.array_equal(x, y, equal_nan=x.dtype.kind == "f"), a, b))
    )


def test_steps_in_states_that_no_table_lists_are_counted():
    """Two seeds of three steps of one environment; the second seed is taught no longer."""
    said, silent = [0.5, 0.5], [0.0, 0.0]
    q = jnp.array([[[said], [silent], [silent]], [[silent], [silent], [silent]]])  # [seed, time, env, action]
    valid = jnp.array([[[True], [True], [False]], [[True], [True], [True]]])
    assert loop.unlisted(q, valid, jnp.array([2.0, 0.0])).tolist() == [1, 0]


def rows_of(training, *seeds):
    """Parameters and metrics of some seeds."""
    where = [training.seed_ids.tolist().index(seed) for seed in seeds]
    return jax.tree.map(lambda x: x[where], (training.params, training.metrics))


def test_without_a_teacher_lambda_is_zero():
    plan = make_plan(resolve(STEPS), taught=False)
    ids = jnp.arange(1, dtype=jnp.uint32)
    hyper = jax.tree.map(lambda x: x[None], make_hyper(plan.config, plan.n_updates))
    assert hyper.config.decay.start == 10

    @jax.jit
    def first():
        return run_update(plan, init_chunk(plan, ids), ids, hyper, None, jnp.int32(0))[1]["lambda"]

    np.testing.assert_array_equal(first(), 0)


# ---- the teacher is asked only while it has a say ----------------------------------------------------


@pytest.fixture
def asked(monkeypatch):
    """Counts how often the teacher's policy is really computed; it always answers `pickup`."""
    calls = []

    def policy(teacher, task, obs, memory, keys):
        jax.debug.callback(lambda: calls.append(len(obs)))
        return jnp.zeros((len(obs), 7)).at[:, 3].set(1.0)

    monkeypatch.setattr(loop, "answers", policy)
    return calls


@pytest.mark.parametrize(("weights", "computed"), [([0.0, 0.0], False), ([0.0, 0.1], True), ([3, 3], True)])
def test_teacher_is_computed_while_some_lambda_is_positive(by_steps, program, asked, weights, computed):
    rollout = jax.tree.map(lambda x: x[0], by_steps.rollouts)
    keys = jax.random.split(jax.random.key(0), 2)
    ask = jax.jit(functools.partial(ask_teacher, by_steps.plan))
    answer = ask(program.teacher, rollout, jnp.asarray(weights, jnp.float32), keys)
    jax.effects_barrier()
    assert asked == ([2 * 16 * 4] if computed else [])
    assert answer.shape == (2, 16, 4, 7)
    taught = np.asarray(weights) > 0  # [seed]: who is not taught sees nothing of what the others are told
    np.testing.assert_array_equal(answer[..., 3], np.broadcast_to(taught[:, None, None], answer.shape[:3]))


def jaxpr_of_update(plan, teacher, width=2):
    ids = jnp.zeros(width, jnp.uint32)
    state = jax.eval_shape(functools.partial(loop.init_chunk, plan), ids)
    hyper = jax.tree.map(lambda x: jnp.full((width,), x), make_hyper(plan.config, plan.n_updates))
    return jax.make_jaxpr(functools.partial(run_update, plan))(state, ids, hyper, teacher, jnp.int32(0)).jaxpr


def equations(jaxpr):
    """Every equation of a jaxpr, those of its inner programs included."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for part in value if isinstance(value, (tuple, list)) else (value,):
                if hasattr(part, "jaxpr") or hasattr(part, "eqns"):
                    yield from equations(getattr(part, "jaxpr", part))


def test_the_branch_stays_a_branch(program, monkeypatch):
    """In a program for many seeds the teacher is computed inside one `cond` with a scalar predicate."""

    @jax.jit
    def a_teacher_speaks(obs):
        return jnp.full((len(obs), 7), 1 / 7)

    monkeypatch.setattr(loop, "answers", lambda teacher, task, obs, *rest: a_teacher_speaks(obs))
    found = list(equations(jaxpr_of_update(program.plan, program.teacher)))
    speaks = [e for e in found if e.params.get("name") == "a_teacher_speaks"]
    assert len(speaks) == 1
    branches = [e for e in found if e.primitive.name == "cond"]
    around = [e for e in branches for b in e.params["branches"] if speaks[0] in list(equations(b.jaxpr))]
    assert len(around) == 1
    assert around[0].invars[0].aval.shape == ()


def test_without_a_teacher_none_is_in_the_program(program, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("the teacher was computed")

    monkeypatch.setattr(loop, "answers", refuse)
    plan = make_plan(resolve(STEPS), taught=False)
    found = list(equations(jaxpr_of_update(plan, None)))
    # Nor is anything kept for it to read: no rows of observations u8[seed, time, env, H, W, 4].
    kept = [v.aval.shape for e in found if e.primitive.name == "scan" for v in e.outvars]
    assert kept and not [shape for shape in kept if shape[-3:] == (10, 10, 4)]
    with pytest.raises(AssertionError, match="was computed"):
        jaxpr_of_update(program.plan, program.teacher)


def test_a_hard_teacher_gives_one_action_a_row(by_steps, program):
    config = dataclasses.replace(STEPS, distill=dataclasses.replace(STEPS.distill, teacher="hard"))
    plan = make_plan(resolve(config), taught=True)
    rollout = jax.tree.map(lambda x: x[0], by_steps.rollouts)
    ask = jax.jit(
        lambda plan, keys: ask_teacher(plan, program.teacher, rollout, jnp.ones(2), keys), static_argnums=0
    )
    keys = jax.random.split(jax.random.key(0), 2)
    soft, hard = np.asarray(ask(by_steps.plan, keys)), np.asarray(ask(plan, keys))
    np.testing.assert_allclose(soft.sum(axis=-1), 1, atol=1e-5)
    assert set(np.unique(hard)) == {0.0, 1.0}
    np.testing.assert_array_equal(hard.sum(axis=-1), 1)
    assert soft[hard == 1].min() > 0  # never what the teacher would not do
    assert np.any((soft > 0) & (soft < 1))


# ---- one program, whatever the seeds ------------------------------------------------------------------


def test_a_run_repeated_is_identical(program, training, table):
    again = train(STEPS, table, program=program)
    assert same((training.params, training.metrics), (again.params, again.metrics))


def test_seed_5_alone_equals_seed_5_among_8(program, training, table):
    alone = train(STEPS, table, [5], program=program)
    assert alone.seed_ids.tolist() == [5]
    assert same(rows_of(alone, 5), rows_of(training, 5))
    assert not same(rows_of(training, 4)[0], rows_of(training, 5)[0])


def test_chunks_are_a_matter_of_bookkeeping(program, training, table):
    """Ten seeds in any order make two chunks, the second padded."""
    ids = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    results = []
    other = train(STEPS, table, ids, program=program, on_chunk=results.append)
    assert other.seed_ids.tolist() == ids
    assert [result.trials.tolist() for result in results] == [ids[:8], ids[8:]]
    assert {array.shape for array in other.metrics.values()} == {(10, 8)}
    assert same(rows_of(other, *range(8)), rows_of(training, *range(8)))


def test_nothing_compiles_once_the_program_is(program, table, caplog):
    train(STEPS, table, [1, 2], program=program)  # transfers and conversions compile here, if anything does
    with jax.log_compiles(), caplog.at_level(logging.DEBUG):
        train(STEPS, table, [3, 4, 5, 6, 7, 8, 9, 10, 11], program=program)
        before = [r.getMessage() for r in caplog.records if "Compiling" in r.getMessage()]
        jax.jit(lambda x: x * 3.7)(jnp.ones(3))
        after = [r.getMessage() for r in caplog.records if "Compiling" in r.getMessage()]
    assert before == []
    assert len(after) >= 1  # the log does show what compiles


def test_hyperparameters_are_traced(program, training, table):
    """One program serves a whole sweep: other values need no compilation, and matter."""
    hyper, zero = program.hyper, jnp.zeros_like(program.hyper.config.ppo.lr)
    still = dataclasses.replace(program, hyper=hyper.changed({"ppo.lr": zero, "ppo.lr_end": zero}))
    result = train(STEPS, table, program=still)
    fresh = jax.jit(jax.vmap(lambda seed: loop.init_seed(program.plan, seed).params))(jnp.arange(8))
    assert jax.tree.all(jax.tree.map(lambda x, y: np.allclose(x, y, atol=1e-6), result.params, fresh))
    assert not same(result.params, training.params)


# ---- what comes out -------------------------------------------------------------------------------------


def test_metrics_of_a_run(training):
    m = training.metrics
    assert training.complete
    np.testing.assert_array_equal(m["env_steps"], np.broadcast_to(np.arange(1, 9) * 64, (8, 8)))
    assert np.all(m["succeeded"] <= m["finished"]) and np.all(m["finished"] <= m["started"])
    assert np.all(m["started"][:, 0] >= 4)  # every environment begins an episode
    expected = [10, 7.525, 5.05, 2.575, 0.1, 0.1, 0, 0]
    np.testing.assert_allclose(m["lambda"], np.tile(expected, (8, 1)), rtol=1e-5)
    for name in ("entropy", "approx_kl", "policy_loss", "value_loss", "distill"):
        assert np.isfinite(m[name]).all()
    taught = m["lambda"][0] > 0
    assert np.all(m["distill"][:, taught] > 0)
    assert m["distill"][:, 3].mean() < m["distill"][:, 0].mean()  # the students do follow
    np.testing.assert_allclose(m["entropy"][:, 0], np.log(7), rtol=0.1)


def test_progress_is_told_and_training_stops_when_asked(program, table):
    told = []
    done = train(
        STEPS,
        table,
        range(16),
        program=program,
        on_segment=told.append,
        stop=lambda: len(told) >= 1,
    )
    assert [progress.share for progress in told] == [0.5]
    assert (told[0].chunk, told[0].env_steps) == (0, 8 * 512)
    assert not done.complete
    assert done.seed_ids.tolist() == list(range(8))


@pytest.mark.unoptimised
@pytest.mark.parametrize("student", ["gru", pytest.param("cnn", marks=pytest.mark.slow)])
def test_other_students_learn_from_whole_episodes_and_sequences(student, table):
    """The reference's way for cnn; for gru minibatches of whole sequences.

    Whole episodes are also learnt from in tests/training/test_hierarchical.py.
    """
    base = EPISODES if student == "cnn" else STEPS
    config = dataclasses.replace(
        base, student=dataclasses.replace(base.student, name=student), seeds=2, seeds_per_chunk=2
    )
    config = dataclasses.replace(config, ppo=dataclasses.replace(config.ppo, minibatch=32))
    config = resolve(config)
    program, states = compile_program(config, table), []
    result = train(
        config, table, program=program, on_segment=lambda p: states.append(int(p.state.adam.count[0]))
    )
    m = result.metrics
    assert np.all(m["env_steps"][:, -1] >= config.env_steps)
    taken = np.diff(m["env_steps"], axis=1, prepend=0)
    np.testing.assert_array_equal(np.isfinite(m["policy_loss"]), taken > 0)
    assert m["distill"][:, 0].min() > 0
    if student == "gru":
        # 32 rows are two environments' sequences of 16 steps: two minibatches an epoch.
        assert states == [8 * 2 * 2]
    else:
        idle = taken == 0
        assert np.all((taken >= 150) | idle) and idle.any()  # a seed that is done waits
        np.testing.assert_array_equal(m["started"] == 0, idle)
        np.testing.assert_array_equal(m["finished"], m["started"])
        minibatches = (taken[0] // 32) * 2
        assert states[-1] == minibatches.sum()


# ---- groups of seeds ---------------------------------------------------------------------------------


@pytest.mark.unoptimised
def test_groups_of_seeds_one_after_another_learn_what_they_learn_side_by_side(program, training):
    """Eight seeds, side by side and in groups as in `program`: the first update, to what rounding allows."""
    assert group_size(8) == 4
    plan, ids = program.plan, jnp.arange(8, dtype=jnp.uint32)
    hyper = program.hyper_on_devices(np.arange(8))
    run = jax.jit(functools.partial(loop.run_segment, plan, 2, 8))
    state, wide = run(init_chunk(plan, ids), ids, hyper, program.teacher, jnp.int32(0))
    chex.assert_tree_shape_prefix(wide, (2, 8))
    chex.assert_tree_shape_prefix(state, (8,))
    np.testing.assert_array_equal(wide["env_steps"].T, training.metrics["env_steps"][:, :2])
    for name in ("policy_loss", "value_loss", "distill", "entropy"):
        narrow = training.metrics[name][:, 0]
        np.testing.assert_allclose(wide[name][0], narrow, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("trials", "together"), [(1, 1), (4, 4), (6, 3), (7, 1), (64, 4)])
def test_a_cpu_keeps_few_seeds_side_by_side(trials, together):
    assert group_size(trials) == together


# ---- progress ----------------------------------------------------------------------------------------


def test_whole_episodes_follow_their_own_progress():
    """Two seeds of one update, a quarter and 0.6 of the way: rate and schedule are those of their steps."""
    decay = dataclasses.replace(EPISODES.decay, name="linear_plateau", plateau_at=0.5, off_at=0.6)
    ppo = dataclasses.replace(EPISODES.ppo, lr=1.0, lr_end=0.0)
    plan = make_plan(resolve(dataclasses.replace(EPISODES, decay=decay, ppo=ppo)), True)
    hyper = jax.tree.map(lambda x: jnp.full((2,), x), make_hyper(plan.config, plan.n_updates))
    progress = loop.progress_of(plan, jnp.int32(3), jnp.array([100, 240]))
    np.testing.assert_allclose(progress, [0.25, 0.6])
    np.testing.assert_allclose(loop.learning_rate(progress, hyper), [0.75, 0.4])
    p = loop.decay_at(plan, hyper, jnp.int32(3), progress)
    weights = jax.vmap(SCHEDULES["linear_plateau"], in_axes=(None, 0))(jnp.int32(3), p)
    np.testing.assert_allclose(weights, [(10 + 0.05) / 2, 0], rtol=1e-6)


def test_steps_follow_the_update_counter_unbatched():
    plan = make_plan(resolve(STEPS), True)
    progress = loop.progress_of(plan, jnp.int32(2), jnp.array([128, 128]))
    assert progress.shape == () and progress == 2 / plan.n_updates
    hyper = jax.tree.map(lambda x: jnp.full((2,), x), make_hyper(plan.config, plan.n_updates))
    found = loop.decay_at(plan, hyper, jnp.int32(2), progress)
    assert found.off_at is hyper.config.decay.off_at.updates
