"""Tests of the metrics: episodes credited to the update they began in, chunks of different lengths."""

import numpy as np
import pytest

from jaxteach.analysis import return_while_learning, success_while_learning
from jaxteach.training.metrics import ARRAYS, LOSSES, MetricsLog, credit_to_start, join_chunks


def test_outcomes_move_to_the_update_they_began_in():
    # outcomes[seed, update, lag, fact]: of two facts, the second is 10 times the first.
    outcomes = np.zeros((2, 4, 3, 2))
    ended = [(0, 0, 0, 5), (0, 1, 0, 2), (0, 1, 1, 3), (0, 3, 2, 7), (0, 3, 0, 1), (1, 2, 2, 4)]
    for seed, update, lag, n in ended:
        outcomes[seed, update, lag] = n, 10 * n
    credited = credit_to_start(outcomes)
    np.testing.assert_array_equal(credited[..., 0], [[8, 9, 0, 1], [4, 0, 0, 0]])
    np.testing.assert_array_equal(credited[..., 1], 10 * credited[..., 0])


def test_more_lags_than_updates():
    outcomes = np.zeros((1, 2, 5, 1))
    outcomes[0, 1, 1] = 3
    np.testing.assert_array_equal(credit_to_start(outcomes)[0, :, 0], [3, 0])


def segment(n_updates, first=0, n_seeds=3):
    """Metrics as a program gives them, [update, seed, ...]."""
    shape = (n_updates, n_seeds)
    outcomes = np.zeros((*shape, 2, 4), np.float32)
    outcomes[:, :, 0] = 4, 1, 0.5, 40  # of the same update: one of four succeeded
    outcomes[:, :, 1] = 2, 2, 1.5, 10  # of the one before: both succeeded
    steps = (first + np.arange(1, n_updates + 1))[:, None] * 100
    return {
        **{name: np.full(shape, i, np.float32) for i, name in enumerate(LOSSES)},
        "env_steps": np.broadcast_to(steps, shape).astype(np.int32),
        "started": np.full(shape, 6, np.int32),
        "unlisted": np.full(shape, 2, np.int32),
        "alive": np.ones(shape, bool),
        "outcomes": outcomes,
    }


@pytest.fixture
def log():
    """Three updates in two segments; of three seeds the last is padding."""
    log = MetricsLog(2)
    log.add(segment(2))
    log.add(segment(1, first=2))
    return log


def test_log_by_hand(log):
    arrays = log.arrays()
    assert set(arrays) == set(ARRAYS)
    assert {array.shape for array in arrays.values()} == {(2, 3)}
    row = {name: array[0].tolist() for name, array in arrays.items()}
    assert row["env_steps"] == [100, 200, 300]
    assert row["started"] == [6, 6, 6]
    # Episodes of the last update that continue are not counted yet.
    assert row["finished"] == [6, 6, 4]
    assert row["succeeded"] == [3, 3, 1]
    np.testing.assert_allclose(row["return"], [2 / 6, 2 / 6, 0.5 / 4])
    np.testing.assert_allclose(row["length"], [50 / 6, 50 / 6, 40 / 4])
    assert row["unlisted"] == [2, 2, 2]
    assert [row[name][0] for name in LOSSES] == list(range(len(LOSSES)))
    assert {array.dtype.kind for name, array in arrays.items() if name in ARRAYS[:4]} == {"i"}


def test_live_success_is_of_episodes_that_started(log):
    assert log.n_updates == 3
    # Update 2 has episodes that continue: known are updates 0 and 1, of six episodes each.
    for window in (6, 12):
        recent = log.recent(window)
        np.testing.assert_allclose(recent.success, [3 / 6] * 2)
        np.testing.assert_allclose(recent.returns, [2 / 6] * 2)
        assert recent.env_steps.tolist() == [200, 200]
    assert log.recent(window=13) is None


