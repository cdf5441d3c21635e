"""The words of the taught families: codes, states, options, rules, and the tables that ship."""

import dataclasses

import pytest

from jaxteach.tasks import make_task
from jaxteach.tasks.language import Option
from jaxteach.teacher.loading import load_teacher, table_names
from jaxteach.teacher.policy import compile_teacher
from jaxteach.teacher.table import Plan
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.levels import LEVELS
from jaxteach.worlds.minigrid.taught import families as f
from jaxteach.worlds.minigrid.taught import things as t
from jaxteach.worlds.minigrid.taught.rules import EXPLORE, Rules

TAUGHT = [name for name in LEVELS if f.family_of(name)]


@pytest.mark.parametrize("family", f.FAMILIES.values(), ids=f.FAMILIES)
def test_every_state_is_its_code(family: f.Family) -> None:
    for code in range(family.n_codes):
        state = family.state(code)
        assert family.code(state) == code
        assert all(known in thing.values for known, thing in zip(state.things, family.things, strict=True))
    assert family.state(0).things == (t.UNKNOWN,) * len(family.things)


@pytest.mark.parametrize("family", f.FAMILIES.values(), ids=f.FAMILIES)
def test_states_are_told_apart_and_have_plans_that_can_be_carried_out(family: f.Family) -> None:
    language = family.language
    # Of what a maze of nine rooms shows nearly every combination can be reached.
    assert 3 <= len(language.states) <= (288 if "Maze" in family.name else 60)
    assert len({state.text for state in language.states}) == len(language.states)
    rules = Rules()
    for state in language.states:
        admissible, sensible = rules.admissible(state), rules.sensible(state)
        assert admissible <= set(language.options)
        ((plan, probability),) = rules.ideal_plans(state)
        assert probability == 1.0 and plan[0] in sensible
        # Where nothing is left to do, exploring is all there is to say.
        assert plan[0] in admissible or plan[0] == EXPLORE
        assert all(language.allows(option) for option in plan)


@pytest.mark.parametrize("level", ["RedBlueDoors-8x8", "MemoryS17Random", "LockedRoom"])
def test_what_the_grammar_allows_and_the_level_has_not_waits(level: str) -> None:
    name = f"MiniGrid-{level}-v0"
    task = make_task(name)
    language = task.language
    said = [Option(kind, object) for kind in language.grammar.targeted for object in language.objects]
    strange = [option for option in said if option not in language.options]
    assert strange and all(language.allows(option) for option in strange)
    assert {task.fixed_action(0, option) for option in strange} == {task.no_op}
    assert {task.fixed_action(0, option) for option in language.options} == {None}
    table = load_teacher("rule-ideal", name)
    assert table is not None
    plans = ((Plan((strange[0], language.options[0]), 1.0),), *table.plans[1:])
    compile_teacher(dataclasses.replace(table, plans=plans), task)  # such an answer of an LLM is no error


def test_a_state_in_words() -> None:
    state = f.Known("MiniGrid-KeyCorridor", (t.UNKNOWN, t.NEAR, t.FAR), t.NOTHING, True)
    assert state.text == (
        "Mission: pick up <target>, which lies in a room behind <locked door>. Agent sees <key> in reach, "
        "<locked door> out of reach, holds <nothing>, can explore further."
    )
    assert state.fields == {
        "sees": ["<key> in reach", "<locked door> out of reach"],
        "holds": "nothing",
        "unexplored": True,
    }


@pytest.mark.parametrize(
    ("things", "held", "plan"),
    [
        ((0, 0, 0, 0, 0), 0, "explore"),
        ((0, 2, 0, 0, 0), 0, "pick up <key>"),
        ((0, 2, 2, 0, 0), 1, "open <locked door>"),
        ((2, 0, 0, 0, 0), 0, "pick up <target>"),
        ((2, 0, 0, 0, 0), 1, "drop, pick up <target>"),
        ((0, 0, 0, 2, 0), 0, "pick up <blocker>"),
        ((0, 0, 0, 2, 0), 1, "drop, pick up <blocker>"),
        ((0, 0, 2, 0, 0), 2, "drop"),
        ((0, 0, 2, 0, 2), 0, "open <box>"),
        ((1, 0, 0, 0, 0), 0, "explore"),
    ],
)
def test_ideal_plans_by_hand(things: tuple[int, ...], held: int, plan: str) -> None:
    family = f.FAMILIES["MiniGrid-ObstructedMaze"]
    state = f.Known(family.name, things, family.hands[held], True)
    ((options, _),) = Rules().ideal_plans(state)
    assert ", ".join(option.text for option in options) == plan


