"""Replaying recorded episodes: nothing differs, and whatever is changed in a record is found and named."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jaxteach.tasks import make_task
from jaxteach.teacher import Plan, PlanTable, load_table
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper.replay import replay
from jaxteach.worlds.minigrid.paper.task import Task
from jaxteach.worlds.minigrid.paper.traces import Trace, read_trace, take_episodes

DATA = Path(__file__).parents[3] / "data" / "conformance"
FILES = {
    "simple_door_key": ("simpledoorkey.npz", 4400),
    "lava_door_key": ("lavadoorkey.npz", 3545),
    "colored_door_key": ("coloreddoorkey.npz", 6866),
    "two_door": ("twodoor.npz", 8916),
}
KINDS = ("grid pose carrying mask observation reward terminated truncated caption plans teacher").split()


def known(name: str) -> tuple[Trace, Task, PlanTable]:
    """A recorded trace, its task and its teacher."""
    task = make_task(name)
    return read_trace(DATA / FILES[name][0]), task, load_table("chatglm", name, task.language)


def differing(trace: Trace, task: Task, table: PlanTable) -> dict[str, int]:
    """The mismatches there are."""
    return {kind: n for kind, n in replay(trace, task, table, "test")["mismatches"].items() if n}


@pytest.mark.parametrize("name", FILES)
def test_nothing_differs_from_the_reference(name: str) -> None:
    result = replay(*known(name), "test")
    assert result == {"steps": FILES[name][1], "episodes": 60, "mismatches": dict.fromkeys(KINDS, 0)}


@pytest.fixture(scope="module")
def simple() -> tuple[Trace, Task, PlanTable]:
    """Three episodes of SimpleDoorKey, and with what they are replayed."""
    trace, task, table = known("simple_door_key")
    return take_episodes(trace, 3, 6), task, table


def changed(trace: Trace, change: Callable[[Trace], None]) -> Trace:
    """A copy of a trace with something changed."""
    copy = {name: values.copy() for name, values in trace.items()}
    change(copy)
    return copy


def other_than(values: np.ndarray) -> int:
    """The row of a step whose value differs from step 7's."""
    return int(np.flatnonzero(values != values[7])[0])


def flip(name: str, *cell: int) -> Callable[[Trace], None]:
    """Change one number: booleans flip, others grow by one."""

    def change(trace: Trace) -> None:
        value = trace[name][cell]
        trace[name][cell] = not value if trace[name].dtype == bool else value + 1

    return change


def put(name: str, cell: tuple[int, ...] | int, value: float) -> Callable[[Trace], None]:
    """Overwrite one number."""

    def change(trace: Trace) -> None:
        trace[name][cell] = value

    return change


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (flip("grid", 7, 2, 3, 0), "grid"),
        (flip("grid", 7, 9, 9, 1), "grid"),
        (flip("final_grid", 1, 2, 3, 2), "grid"),
        (flip("agent_pos", 7, 0), "pose"),
        (flip("agent_dir", 7), "pose"),
        (flip("final_agent_pos", 2, 1), "pose"),
        (flip("final_agent_dir", 0), "pose"),
        (flip("carrying", 7, 0), "carrying"),
        (flip("carrying", 7, 1), "carrying"),
        (flip("final_carrying", 1, 0), "carrying"),
        (flip("mask", 7, 9, 9), "mask"),
        (flip("final_mask", 0, 1, 1), "mask"),
        (flip("obs", 7, 1, 1, 0), "observation"),
        (flip("obs", 7, 1, 1, 3), "observation"),
        (flip("final_obs", 2, 9, 9, 3), "observation"),
        (put("reward", 7, 2e-6), "reward"),
        (put("reward", 7, np.nan), "reward"),
        (flip("terminated", 7), "terminated"),
        (flip("truncated", 7), "truncated"),
        (put("teacher", (7, 0), np.nan), "teacher"),
    ],
)
def test_one_change_is_one_mismatch_of_its_kind(simple, change: Callable[[Trace], None], kind: str) -> None:
    trace, task, table = simple
    assert differing(changed(trace, change), task, table) == {kind: 1}


