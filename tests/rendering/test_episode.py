"""Tests of episodes as rendering keeps them: what happened, in whose words, and how it ended."""

import jax
import numpy as np
import pytest

from jaxteach.rendering import Episode, play_episode
from jaxteach.student.deployed import load_policy
from jaxteach.tasks import make_task
from jaxteach.teacher.loading import load_teacher
from jaxteach.worlds.minigrid.paper import constants as c
from tests.worlds.minigrid.paper.play import rows_of

pytestmark = pytest.mark.unoptimised


class Always:
    """A student that knows one action, or (None) chooses evenly."""

    def __init__(self, action: int | None) -> None:
        self._probabilities = np.full(7, 1 / 7, np.float32) if action is None else np.eye(7)[action]

    def reset(self) -> None:
        """Nothing to forget."""

    def __call__(self, obs: np.ndarray) -> np.ndarray:
        """The same, whatever is seen."""
        return self._probabilities.astype(np.float32)


def first(outcome: str, task, action: int | None) -> Episode:
    """The first of 60 episodes with this outcome."""
    for number in range(60):
        episode = play_episode(task, Always(action), None, number, 0, False)
        if episode.outcome == outcome:
            return episode
    pytest.fail(f"no {outcome} in 60 episodes")


def test_an_episode_of_waiting_runs_out_of_time():
    task = make_task("simple_door_key", max_steps=12)
    episode = play_episode(task, Always(c.DONE), None, 0, 0, False)
    assert (episode.outcome, episode.length, episode.reward) == ("time", 12, 0.0)
    assert [moment.action for moment in episode.moments] == [c.DONE] * 12 + [None]
    assert len({moment.drawing.panels[1][1].tobytes() for moment in episode.moments}) == 1
    assert episode.ending == "out of time"


def test_lava_ends_an_episode_on_it(undrawn):
    task = make_task("lava_door_key:small_rooms", max_steps=12)
    episode = first("failure", task, c.FORWARD)
    assert (episode.ending, episode.reward) == ("stepped into lava", 0.0)
    row, column = undrawn[-1].position
    assert task.grid_of(undrawn[-1])[0][row, column, 0] == c.LAVA


def test_success_pays_by_the_clock_and_leaves_the_door_open(undrawn):
    task = make_task("simple_door_key", room_min=4, room_max=4)
    episode = first("success", task, None)
    assert episode.reward == pytest.approx(1 - 0.9 * episode.length / 150)
    assert episode.ending == "door opened"
    assert undrawn[-1].doors.open.tolist() == [1]
    assert episode.moments[-2].action == c.TOGGLE


def test_success_on_the_last_step_is_no_time_out(undrawn):
    task = make_task("simple_door_key", room_min=4, room_max=4)
    length = first("success", task, None).length
    short = make_task("simple_door_key", room_min=4, room_max=4, max_steps=length)
    episode = first("success", short, None)
    assert episode.length == length and episode.reward == pytest.approx(0.1)


def test_the_number_fixes_the_layout_and_the_seed_the_choices():
    task = make_task("simple_door_key", max_steps=30)
    one, same, other_seed, other_room = (
        play_episode(task, Always(None), None, *numbers, False)
        for numbers in ((3, 0), (3, 0), (3, 1), (4, 0))
    )

    def actions(episode):
        return [moment.action for moment in episode.moments]

    assert actions(one) == actions(same)
    assert actions(one) != actions(other_seed)
    rooms = [episode.moments[0].drawing.panels[0][1] for episode in (one, other_seed, other_room)]
    np.testing.assert_array_equal(rooms[0], rooms[1])
    assert not np.array_equal(rooms[0], rooms[2])


def test_greedy_takes_the_likeliest_action(untrained_run, undrawn):
    task, policy = make_task("simple_door_key", max_steps=20), load_policy(untrained_run(), 1)
    episode = play_episode(task, policy, None, 0, 0, True)
    shown = jax.jit(task.observe)
    chances = [policy(np.asarray(shown(state))) for state in undrawn]
    np.testing.assert_array_equal([moment.student for moment in episode.moments], chances)
    assert [m.action for m in episode.moments[:-1]] == [int(chance.argmax()) for chance in chances[:-1]]


def test_words_are_the_task_s_own(undrawn):
    task, table = make_task("simple_door_key", max_steps=40), load_teacher("chatglm", "simple_door_key")
    episode = play_episode(task, Always(None), table, 0, 0, False)
    shown = jax.jit(task.observe)
    rows = rows_of(task, np.stack([shown(state) for state in undrawn]))
    for moment, row in zip(episode.moments, rows.tolist(), strict=True):
        assert moment.caption == task.language.states[row].text
        assert sum(share for _, share in moment.plans) == pytest.approx(1)
        assert len({text for text, _ in moment.plans}) == len(moment.plans)
        assert max(plan.probability for plan in table.plans[row]) <= moment.plans[0][1] + 1e-9
        assert moment.teacher.sum() == pytest.approx(1, abs=1e-5)


def test_objects_go_by_their_real_names(undrawn):
    task, table = make_task("colored_door_key:small_rooms"), load_teacher("chatglm", "colored_door_key")
    moments = play_episode(task, Always(None), table, 1, 0, False).moments
    words = {moment.caption + plan for moment in moments for plan, _ in moment.plans}
    assert any("<blue key>" in text for text in words)
    assert not any("<c1 " in text or "<c2 " in text for text in words)


def test_a_recurrent_student_starts_afresh(untrained_run, undrawn):
    task, policy = make_task("simple_door_key", max_steps=5), load_policy(untrained_run(student="gru"), 0)
    one, two = (play_episode(task, policy, None, 0, 0, False) for _ in range(2))
    np.testing.assert_array_equal(one.moments[0].student, two.moments[0].student)
    assert (one.moments[0].student != one.moments[1].student).any()
