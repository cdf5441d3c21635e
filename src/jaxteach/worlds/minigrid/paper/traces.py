"""Recorded episodes of the reference: what a trace file must hold, checked before anything is replayed."""

import json
from pathlib import Path

import numpy as np

from jaxteach.utils.arrays import read_arrays
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper.facts.base import Facts

Trace = dict[str, np.ndarray]
"""Arrays by name, spatial ones [x, y]."""

# Each array's axes. N steps, E episodes, P plans of all steps, W columns, H rows; "N+1" are offsets.
AXES: dict[str, tuple[str | int, ...]] = {
    "grid": ("N", "W", "H", 3),
    "agent_pos": ("N", 2),
    "agent_dir": ("N",),
    "carrying": ("N", 2),
    "mask": ("N", "W", "H"),
    "obs": ("N", "W", "H", 4),
    "text_id": ("N",),
    "text_table": ("texts",),
    "plan_id": ("N",),
    "plan_table": ("plan texts",),
    "teacher": ("N", 7),
    "action": ("N",),
    "reward": ("N",),
    "terminated": ("N",),
    "truncated": ("N",),
    "plan_off": ("N+1",),
    "plan_prob": ("P",),
    "plan_first_mask": ("P",),
    "ep_off": ("E+1",),
    "final_grid": ("E", "W", "H", 3),
    "final_agent_pos": ("E", 2),
    "final_agent_dir": ("E",),
    "final_carrying": ("E", 2),
    "final_mask": ("E", "W", "H"),
    "final_obs": ("E", "W", "H", 4),
    "max_steps": (),
}
TEXTS = ("text_table", "plan_table")


def read_trace(file: Path) -> Trace:
    """Read a trace file.

    Args:
        file: an npz as the conformance README describes it.

    Returns:
        Its arrays by name.

    Raises:
        UserError: there is no such file, or it is no npz.
    """
    return read_arrays(file, "recorded episodes")


def check_trace(trace: Trace, task: Facts, source: str) -> None:
    """Refuse a trace that cannot be replayed.

    Args:
        trace: arrays by name.
        task: the task it should be of.
        source: what to call the trace in messages.

    Raises:
        UserError: an array is missing, has the wrong shape or type, or holds impossible numbers.
    """

    def require(holds: bool | np.bool_, otherwise: str) -> None:
        if not holds:
            raise UserError(f"{source}: {otherwise}")

    missing = [name for name in AXES if name not in trace]
    require(not missing, f"the trace lacks {', '.join(missing)}")
    for name in AXES:
        kind = trace[name].dtype.kind
        require(kind == "U" if name in TEXTS else kind in "biuf", f"{name} is {trace[name].dtype}")

    sizes: dict[str | int, int] = {
        "N": len(np.atleast_1d(trace["action"])),
        "E": np.size(trace["ep_off"]) - 1,
        "P": np.size(trace["plan_prob"]),
        "W": task.width,
        "H": task.height,
    }
    sizes.update({"N+1": sizes["N"] + 1, "E+1": sizes["E"] + 1})
    for name, axes in AXES.items():
        shape = trace[name].shape
        wanted = tuple(axis if isinstance(axis, int) else sizes.get(axis, -1) for axis in axes)
        fits = len(shape) == len(wanted) and all(
            n == w or w == -1 for n, w in zip(shape, wanted, strict=True)
        )
        require(fits, f"{name} has shape {shape}, not {axes} (of {task.name})")

    lengths = np.diff(trace["ep_off"].astype(np.int64))
    require(sizes["E"] >= 1 and (lengths >= 1).all(), "ep_off does not part the steps into episodes")
    require(trace["ep_off"][0] == 0 and trace["ep_off"][-1] == sizes["N"], "ep_off does not cover all steps")
    for name, ours in (("max_steps", task.max_steps), ("agent_view_size", task.view_size)):
        require(name not in trace or trace[name] == ours, f"{name} is {trace.get(name)}, not {ours}")
    require(lengths.max() <= task.max_steps, f"an episode has {lengths.max()} steps, over {task.max_steps}")
    plans = trace["plan_off"].astype(np.int64)
    covers = plans[0] == 0 and plans[-1] == sizes["P"]
    require(covers and (np.diff(plans) >= 0).all(), "plan_off does not part the plans into steps")
    for name, limit in (
        ("action", 7),
        ("text_id", len(trace["text_table"])),
        ("plan_id", len(trace["plan_table"])),
    ):
        within = (trace[name] >= 0) & (trace[name] < limit)
        require(within.all(), f"{name} holds {trace[name][~within][:1]}, outside 0..{limit - 1}")
    for i, text in enumerate(trace["plan_table"]):
        require(_is_plan_text(str(text)), f"entry {i} of plan_table is not [plans, probabilities]: {text}")


def take_episodes(trace: Trace, first: int, last: int) -> Trace:
    """Cut some episodes out of a trace.

    Args:
        trace: a checked trace.
        first: the first episode to take.
        last: the episode to stop before.

    Returns:
        A trace of those episodes alone.
    """
    steps = slice(*(int(trace["ep_off"][e]) for e in (first, last)))
    plans = slice(*(int(trace["plan_off"][i]) for i in (steps.start, steps.stop)))
    along = {"N": steps, "E": slice(first, last), "P": plans}
    part = {
        name: trace[name][along[axes[0]]] if axes and axes[0] in along else trace[name]
        for name, axes in AXES.items()
    }
    part["ep_off"] = trace["ep_off"][first : last + 1].astype(np.int64) - steps.start
    part["plan_off"] = trace["plan_off"][steps.start : steps.stop + 1].astype(np.int64) - plans.start
    return part


def _is_plan_text(text: str) -> bool:
    """Whether a text is JSON of two equally long lists, of strings and of numbers."""
    try:
        plans, probabilities = json.loads(text)
        return len(plans) == len(probabilities) and all(
            isinstance(plan, str) and isinstance(p, int | float)
            for plan, p in zip(plans, probabilities, strict=True)
        )
    except (ValueError, TypeError):
        return False
