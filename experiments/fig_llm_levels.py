"""MiniGrid's hard levels, taught by LLMs: students of each family's tables, beside the teachers alone."""

from common import FIRST_SEED, Options, Scale, main
from drawing import dots_figure, save, seeds_note, success_dots
from fig_hard_levels import SUCCESS, budget, short
from levels import ENV_STEPS, level_settings
from reporting import Result, detailed_row
from running import Job, carry_out

from jaxteach.config import Config
from jaxteach.tasks import language
from jaxteach.teacher import table_names

QUICK = ("RedBlueDoors-8x8-v0",)
RULES = "rule-"
"""How the names of tables begin that no LLM made: `fig_hard_levels.py` is about those."""


def teachers(scale: Scale, level: str) -> dict[str, Config]:
    """The tables of a level's family that LLMs made, in a configuration each."""
    task = f"MiniGrid-{level}"
    family = language(task).family
    assert family is not None
    own = budget(scale, level)
    taught = level_settings(level)
    return {
        name: scale.config(task, teacher=name, decay=taught.decay, ppo=taught.ppo, **own)
        for name in table_names(family)
        if not name.startswith(RULES)
    }


def figure(options: Options) -> None:
    """Train, draw, write."""
    scale = options.scale
    levels = QUICK if scale.quick else tuple(ENV_STEPS)
    jobs = [Job(name, config) for level in levels for name, config in teachers(scale, level).items()]
    results = carry_out(jobs, options)
    by_table: dict[str, list[Result]] = {}
    for result in results:
        by_table.setdefault(result.label, []).append(result)
    panels = [success_dots(table, runs, label=level_of) for table, runs in by_table.items()]
    title = f"Students of LLMs' tables, {seeds_note(results)} each, from {FIRST_SEED} on"
    figures = {} if options.so_far else {options.figure: dots_figure(title, SUCCESS, panels)}
    rows = [detailed_row(r, scale.window, unlisted=r.unlisted) for r in results]
    save(options, results, figures, rows)


def level_of(result: Result) -> str:
    """A result's level, without its version."""
    return short(result.task.removeprefix("MiniGrid-"))


if __name__ == "__main__":
    main(__doc__, figure, in_parts=True)
