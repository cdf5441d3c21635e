"""Tests of the benchmark: its arithmetic on cases worked by hand, and one stage from end to end."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from benchmarks import flops, levels, ratios, runs, suite, timing
from benchmarks.env import Ours, random_play, stepping
from benchmarks.runs import Run
from benchmarks.timing import Timing, Variant

from jaxteach.config import PPO, Config, Student, resolve
from jaxteach.student.networks import make_student
from jaxteach.tasks import make_task
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper.features import Egocentric, RawMap, View


def timed(rate: float) -> Timing:
    """A timing of that many units a second."""
    return Timing((2.0, 1.0, 0.5), rate, 1, 0.0, 1)


def ran(seeds: int, **changes: object) -> Run:
    """A run of 100 environment steps a seed."""
    fields = {
        "flags": "",
        "seeds": seeds,
        "env_steps": 100 * seeds,
        "train_seconds": 2.0 * seeds,
        "compile_seconds": 5.0,
        "start_seconds": 4.0,
        "total_seconds": 9.0,
        "peak_bytes": 1000 + 2 * seeds,
        "metrics_bytes": 10 * seeds,
        "params_bytes": 90 * seeds,
        "compiled": 0,
        "confirmed_env_steps_to_95": 25.0,
    }
    return Run(**{**fields, **changes})


def test_rates_by_hand():
    timing = Timing((1.0, 4.0, 2.0), 8.0, 3, 0.0, 1)
    assert (timing.median, timing.rate) == (2.0, 4.0)
    assert (timing.to_json()["rate_min"], timing.to_json()["rate_max"]) == (2.0, 8.0)
    assert str(timing) == "4/s [2, 8]"


def test_variants_are_timed_in_turn_and_what_warms_up_is_discarded(monkeypatch):
    clock, order = [0.0], []
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])

    def variant(name: str, first: float, later: float) -> Variant:
        def call() -> None:
            clock[0] += later if name in order else first
            order.append(name)

        return Variant(call, units=10.0)

    found = timing.measure({"a": variant("a", 9.0, 1.0), "b": variant("b", 7.0, 0.25)}, 2, seconds=1.0)
    assert found["a"].seconds == (1.0, 1.0) and found["a"].calls == 1
    assert found["b"].seconds == (0.25, 0.25) and found["b"].calls == 4
    assert "".join(order) == "aabb" + 2 * "abbbb"


def test_operations_of_a_row_by_hand():
    view = View(2, 3, (None,))
    readers = {"compact": Egocentric(view), "map": RawMap(view)}
    task = SimpleNamespace(action_names=tuple("abcdefg"), features=readers.get)
    ego, cnn = make_student("ego", 5, task), make_student("cnn", 5, task)
    # Two hidden layers, then 7 logits and a value.
    ego_first, ego_others = ego.n_features * 5, 5 * 5 + 5 * 8
    assert flops.layers(ego, 5) == [ego_first, 5 * 5, 5 * 8]
    # Forward and to the weights everywhere; to the inputs not in the first layer.
    assert flops.row_flops(ego, 5) == 2 * (2 * ego_first + 3 * ego_others)
    # Six cells of 3x3 patches; actor and critic each read all of them.
    assert flops.layers(cnn, 5) == [6 * 9 * 4 * 16, 6 * 9 * 16 * 32, 6 * 9 * 32 * 64, 2 * 6 * 64 * 5, 40]


@pytest.mark.parametrize("name", ["ego", "cnn"])
def test_operations_are_those_the_compiler_counts(name):
    student = make_student(name, 64, make_task(suite.TASK))
    n = 16
    params = jax.eval_shape(student.init, jax.random.key(0))
    inputs = [
        jax.ShapeDtypeStruct(shape, kind)
        for shape, kind in (((n, student.n_features), jnp.uint8), ((n, 0), jnp.float32), ((n,), bool))
    ]
    counted = jax.jit(student.apply).lower(params, *inputs).compile().cost_analysis()["flops"]
    # Biases and activations are a little more.
    assert 1.0 <= counted / (2 * n * sum(flops.layers(student, 64))) < 1.05


@pytest.mark.parametrize(("minibatch", "rows"), [(128, 3 * 512), (100, 3 * 500)])
def test_operations_of_an_update_by_hand(minibatch, rows):
    config = resolve(Config(student=Student("ego"), ppo=PPO(minibatch=minibatch)))
    student = make_student("ego", 64, make_task(suite.TASK))
    assert flops.update_flops(config, student) == rows * flops.row_flops(student, 64)


def test_the_matmul_multiplies():
    variant = flops.matmul(8, 1)
    variant.call()
    assert variant.units == 2 * 8**3


def test_ratios_take_the_best_of_each():
    timings = {
        "ours: observation, 1": timed(10.0),
        "ours: observation, 2": timed(40.0),
        "ours: features": timed(90.0),
        "navix, 1": timed(5.0),
        "navix, 2": timed(4.0),
        "minigrid": timed(0.1),
    }
    navix, xminigrid, farama = ratios.env_ratios(timings)
    assert (navix.value, navix.met) == (8.0, True)
    assert (xminigrid.value, xminigrid.met) == (None, None)
    assert "not measured" in str(xminigrid)
    assert farama.value == pytest.approx(400.0)


def test_ratios_of_training_by_hand():
    rates = {
        "rollouts: alone": 10.0,
        "rollouts: taught": 4.0,
        "training: alone": 8.0,
        "training: taught": 6.0,
        "training: always taught": 5.0,
        "navix PPO: as wide": 3.0,
        "navix PPO: as many weights": 12.0,
        "navix PPO: on the map, as wide": 100.0,
    }
    found = ratios.training_ratios({name: timed(rate) for name, rate in rates.items()})
    assert [ratio.value for ratio in found] == pytest.approx([0.4, 0.75, 2.0, 8 / 3, 0.5, 2 / 3])
    assert [ratio.met for ratio in found] == [False, False, True, True, False, False]
    assert str(found[0]).endswith("NOT REACHED")


def test_ratios_of_levels_by_hand():
    def row(name: str, size: int, **rates: float) -> levels.Row:
        return levels.Row(
            f"MiniGrid-{name}-v0", 64, 3.0, size, 1.5, {who: timed(r) for who, r in rates.items()}
        )

    rows = [
        row("DoorKey-8x8", 100, ours=60.0, navix=2.0, xminigrid=4.0),
        row("KeyCorridorS3R3", 200, ours=30.0, navix=3.0),
        row("FourRooms", 50, ours=50.0, navix=2.5, xminigrid=2.0),
        row("PutNear-6x6-N2", 10, ours=1.0),
    ]
    found = ratios.level_ratios(rows)
    assert [ratio.value for ratio in found] == [30.0, 10.0, 15.0, 25.0, 20.0, 10.0, 1.5, 1024 * 200]
    assert [ratio.met for ratio in found] == [True, False, False, True, True, True, True, True]
    assert found[4].name == "levels: ours / navix, median of 3 ids"
    assert rows[3].ratio("navix") is None and rows[0].to_json()["timings"]["ours"]["rate"] == 60.0


@pytest.mark.unoptimised
def test_a_level_is_stepped_with_the_image_consumed():
    ours = levels.Level("MiniGrid-Empty-5x5-v0")
    state = ours.reset(jax.random.key(0), 4)
    (env, _), total = jax.jit(stepping, static_argnums=(0, 1))(
        ours, 1, jax.random.key(1), state, jnp.zeros((4,), jnp.uint32)
    )
    seen = np.asarray(jax.vmap(ours.env.observe)(env).image)
    np.testing.assert_array_equal(total, seen.sum(axis=(1, 2, 3), dtype=np.uint32) % 256)


def test_shares_of_the_peak_by_hand():
    timings = {"matmul 1": timed(100.0), "matmul 2": timed(200.0), "learn: ego": timed(90.0)}
    ego, cnn = ratios.peak_ratios(timings)
    assert (ego.value, ego.met, cnn.value) == (0.45, True, None)


def test_ratios_of_runs_by_hand():
    found = {
        "cold": [ran(8, compile_seconds=61.0)],
        "default": [ran(8), ran(64, confirmed_env_steps_to_95=10.0)],
        "short": [
            ran(64, compiled=1, train_seconds=999.0),
            ran(64),
            ran(4096, train_seconds=4096 * 3.0),
            ran(64),
        ],
    }
    solved, cold, warm, slower, growth, compiled = ratios.run_ratios(found, peak=90e9)
    # 2 s a seed, a tenth of its steps, on a machine half as fast as that of the bound.
    assert solved.value == pytest.approx(0.1) and solved.met
    assert (cold.value, cold.met) == (61.0, False)
    assert (warm.value, warm.met) == (4.0, True)
    assert (slower.value, slower.met) == (1.5, False)
    # 2 bytes more a seed, of which metrics are 10; parameters have left.
    assert growth.value == pytest.approx(0.2)
    assert (compiled.value, compiled.met) == (1.0, True)
    assert str(compiled).endswith("reached     (100 environment steps a seed)")
    assert ratios.to_json([compiled])[0]["note"] == "(100 environment steps a seed)"


@pytest.mark.parametrize("programs", [0, 2])
def test_exactly_one_program_is_compiled(programs):
    found = {"cold": [ran(8)], "default": [ran(8)], "short": [ran(64, compiled=programs), ran(64), ran(4096)]}
    assert ratios.run_ratios(found, peak=90e9)[-1].met is False


@pytest.mark.parametrize(
    ("vmap", "mapped", "width"),
    [((1, 3, 9), (2, 2, 2), 8), ((3, 1, 9), (2, 2, 2), 16), ((3, 3, 1), (2, 2, 2), None)],
)
def test_the_crossover_of_vmap_and_map_by_hand(vmap, mapped, width):
    timings = {f"vmap: {n} seeds": timed(rate) for n, rate in zip((2, 8, 16), vmap, strict=True)}
    timings |= {f"groups of 1 a device: {n} seeds": timed(r) for n, r in zip((2, 8, 16), mapped, strict=True)}
    timings |= {"vmap: 1 seeds": timed(9.0), "groups of 4 a device: 16 seeds": timed(99.0)}
    assert ratios.crossover(timings) == width


def test_vmap_and_map_are_measured_at_the_same_widths():
    for size in suite.SIZES.values():
        mapped = {width for width, together in size.groups if together == 1}
        assert mapped == set(size.widths) - {1}


def test_what_was_never_solved_or_run_has_no_ratio():
    found = {"cold": [ran(8)], "default": [ran(8, confirmed_env_steps_to_95=None)], "short": []}
    values = [ratio.value for ratio in ratios.run_ratios(found, peak=180e9)]
    assert values == [None, 5.0, 4.0, None, None, None]


def test_a_cache_and_arrays_are_counted(tmp_path):
    for name in ("jit_run_segment-a-cache", "jit_run_segment-a-atime", "jit_init-b-cache"):
        (tmp_path / name).touch()
    assert runs.programs(tmp_path) == 1
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3, np.float32), b=np.zeros((2, 2), np.uint8))
    assert runs.array_bytes(tmp_path / "arrays.npz") == 16


def test_a_run_that_fails_is_told_with_its_last_line(tmp_path):
    with pytest.raises(UserError, match=r"--seeds 0 ended with status 2: .*must be at least 1"):
        runs.run(tmp_path / "run", tmp_path / "cache", ["--seeds", "0"])


class Still:
    """Environments that never change; each shows its number in every byte, for as long as it is stepped."""

    n_actions = 7

    def reset(self, key, n):
        return jnp.arange(n, dtype=jnp.uint8)

    def step(self, key, state, action):
        return state, jnp.broadcast_to(state[:, None, None, None], (state.shape[0], 2, 3, 4))


def test_every_byte_is_summed_for_each_environment():
    state = Still().reset(jax.random.key(0), 200)
    _, total = stepping(Still(), 5, jax.random.key(1), state, jnp.zeros((200,), jnp.uint32))
    np.testing.assert_array_equal(total, 5 * (2 * 3 * 4 * np.arange(200) % 256))


@pytest.mark.unoptimised
def test_random_play_sums_what_the_task_observes():
    ours = Ours(suite.TASK)
    state = ours.reset(jax.random.key(0), 4)
    (env, _), total = jax.jit(stepping, static_argnums=(0, 1))(
        ours, 1, jax.random.key(1), state, jnp.zeros((4,), jnp.uint32)
    )
    seen = np.asarray(jax.vmap(ours.task.observe)(env))
    assert seen.dtype == np.uint8 and seen.shape[-1] == 4
    np.testing.assert_array_equal(total, seen.sum(axis=(1, 2, 3), dtype=np.uint32) % 256)


@pytest.mark.unoptimised
def test_a_stage_from_end_to_end():
    variants = {"ours: observation": lambda: random_play(Ours(suite.TASK), 8, 3, 1)}
    size = suite.SIZES["quick"]
    (found,) = suite.in_turn(size, variants).values()
    assert found.units == 24 and len(found.seconds) == size.repeats >= 5
    assert found.compile_seconds > 0