def test_another_caption_or_plan_is_found(simple) -> None:
    trace, task, table = simple
    for name, kind in (("text_id", "caption"), ("plan_id", "plans")):
        other = trace[name][other_than(trace[name])]
        assert differing(changed(trace, put(name, 7, other)), task, table) == {kind: 1}


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda plans, shares: (plans[::-1], shares),
        lambda plans, shares: (plans, [p + 2e-6 * (-1) ** i for i, p in enumerate(shares)]),
        lambda plans, shares: (plans[:-1], shares[:-1]),
        lambda plans, shares: ([plans[0].replace("key", "door"), *plans[1:]], shares),
    ],
    ids=["another order", "another share", "one fewer", "another object"],
)
def test_plans_are_compared_as_options_in_order_with_probabilities(simple, rewrite) -> None:
    trace, task, table = simple
    texts = [json.loads(str(text)) for text in trace["plan_table"]]
    longest = max(np.unique(trace["plan_id"]), key=lambda i: len(texts[i][0]))
    steps = int((trace["plan_id"] == longest).sum())
    assert len(texts[longest][0]) > 2

    def change(trace: Trace) -> None:
        new = [rewrite(*pair) if i == longest else pair for i, pair in enumerate(texts)]
        trace["plan_table"] = np.array([json.dumps(pair) for pair in new])

    assert differing(changed(trace, change), task, table) == {"plans": steps}


def test_words_the_grammar_rejects_are_alike(simple) -> None:
    """An option that cannot be parsed is a wait, whatever its words."""
    trace, task, table = simple
    words = [str(text) for text in trace["plan_table"]]
    assert any("use <key>" in text for text in words)

    def change(trace: Trace) -> None:
        trace["plan_table"] = np.array([text.replace("use <key>", "eat <key>") for text in words])

    assert differing(changed(trace, change), task, table) == {}


def test_another_action_leads_elsewhere(simple) -> None:
    trace, task, table = simple
    turns = int(np.flatnonzero(trace["action"] == 0)[0])
    wrong = differing(changed(trace, put("action", turns, 1)), task, table)
    assert wrong["pose"] >= 1 and wrong["observation"] >= 1
    assert set(wrong) <= {*KINDS}


def tied_and_not(trace: Trace) -> tuple[int, int]:
    """A step where one sure plan has two equally short ways to begin, and one where it has one."""
    plans = np.diff(trace["plan_off"])
    first = trace["plan_first_mask"][trace["plan_off"][:-1]]
    bits = np.array([int(mask).bit_count() for mask in first])
    return int(np.flatnonzero((plans == 2) & (bits == 2))[0]), int(
        np.flatnonzero((plans == 2) & (bits == 1))[0]
    )


def test_ties_may_be_broken_either_way_and_nothing_else() -> None:
    """Rule 4 of the record's README: between what is sure of an action and what could go to it."""
    trace, task, table = known("simple_door_key")
    tied, untied = tied_and_not(trace)

    def swap_ties(trace: Trace) -> None:
        mask = trace["plan_first_mask"][trace["plan_off"][tied]]
        one, two = [a for a in range(7) if mask >> a & 1]
        trace["teacher"][tied, [one, two]] = trace["teacher"][tied, [two, one]]

    def forbid_ours(trace: Trace) -> None:
        rows = slice(*trace["plan_off"][tied : tied + 2].astype(int))
        trace["plan_first_mask"][rows] = 1 << 4

    def shift(trace: Trace) -> None:
        trace["teacher"][untied] = np.roll(trace["teacher"][untied], 1)

    def demand(trace: Trace) -> None:
        trace["plan_prob"][int(trace["plan_off"][untied])] += 1e-3

    assert differing(changed(trace, swap_ties), task, table) == {}
    assert differing(changed(trace, forbid_ours), task, table) == {"teacher": 1}
    assert differing(changed(trace, shift), task, table) == {"teacher": 1}
    assert differing(changed(trace, demand), task, table) == {"teacher": 1}


