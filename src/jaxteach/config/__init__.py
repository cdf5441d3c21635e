"""The configuration of a run: frozen dataclasses, presets, and sweeps. JAX in `config.pytree` alone."""

from jaxteach.config.checks import check, check_rollout
from jaxteach.config.fields import Moment
from jaxteach.config.presets import CHUNK, FAST, PAPER, PAPER_ENV_STEPS, PRESETS, preset, resolve
from jaxteach.config.settings import (
    BY_OPTIONS,
    DECAYS,
    PPO,
    SCHEMA_VERSION,
    Config,
    Corrupt,
    Decay,
    Distill,
    PlanMode,
    Rollout,
    Student,
    Variant,
    from_json,
    identity,
    in_updates,
    share_of_run,
    to_json,
)

__all__ = [
    "BY_OPTIONS",
    "CHUNK",
    "DECAYS",
    "FAST",
    "PAPER",
    "PAPER_ENV_STEPS",
    "PPO",
    "PRESETS",
    "SCHEMA_VERSION",
    "Config",
    "Corrupt",
    "Decay",
    "Distill",
    "Moment",
    "PlanMode",
    "Rollout",
    "Student",
    "Variant",
    "check",
    "check_rollout",
    "from_json",
    "identity",
    "in_updates",
    "preset",
    "resolve",
    "share_of_run",
    "to_json",
]