def test_live_success_does_not_flatter():
    """Successes end in the update they began in, failures three updates later, as the time runs out."""
    log, success = MetricsLog(2), 0.14
    for _ in range(2):
        metrics = segment(3, n_seeds=2) | {"outcomes": np.zeros((3, 2, 4, 4), np.float32)}
        metrics["started"] = np.full((3, 2), 100)
        metrics["outcomes"][:, :, 0, :2] = 14
        if log.n_updates:
            metrics["outcomes"][:, :, 3, 0] = 86
        log.add(metrics)
        recent = log.recent()
    assert recent.success == pytest.approx(success)
    # At first all that has ended has succeeded, and nothing is known yet.
    first = MetricsLog(2)
    first.add({**metrics, "outcomes": metrics["outcomes"] * (np.arange(4) < 3)[:, None]})
    assert first.recent() is None


@pytest.mark.parametrize("n_updates", [1, 3, 8, 40])
def test_live_success_is_the_last_point_of_the_figure(n_updates):
    chance, log = np.random.default_rng(n_updates), MetricsLog(3)
    for _ in range(n_updates):
        metrics = segment(2) | {"outcomes": np.zeros((2, 3, 2, 4), np.float32)}
        metrics["started"] = chance.integers(0, 9, (2, 3))
        metrics["outcomes"][:, :, 0, 0] = metrics["started"]
        metrics["outcomes"][:, :, 0, 1] = chance.binomial(metrics["started"], 0.4)
        log.add(metrics)
    arrays = log.arrays()
    rates = success_while_learning(arrays["started"], arrays["finished"], arrays["succeeded"], window=20)
    gains = return_while_learning(arrays["started"], arrays["finished"], arrays["return"], window=20)
    known, recent = np.flatnonzero(~np.isnan(rates).any(axis=0)), log.recent(window=20)
    assert (recent is None) == (known.size == 0)
    if recent is not None:
        np.testing.assert_allclose(recent.success, rates[:, known[-1]])
        np.testing.assert_allclose(recent.returns, gains[:, known[-1]])
        np.testing.assert_array_equal(recent.env_steps, arrays["env_steps"][:, known[-1]])


def test_where_no_episode_has_finished_there_is_no_mean():
    log, metrics = MetricsLog(3), segment(1)
    log.add({**metrics, "outcomes": 0 * metrics["outcomes"]})
    assert log.recent() is None
    arrays = log.arrays()
    assert np.isnan(arrays["return"]).all() and np.isnan(arrays["length"]).all()
    assert arrays["finished"].tolist() == [[0], [0], [0]]


def test_a_seed_that_has_finished_logs_nothing():
    log, metrics = MetricsLog(2), segment(3, n_seeds=2)
    metrics["env_steps"] = np.array([[100, 100], [150, 200], [150, 300]])
    log.add(metrics)
    arrays = log.arrays()
    for name in LOSSES:
        np.testing.assert_array_equal(np.isnan(arrays[name]), [[False, False, True], [False] * 3])


def test_a_log_goes_on_from_its_raw_arrays(log):
    resumed = MetricsLog(2, log.raw())
    assert resumed.n_updates == log.n_updates
    for each in (log, resumed):
        each.add(segment(2, first=3))
    np.testing.assert_equal(resumed.arrays(), log.arrays())


def test_divergence_is_dated(log):
    dead = segment(2, first=3)
    dead["alive"] = np.array([[True, False, True], [True, False, True]])
    log.add(dead)
    np.testing.assert_array_equal(log.diverged_at(), [-1, 3])


def test_the_shorter_chunk_stands_still():
    short, long = MetricsLog(3), MetricsLog(3)
    short.add(segment(1))
    long.add(segment(3))
    joined = join_chunks([short.arrays(), long.arrays()])
    assert joined["env_steps"].tolist() == [[100, 100, 100]] * 3 + [[100, 200, 300]] * 3
    assert joined["started"][0].tolist() == [6, 0, 0]
    assert joined["finished"][0].tolist() == [4, 0, 0]
    assert np.isnan(joined["return"][0, 1:]).all() and np.isnan(joined["lambda"][0, 1:]).all()
    for name, array in joined.items():
        np.testing.assert_array_equal(array[3:], long.arrays()[name])
