"""The configuration of a training run: frozen dataclasses whose fields are its flags. No JAX here.

How a field is added, and all that follows from it, is said in `config.fields`.
"""

import dataclasses
import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxteach.config.fields import MOST, MOST_ENV_STEPS, Moment, group, host, leaves, static, traced, while_
from jaxteach.config.migration import as_now
from jaxteach.utils.json_file import own_fields, typed

_Name = tyro.conf.arg(name="")
SCHEMA_VERSION = 2
"""Of config.json; see `migration.as_now`."""
DECAYS = ("linear_plateau", "linear", "constant", "exponential", "cosine", "step", "none", "adaptive")
PlanMode = Literal["soft", "hard", "argmax", "held"]
"""Which of a state's plans the teacher speaks of; see `Distill.teacher`."""
_NO_TARGETS = ({"ppo.policy_weight": 0, "ppo.value_weight": 0},)
BY_OPTIONS = ("hierarchical", "interruptible")
"""Methods whose students choose among the task's options, by reinforcement alone."""
_WITHOUT_TEACHER = while_("method", *BY_OPTIONS)
_UNTAUGHT = (*_WITHOUT_TEACHER, *while_("teacher", "none"))
_NO_ERRORS = ({"corrupt.share": 0, "corrupt.states": 0},)


def share_of_run(at: Moment) -> float | None:
    """The fraction of the run that a point of a schedule stands for: a float above 0, up to 1.0.

    Anything else counts updates, and gives None.

    >>> share_of_run(0.2), share_of_run(1.0), share_of_run(1), share_of_run(1980.0)
    (0.2, 1.0, None, None)
    """
    return at if isinstance(at, float) and 0.0 < at <= 1.0 else None


def in_updates(at: Moment, n_updates: int) -> float:
    """Resolve a point of a schedule to updates.

    >>> in_updates(0.5, 48), in_updates(1.0, 48), in_updates(1, 48), in_updates(1980, 48)
    (24.0, 48.0, 1.0, 1980.0)
    """
    share = share_of_run(at)
    return float(at) if share is None else share * n_updates


@dataclass(frozen=True)
class Decay:
    """How the weight lambda of the distillation term falls.

    Points of the schedule are fractions of the run (0.2, 1.0) or updates (1, 1980), see `share_of_run`.
    """

    name: Annotated[str, _Name] = traced("linear_plateau", choices=DECAYS, off="none")
    """Schedule: linear_plateau, linear, constant, exponential, cosine, step, adaptive or none."""
    start: float = traced(10.0, idle=while_("decay", "none"))
    """Lambda at the first update."""
    floor: float = traced(0.05, idle=while_("decay", "linear", "constant", "none"))
    """Lambda on the plateau (not linear, constant); with adaptive, once the student matches its teacher."""
    plateau_at: Moment = traced(
        0.2, moment=True, idle=while_("decay", "linear", "constant", "adaptive", "none")
    )
    """Where the plateau begins (not linear, constant, adaptive): a fraction of the run up to 1.0, or
    updates: 1 is update 1."""
    off_at: Moment = traced(0.6, moment=True, idle=while_("decay", "constant", "none"))
    """From where on lambda is zero (not constant): a fraction of the run up to 1.0, or updates."""


@dataclass(frozen=True)
class Distill:
    """How the student follows the teacher."""

    name: Annotated[str, _Name] = "forward_kl"
    """Divergence of student and teacher: forward_kl (the paper's cross-entropy), reverse_kl or js."""
    teacher: PlanMode = "soft"
    """Which of a state's plans counts. soft: all, the teacher's distribution; hard: one sampled at every
    step; argmax: always the most probable; held: one sampled for each abstract state and episode."""
    weighting: Literal["none", "entropy"] = static(
        "none", idle=while_("distill.teacher", "hard", "argmax", "held")
    )
    """none: all rows count alike; entropy: by the teacher's certainty, 1 - H(q) / log 7."""


