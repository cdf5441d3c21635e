"""The shipped tables: every one loads, and the published figures stand there as published."""

import json
from pathlib import Path

import pytest

from jaxteach.tasks import language
from jaxteach.teacher import cache_folder, find_table, load_table, parse_plan, save_table, table_names
from jaxteach.worlds.minigrid.paper.situation import SeenAndHeld
from tests.worlds.minigrid.paper.words import COLORED, SIMPLE, TWO_DOOR

WORDS = {
    "simple_door_key": SIMPLE.language,
    "lava_door_key": SIMPLE.language,
    "colored_door_key": COLORED.language,
    "two_door": TWO_DOOR.language,
}
SHIPPED = [(folder.name, path.stem) for folder in cache_folder().iterdir() for path in folder.glob("*.json")]


@pytest.mark.parametrize(("task", "name"), sorted(SHIPPED))
def test_every_shipped_table_loads_and_says_where_it_comes_from(task: str, name: str) -> None:
    table = load_table(name, task, language(task))
    assert (table.task, table.name) == (task, name)
    assert name in table_names(task)
    provenance = {"model", "revision", "weights_sha256", "backend", "estimator", "prompt_sha256", "sampling"}
    assert provenance | {"asks", "versions", "source"} <= set(table.provenance)


@pytest.mark.parametrize("task", WORDS)
def test_every_task_has_the_published_table_as_this_program_writes_it(task: str, tmp_path: Path) -> None:
    table = load_table("chatglm", task, WORDS[task])
    path = tmp_path / "again.json"
    assert save_table(table, path).sha256 == table.sha256
    assert table.provenance["model"] == "ChatGLM"
    assert all(plan.count is None for plans in table.plans for plan in plans)


CASES = [
    ("simple_door_key", (), None, [("explore", 1.0)]),
    (
        "simple_door_key",
        (),
        "key",
        [
            ("explore", 0.68),
            ("go to <door>, open <door>", 0.22),
            ("explore, go to <door>, open <door>", 0.04),
            ("explore, go to <door>", 0.02),
            ("explore, open <door>", 0.02),
            ("go to <door>, pick up <handle>, use <key>", 0.02),
        ],
    ),
    (
        "lava_door_key",
        ("key", "door"),
        None,
        [
            ("go to <key>, pick up <key>, go to <door>, open <door>", 0.84),
            ("go to <key>, pick up <key>, open <door>", 0.08),
            ("pick up <key>, go to <door>, open <door>", 0.04),
            ("go to <key>, go to <door>, use <key>", 0.02),
            ("go to <key>, pick up <key>, explore", 0.02),
        ],
    ),
    ("colored_door_key", (), "c1 key", [("explore", 0.94), ("go to east", 0.06)]),
    (
        "colored_door_key",
        ("c1 key", "c2 door"),
        "c2 key",
        [
            ("drop <c2 key>, go to <c1 key>, pick up <c1 key>", 0.71),
            ("go to <c2 door>, open <c2 door>", 0.29),
        ],
    ),
    (
        "colored_door_key",
        ("c1 key", "c2 key", "c2 door"),
        None,
        [
            ("go to <c2 key>, pick up <c2 key>", 0.72),
            ("pick up <c2 key>", 0.24),
            ("go to <c1 key>, pick up <c1 key>", 0.04),
        ],
    ),
    (
        "two_door",
        ("door1", "door2"),
        "key",
        [("go to <door1>, open <door1>", 0.5), ("go to <door2>, open <door2>", 0.5)],
    ),
]


@pytest.mark.parametrize(("task", "sees", "holds", "published"), CASES)
def test_the_published_figures(
    task: str, sees: tuple[str, ...], holds: str | None, published: list[tuple[str, float]]
) -> None:
    words = WORDS[task]
    table = load_table("chatglm", task, words)
    plans = table.plans[table.states.index(SeenAndHeld(sees, holds))]
    assert [(plan.options, plan.probability) for plan in plans] == [
        (parse_plan(text, words.objects, words.grammar), p) for text, p in published
    ]


def test_rejected_words_stay_in_the_file() -> None:
    document = json.loads(find_table("chatglm", "simple_door_key").read_text())
    (state,) = [
        state for state in document["states"] if state["text"] == "Agent sees <nothing>, holds <key>."
    ]
    assert state["plans"][-1]["options"] == [
        {"option": "go to", "object": "door"},
        {"option": "wait", "raw": "pick up <handle>"},
        {"option": "wait", "raw": "use <key>"},
    ]


def test_the_numbers_of_states() -> None:
    counts = {task: len(load_table("chatglm", task, words).states) for task, words in WORDS.items()}
    assert counts == {"simple_door_key": 6, "lava_door_key": 6, "colored_door_key": 14, "two_door": 9}