@pytest.mark.parametrize(
    ("family", "things", "held", "unexplored", "plan"),
    [
        ("GoTo", (t.NEAR, 0), t.NOTHING, True, "go to <target>"),
        ("GoTo", (t.BESIDE, t.NEAR), t.NOTHING, False, "done"),
        ("GoTo", (t.NEAR, 0), t.OTHER, True, "go to <target>"),
        ("GoTo", (t.UNKNOWN, 0), t.OTHER, True, "drop"),
        ("PutNear", (t.NEAR, t.NEAR), t.NOTHING, False, "pick up <target>"),
        ("PutNear", (t.UNKNOWN, t.NEAR), t.TARGET, False, "put near <place>"),
        ("PutNear", (t.UNKNOWN, t.UNKNOWN), t.TARGET, True, "explore"),
        ("Fetch", (t.UNKNOWN, t.NEAR), t.NOTHING, True, "explore"),
        ("RedBlueDoors", (t.NEAR, 0, t.NEAR), t.NOTHING, True, "open <red door>"),
        ("RedBlueDoors", (0, t.SEEN, t.NEAR), t.NOTHING, True, "open <blue door>"),
        ("RedBlueDoors", (0, 0, t.NEAR), t.NOTHING, True, "explore"),
        ("LockedRoom", (0, 0, t.NEAR, t.NEAR), t.NOTHING, True, "open <marked door>"),
        ("LockedRoom", (0, 0, t.NEAR, t.NEAR), t.KEY, True, "open <locked door>"),
        ("ObstructedMaze", (0, 0, 0, 0, t.NEAR), t.KEY, True, "explore"),
        ("ObstructedMaze", (0, 0, 0, 0, t.NEAR), t.KEY, False, "open <box>"),  # a box may stand in the way
        ("ObstructedMaze", (0, t.NEAR, 0, 0, 0), t.KEY, False, "drop, pick up <key>"),
        ("Memory", (0, 0, t.NEAR), t.NOTHING, True, "look back"),
        ("Memory", (t.SEEN, 0, 0), t.NOTHING, True, "explore"),
        ("Memory", (t.SEEN, t.NEAR, t.NEAR), t.NOTHING, True, "go to <matching thing>"),
    ],
)
def test_ideal_plans_of_errands_by_hand(
    family: str, things: tuple[int, ...], held: str, unexplored: bool, plan: str
) -> None:
    state = f.Known(f"MiniGrid-{family}", things, held, unexplored)
    ((options, _),) = Rules().ideal_plans(state)
    assert ", ".join(option.text for option in options) == plan


@pytest.mark.parametrize("name", TAUGHT)
def test_tables_of_the_family_teach_every_level_of_it(name: str) -> None:
    task, family = make_task(name), f.family_of(name)
    assert family is not None and task.language.family == family.name
    assert {"rule-ideal", "rule-uniform"} <= set(table_names(family.name))
    for teacher in table_names(family.name):
        table = load_teacher(teacher, name)
        assert table is not None and table.states == family.states


def test_a_table_of_another_family_is_refused() -> None:
    with pytest.raises(
        UserError, match="task is 'MiniGrid-DoorKey', but the table is needed for 'MiniGrid-U"
    ):
        load_teacher("teacher_cache/MiniGrid-DoorKey/rule-ideal.json", "MiniGrid-Unlock-v0")
    with pytest.raises(UserError, match="no teacher table 'rule-ideal' for task MiniGrid-Empty-5x5-v0"):
        load_teacher("rule-ideal", "MiniGrid-Empty-5x5-v0")