@dataclass(frozen=True)
class Corrupt:
    """Errors put into the teacher's instructions, to see what a student can correct."""

    share: float = host(0.0, low=0.0, high=1.0)
    """Share of the instructions that a random other option replaces, 0 to 1."""
    mode: Literal["systematic", "noise"] = host("systematic", idle=_NO_ERRORS)
    """systematic: that share of the abstract states, always wrong in one way; noise: anew at every step."""
    seed: int = host(0, low=0, high=2**32 - 1, idle=_NO_ERRORS + while_("corrupt.mode", "noise"))
    """Which states and options (systematic); noise follows from the students' seeds."""
    states: int = host(0, low=0, high=MOST, idle=while_("corrupt.mode", "noise"), later=True)
    """How many abstract states are always wrong, in place of a share of them (systematic only)."""

    @property
    def any(self) -> bool:
        """Whether any errors are asked for."""
        return self.share > 0.0 or (self.states > 0 and self.mode == "systematic")


@dataclass(frozen=True)
class PPO:
    """Proximal policy optimisation."""

    lr: float = traced(2e-3, high=1.0)
    """Adam's learning rate at the first update."""
    lr_end: float = traced(2e-4, high=1.0)
    """Adam's learning rate at the end of the run; it falls linearly."""
    adam_eps: float = static(1e-8, low=0.0, high=1.0)
    """Adam's epsilon."""
    max_grad_norm: float = traced(0.5)
    """Gradients are clipped to this global norm."""
    gamma: float = traced(0.99, high=1.0, idle=_NO_TARGETS)
    """Discount per environment step."""
    returns: Literal["gae", "monte_carlo"] = host("gae", idle=_NO_TARGETS)
    """How advantages are estimated."""
    gae_lambda: float = traced(0.95, high=1.0, idle=while_("ppo.returns", "monte_carlo") + _NO_TARGETS)
    """GAE's lambda (gae only)."""
    clip: float = traced(0.2, idle=while_("ppo.policy_weight", 0))
    """Clip range of the probability ratio."""
    value_clip: float = traced(0.2, idle=while_("ppo.value_weight", 0))
    """Clip range of the value's change."""
    policy_weight: float = traced(1.0)
    """Weight of the policy loss; with 0 here, as value and as entropy weight, only the teacher is cloned."""
    value_weight: float = traced(0.5)
    """Weight of the value loss."""
    entropy_weight: float = traced(0.01)
    """Weight of the entropy bonus."""
    bonus: Literal["none", "visits"] = static("none", later=True, idle=_NO_TARGETS)
    """Exploration bonus, added to what PPO is rewarded for, not to returns and success that are reported.
    visits: bonus_weight / sqrt(n) for reaching an observation for the n-th time in an episode."""
    bonus_weight: float = traced(0.001, later=True, idle=while_("ppo.bonus", "none") + _NO_TARGETS)
    """Bonus of an observation that is new in the episode, in units of reward (not with bonus none)."""
    epochs: int = static(3, low=1, high=MOST)
    """Passes over the rollout, an update."""
    minibatch: int = static(128, low=1, high=MOST)
    """Rows of a minibatch (gru: environment steps, in whole sequences)."""


@dataclass(frozen=True)
class Rollout:
    """How experience is collected for one update."""

    collect: Literal["steps", "episodes"] = "steps"
    """steps: a fixed number from environments that continue; episodes: whole ones, from their start."""
    envs: int = static(32, low=1, high=MOST)
    """Environments stepped side by side, a seed (episodes: also the fewest episodes, an update)."""
    steps: int = static(16, low=1, high=MOST, idle=while_("rollout.collect", "episodes"))
    """Environment steps an environment takes, an update (steps only)."""
    min_env_steps: int = static(256, low=1, high=MOST, idle=while_("rollout.collect", "steps"))
    """Episodes are started until so many environment steps are collected (episodes only)."""


@dataclass(frozen=True)
class Student:
    """The student's network."""

    name: Annotated[str, _Name] = "ego"
    """Network: ego (egocentric map, small MLP), cnn (the reference's) or gru (recurrent)."""
    hidden: int = static(64, low=1, high=MOST)
    """Units of each hidden layer."""


