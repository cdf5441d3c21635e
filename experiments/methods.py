"""The methods that figures compare, each with the settings that `tune.py` chose for it, in one place."""

import functools
from pathlib import Path
from typing import Any

from common import ROOT, Scale

from jaxteach.config import PPO, Config, Decay
from jaxteach.config.fields import leaves
from jaxteach.config.sweep import changed
from jaxteach.utils.errors import UserError
from jaxteach.utils.json_file import read_object

TUNED = ROOT / "experiments" / "results" / "tune"
"""A file for each task that was tuned on."""
OURS = "LLM4Teach"
METHODS: dict[str, dict[str, Any]] = {
    OURS: {},
    "RL only": {"decay": Decay("none")},
    "RL + count bonus": {"decay": Decay("none"), "ppo": PPO(bonus="visits")},
    "hierarchical RL": {"method": "hierarchical"},
    "interruptible RL": {"method": "interruptible"},
}
"""What makes each method, as changes to the default configuration."""
LONGER = {"simple_door_key": 491_520}
"""Environment steps a seed of every method but ours, where within the task's own budget none could learn."""


def configured(scale: Scale, task: str, method: str, **own: Any) -> Config:
    """A method's configuration: at its tuned settings, or the defaults where its task was not tuned on.

    Args:
        scale: how large.
        task: the task, with its variant; a variant has the settings of its task.
        method: by its name in `METHODS`.
        **own: what the figure wants otherwise, such as `teacher`.
    """
    config = untuned(scale, task, method, **own)
    return changed(config, chosen(TUNED / f"{task.partition(':')[0]}.json").get(method, {}))


def untuned(scale: Scale, task: str, method: str, **own: Any) -> Config:
    """A method's configuration at the default settings; see `configured`."""
    longer = {} if scale.quick or method == OURS or task not in LONGER else {"env_steps": LONGER[task]}
    return scale.config(task, **{**longer, **METHODS[method], **own})


@functools.cache
def chosen(file: Path) -> dict[str, dict[str, Any]]:
    """The settings chosen for each method, by field; none if there is no such file.

    Raises:
        UserError: the file is damaged, or names a setting that there is not.
    """
    try:
        found = read_object(file).get("chosen")
    except FileNotFoundError:
        return {}
    try:
        settings = {method: dict(choice["values"]) for method, choice in dict(found or {}).items()}
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(f"{file}: 'chosen' must hold 'values' for each method: tune anew") from error
    unknown = {field for values in settings.values() for field in values} - set(leaves(Config))
    if unknown:
        raise UserError(f"{file}: {', '.join(sorted(unknown))} is no setting of this version: tune anew")
    return settings