def test_another_teacher_is_found(simple) -> None:
    trace, task, table = simple
    certain = tuple((Plan(plans[-1].options, 1.0),) for plans in table.plans)
    wrong = differing(trace, task, dataclasses.replace(table, plans=certain))
    assert set(wrong) == {"plans", "teacher"} and min(wrong.values()) >= 5


def test_episodes_taken_out_are_a_trace_of_their_own(simple) -> None:
    trace, task, table = simple
    assert replay(trace, task, table, "test")["episodes"] == 3
    alone = take_episodes(trace, 1, 2)
    assert alone["ep_off"].tolist() == [0, len(alone["action"])]
    assert alone["plan_off"][0] == 0 and alone["plan_off"][-1] == len(alone["plan_prob"])
    assert differing(alone, task, table) == {}
    first, last = trace["ep_off"][1:3].astype(int)
    np.testing.assert_array_equal(alone["obs"], trace["obs"][first:last])


def drop(name: str) -> Callable[[Trace], None]:
    """Remove an array."""
    return lambda trace: trace.pop(name)


def become(name: str, make: Callable[[np.ndarray], np.ndarray]) -> Callable[[Trace], None]:
    """Replace an array."""

    def change(trace: Trace) -> None:
        trace[name] = make(trace[name])

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("obs"), "the trace lacks obs"),
        (drop("final_mask"), "the trace lacks final_mask"),
        (become("grid", lambda grid: grid[:, :9]), r"grid has shape \(\d+, 9, 10, 3\)"),
        (become("action", lambda action: action[:-1]), r"shape"),
        (become("reward", lambda reward: reward[:, None]), r"reward has shape"),
        (become("final_obs", lambda obs: obs[:2]), r"final_obs has shape"),
        (become("action", lambda action: action.astype(str)), "action is <U"),
        (become("text_table", lambda table: np.arange(len(table))), "text_table is int"),
        (become("ep_off", lambda offsets: offsets[::-1]), "ep_off does not part the steps"),
        (become("ep_off", lambda offsets: offsets + 1), "ep_off does not cover all steps"),
        (become("ep_off", lambda offsets: offsets * 0), "ep_off does not part the steps"),
        (become("plan_off", lambda offsets: offsets[::-1]), "plan_off does not part the plans"),
        (become("max_steps", lambda _: np.array(100)), "max_steps is 100, not 150"),
        (put("action", 7, 7), r"action holds \[7\], outside 0..6"),
        (put("action", 7, -1), r"action holds \[-1\], outside 0..6"),
        (put("text_id", 7, 999), r"text_id holds \[999\]"),
        (put("plan_id", 7, -1), r"plan_id holds \[-1\]"),
        (become("plan_table", lambda table: np.array(["[["] * len(table))), "entry 0 of plan_table"),
        (
            become("plan_table", lambda table: np.array(['[["wait"], []]'] * len(table))),
            "entry 0 of plan_table",
        ),
        (become("plan_table", lambda table: np.array(["[[1], [1]]"] * len(table))), "entry 0 of plan_table"),
        (put("grid", (0, 1, 0, 0), 1), "episode 0: simple_door_key: .*walls"),
        (put("agent_pos", (0, 0), 0), "episode 0: simple_door_key: the agent's cell"),
        (put("agent_dir", 0, 9), "episode 0: simple_door_key: the agent's direction is 9"),
    ],
)
def test_a_damaged_trace_is_refused_in_one_line(
    simple, change: Callable[[Trace], None], message: str
) -> None:
    trace, task, table = simple
    with pytest.raises(UserError, match=f"^test: .*{message}") as caught:
        replay(changed(trace, change), task, table, "test")
    assert "\n" not in str(caught.value)


def test_an_episode_beyond_the_clock_is_refused(simple) -> None:
    trace, _, table = simple
    task = make_task("simple_door_key", max_steps=5)
    with pytest.raises(UserError, match=r"an episode has .* steps, over 5"):
        replay(changed(trace, put("max_steps", (), 5)), task, table, "test")