@dataclass(frozen=True)
class Variant:
    """Changes to the task; what is not given stays as the task has it."""

    room_min: int | None = None
    """Smallest side of a room, in cells, walls included."""
    room_max: int | None = None
    """Largest side of a room, in cells, walls included."""
    n_keys: int | None = None
    """Number of keys."""
    n_lava: int | None = None
    """Number of lava cells."""
    view_size: int | None = None
    """Side of the square the agent sees, in cells; odd."""
    max_steps: int | None = None
    """Environment steps an episode may last."""
    observation: Literal["seen", "view"] | None = None
    """What a MiniGrid level shows: seen, a map of all seen so far (the default), or view, the agent's 7x7."""
    pool: int | None = None
    """Layouts of a MiniGrid level that a seed draws an update for its episodes to begin from, in place of a
    fresh one for every episode: for levels whose generation is too slow."""


@dataclass(frozen=True)
class Config:
    """Train students on a task with a cached teacher, many seeds in one compiled program."""

    task: str = "simple_door_key"
    """Task, or task:variant for one of its ready-made variants."""
    method: Literal["llm4teach", "hierarchical", "interruptible"] = "llm4teach"
    """llm4teach: actions, taught. By reinforcement alone, hierarchical: the student chooses among options,
    which run until they end; interruptible: anew at every step, among options and actions."""
    teacher: str = host("chatglm", off="none", idle=_WITHOUT_TEACHER)
    """Teacher table: a name in teacher_cache/TASK/, a path to a .json file, or none."""
    preset: str = host("fast", choices=("fast", "paper", "level"))
    """Where defaults come from: fast (few environment steps), paper (the reference's settings) or level
    (one of MiniGrid's hard levels: its table by rule, and environment steps, decay and more as found)."""
    seeds: int = host(8, low=1, high=MOST)
    """How many seeds to train."""
    first_seed: int = host(0)
    """Id of the first seed."""
    seeds_per_chunk: int | None = static(None, low=1, high=MOST)
    """Seeds that run together; by default the preset's width on CPUs, on accelerators as many as have room.
    Results depend on it in the last bits."""
    env_steps: int | None = static(None, low=1, high=MOST_ENV_STEPS)
    """Environment steps a seed; by default the preset's, by task."""
    eval_episodes: int | None = host(None, low=1, high=MOST)
    """Episodes of the final evaluation, a seed; by default 1000 up to 64 seeds, 100 beyond."""
    sweep: tyro.conf.UseAppendAction[tuple[str, ...]] = host(())
    """FIELD=VALUE,VALUE,...: train every seed at each value, such as decay.floor=0,0.01,0.1, all in one
    program; may be given again, for a grid. Fields: decay and its parts, ppo's weights, rates and clips."""
    out: Path | None = host(None)
    """Run folder; by default runs/TASK-TEACHER-DECAY-TIME."""
    decay: Decay = group(Decay, idle=_UNTAUGHT)
    distill: Distill = group(Distill, idle=_UNTAUGHT + while_("decay", "none"))
    corrupt: Corrupt = group(Corrupt, idle=_UNTAUGHT)
    student: Student = group(Student)
    ppo: PPO = group(PPO)
    rollout: Rollout = group(Rollout)
    variant: Variant = group(Variant)

    @property
    def eval_episodes_resolved(self) -> int:
        """Episodes of the final evaluation, a seed."""
        if self.eval_episodes is not None:
            return self.eval_episodes
        return 1000 if self.seeds <= 64 else 100


def to_json(config: Config) -> dict[str, Any]:
    """A configuration as JSON values, for config.json."""
    values = dataclasses.asdict(config)
    return {**values, "sweep": list(config.sweep), "out": None if config.out is None else str(config.out)}


def identity(config: Config) -> dict[str, Any]:
    """What tells a configuration from others, for its fingerprint: `to_json` without the folder.

    Fields that were added later are left out at their default, see `fields.About.later`.
    """
    values = {**to_json(config), "out": None}
    for leaf in leaves(Config).values():
        if leaf.about.later and leaf.of(config) == leaf.default:
            *groups, name = leaf.path
            # `asdict` has copied the groups.
            del functools.reduce(operator.getitem, groups, values)[name]
    return values


def from_json(values: Mapping[str, Any], file: str = "config.json") -> Config:
    """The configuration in the contents of config.json; what else is there is left aside.

    Args:
        values: the contents.
        file: what to call it in messages.

    Raises:
        UserError: if a field is missing, unknown or of another type.
    """
    return typed(Config, own_fields(Config, as_now(values)), file)
