"""The configuration of a training run: frozen dataclasses, presets, and how flags resolve. No JAX here."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxteach.config.bounds import MOST, check_rollout
from jaxteach.config.migration import as_now
from jaxteach.student.registry import DISTILLATIONS, STUDENTS
from jaxteach.tasks.registry import check_task_name, facts_class, task_facts
from jaxteach.utils.errors import UserError, nearest
from jaxteach.utils.json_file import own_fields, typed

_Name = tyro.conf.arg(name="")
Moment = int | float
"""A point of a schedule: what kind of number it is says what it counts, see `share_of_run`."""
SCHEMA_VERSION = 2
"""Of config.json; see `migration.as_now`."""
PRESETS = ("fast", "paper")
METHODS = ("llm4teach", "hierarchical")
TEACHER_MODES = ("soft", "hard")
RETURNS = ("gae", "monte_carlo")
MOST_ENV_STEPS = 2**31 - 2 * MOST
"""Environment steps a seed may train for: counted in int32, the last update may go beyond by `MOST`."""
MOST_FLOAT = 3.4e38
"""Hyperparameters are float32."""
DECAYS = ("linear_plateau", "linear", "constant", "exponential", "cosine", "step", "none", "adaptive")


def share_of_run(at: Moment) -> float | None:
    """The fraction of the run that a point of a schedule stands for: a float above 0, up to 1.0.

    Anything else counts updates, and gives None.

    >>> share_of_run(0.2), share_of_run(1.0), share_of_run(1), share_of_run(1980.0)
    (0.2, 1.0, None, None)
    """
    return at if isinstance(at, float) and 0.0 < at <= 1.0 else None


@dataclass(frozen=True)
class Decay:
    """How the weight lambda of the distillation term falls.

    Points of the schedule are fractions of the run (0.2, 1.0) or updates (1, 1980), see `share_of_run`.
    """

    name: Annotated[str, _Name] = "linear_plateau"
    """Schedule: linear_plateau, linear, constant, exponential, cosine, step, adaptive or none."""
    start: float = 10.0
    """Lambda at the first update."""
    floor: float = 0.05
    """Lambda on the plateau (not linear, constant); with adaptive, once the student matches its teacher."""
    plateau_at: Moment = 0.2
    """Where the plateau begins (not linear, constant, adaptive): a fraction of the run up to 1.0, or
    updates: 1 is update 1."""
    off_at: Moment = 0.6
    """From where on lambda is zero (not constant): a fraction of the run up to 1.0, or updates."""


@dataclass(frozen=True)
class Distill:
    """How the student follows the teacher."""

    name: Annotated[str, _Name] = "forward_kl"
    """Divergence of student and teacher: forward_kl (the paper's cross-entropy), reverse_kl or js."""
    teacher: Literal["soft", "hard"] = "soft"
    """soft: the teacher's distribution; hard: one plan sampled at every step."""
    weighting: Literal["none", "entropy"] = "none"
    """none: all rows count alike; entropy: by the teacher's certainty, 1 - H(q) / log 7."""


@dataclass(frozen=True)
class Corrupt:
    """Errors put into the teacher's instructions, to see what a student can correct."""

    share: float = 0.0
    """Share of the instructions that a random other option replaces, 0 to 1."""
    mode: Literal["systematic", "noise"] = "systematic"
    """systematic: that share of the abstract states, always wrong in one way; noise: anew at every step."""
    seed: int = 0
    """Which states and options (systematic); noise follows from the students' seeds."""


@dataclass(frozen=True)
class PPO:
    """Proximal policy optimisation."""

    lr: float = 2e-3
    """Adam's learning rate at the first update."""
    lr_end: float = 2e-4
    """Adam's learning rate at the end of the run; it falls linearly."""
    adam_eps: float = 1e-8
    """Adam's epsilon."""
    max_grad_norm: float = 0.5
    """Gradients are clipped to this global norm."""
    gamma: float = 0.99
    """Discount per environment step."""
    returns: Literal["gae", "monte_carlo"] = "gae"
    """How advantages are estimated."""
    gae_lambda: float = 0.95
    """GAE's lambda (gae only)."""
    clip: float = 0.2
    """Clip range of the probability ratio."""
    value_clip: float = 0.2
    """Clip range of the value's change."""
    policy_weight: float = 1.0
    """Weight of the policy loss; with 0 here, as value and as entropy weight, only the teacher is cloned."""
    value_weight: float = 0.5
    """Weight of the value loss."""
    entropy_weight: float = 0.01
    """Weight of the entropy bonus."""
    epochs: int = 3
    """Passes over the rollout, an update."""
    minibatch: int = 128
    """Rows of a minibatch (gru: environment steps, in whole sequences)."""


@dataclass(frozen=True)
class Rollout:
    """How experience is collected for one update."""

    collect: Literal["steps", "episodes"] = "steps"
    """steps: a fixed number from environments that go on; episodes: whole ones, from their start."""
    envs: int = 32
    """Environments stepped side by side, a seed (episodes: also the fewest episodes, an update)."""
    steps: int = 16
    """Environment steps an environment takes, an update (steps only)."""
    min_env_steps: int = 256
    """Episodes go on being started until so many environment steps are collected (episodes only)."""


@dataclass(frozen=True)
class Student:
    """The student's network."""

    name: Annotated[str, _Name] = "ego"
    """Network: ego (egocentric map, small MLP), cnn (the reference's) or gru (recurrent)."""
    hidden: int = 64
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


@dataclass(frozen=True)
class Config:
    """Train students on a task with a cached teacher, many seeds in one compiled program."""

    task: str = "simple_door_key"
    """Task, or task:variant for one of its ready-made variants."""
    method: Literal["llm4teach", "hierarchical"] = "llm4teach"
    """llm4teach: actions, taught; hierarchical: the student chooses among options, by reinforcement alone."""
    teacher: str = "chatglm"
    """Teacher table: a name in teacher_cache/<task>/, a path to a .json file, or none."""
    preset: str = "fast"
    """Where defaults come from: fast (few environment steps) or paper (the reference's settings)."""
    seeds: int = 8
    """How many seeds to train."""
    first_seed: int = 0
    """Id of the first seed."""
    seeds_per_chunk: int | None = None
    """Seeds that run together; by default the preset's width on CPUs, on accelerators as many as have room.
    Results depend on it in the last bits."""
    env_steps: int | None = None
    """Environment steps a seed; by default the preset's, by task."""
    eval_episodes: int | None = None
    """Episodes of the final evaluation, a seed; by default 1000 up to 64 seeds, 100 beyond."""
    sweep: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """FIELD=VALUE,VALUE,...: train every seed at each value, such as decay.floor=0,0.01,0.1, all in one
    program; may be given again, for a grid. Fields: decay and its parts, ppo's weights, rates and clips."""
    out: Path | None = None
    """Run folder; by default runs/<task>-<teacher>-<decay>-<date and time>."""
    decay: Decay = field(default_factory=Decay)
    distill: Distill = field(default_factory=Distill)
    corrupt: Corrupt = field(default_factory=Corrupt)
    student: Student = field(default_factory=Student)
    ppo: PPO = field(default_factory=PPO)
    rollout: Rollout = field(default_factory=Rollout)
    variant: Variant = field(default_factory=Variant)

    @property
    def eval_episodes_resolved(self) -> int:
        """Episodes of the final evaluation, a seed."""
        if self.eval_episodes is not None:
            return self.eval_episodes
        return 1000 if self.seeds <= 64 else 100


FAST = Config()
PAPER = Config(
    preset="paper",
    seeds=4,
    decay=Decay("linear_plateau", start=10.0, floor=0.1, plateau_at=1980, off_at=3000),
    student=Student("cnn"),
    ppo=PPO(lr=1e-3, lr_end=1e-3, entropy_weight=0.001, returns="monte_carlo", epochs=3, minibatch=128),
    rollout=Rollout("episodes", envs=10),
)
PAPER_ENV_STEPS = 300_000
CHUNK = {"fast": 8, "paper": 4}


def preset(name: str) -> Config:
    """The configuration a preset starts from.

    Args:
        name: fast or paper.

    Raises:
        UserError: for any other name.
    """
    if name not in PRESETS:
        raise UserError(f"unknown preset '{name}': {nearest(name, PRESETS)}")
    return {"fast": FAST, "paper": PAPER}[name]


def resolve(config: Config) -> Config:
    """Fill in what was left to the preset, and refuse what cannot be run.

    Args:
        config: as parsed.

    Returns:
        The same configuration with every number in place.

    Raises:
        UserError: naming the field at fault.
    """
    check(config)
    check_rollout(config, task_facts(config.task, **dataclasses.asdict(config.variant)))
    env_steps = config.env_steps
    if env_steps is None:
        task = facts_class(config.task.partition(":")[0])
        env_steps = task.env_steps if config.preset == "fast" else PAPER_ENV_STEPS
    if config.method == "hierarchical":
        # Nobody teaches it; so that its folder does not name a teacher.
        config = dataclasses.replace(
            config, teacher="none", decay=Decay("none"), distill=Distill(), corrupt=Corrupt()
        )
    return dataclasses.replace(
        config,
        seeds_per_chunk=config.seeds_per_chunk or CHUNK[config.preset],
        env_steps=env_steps,
        eval_episodes=config.eval_episodes_resolved,
    )


def check(config: Config) -> None:
    """Refuse what cannot be run, as far as can be told without JAX.

    Args:
        config: as parsed.

    Raises:
        UserError: naming the field at fault.
    """
    preset(config.preset)
    base = config.task.partition(":")[0]
    check_task_name(base)
    _choose("decay", config.decay.name, DECAYS)
    _choose("student", config.student.name, STUDENTS.names())
    _choose("distillation", config.distill.name, DISTILLATIONS.names())
    counts = {
        "seeds": config.seeds,
        "seeds-per-chunk": config.seeds_per_chunk,
        "env-steps": config.env_steps,
        "eval-episodes": config.eval_episodes,
        "ppo.epochs": config.ppo.epochs,
        "ppo.minibatch": config.ppo.minibatch,
        "rollout.envs": config.rollout.envs,
        "rollout.steps": config.rollout.steps,
        "rollout.min-env-steps": config.rollout.min_env_steps,
        "student.hidden": config.student.hidden,
    }
    for name, value in counts.items():
        most = MOST_ENV_STEPS if name == "env-steps" else MOST
        if value is not None and value < 1:
            raise UserError(f"--{name} {value}: must be at least 1")
        if value is not None and value > most:
            raise UserError(f"--{name} {value}: must be at most {most}")
    rollout = config.rollout
    if rollout.collect == "steps" and rollout.envs * rollout.steps > MOST:
        raise UserError(
            f"--rollout.envs {rollout.envs} --rollout.steps {rollout.steps}: {rollout.envs * rollout.steps} "
            f"environment steps an update, must be at most {MOST}"
        )
    if not 0 <= config.first_seed <= 2**32 - config.seeds:
        raise UserError(f"--first-seed {config.first_seed}: seeds are numbered from 0 up to 2**32 - 1")
    _check_numbers(config)


def _check_numbers(config: Config) -> None:
    """Refuse hyperparameters outside their range."""
    bounds = {
        "corrupt.share": (config.corrupt.share, 0.0, 1.0),
        "corrupt.seed": (config.corrupt.seed, 0, 2**32 - 1),
        "ppo.lr": (config.ppo.lr, 0.0, 1.0),
        "ppo.lr-end": (config.ppo.lr_end, 0.0, 1.0),
        "ppo.adam-eps": (config.ppo.adam_eps, 0.0, 1.0),
        "ppo.gamma": (config.ppo.gamma, 0.0, 1.0),
        "ppo.gae-lambda": (config.ppo.gae_lambda, 0.0, 1.0),
        "ppo.clip": (config.ppo.clip, 0.0, float("inf")),
        "ppo.value-clip": (config.ppo.value_clip, 0.0, float("inf")),
        "ppo.policy-weight": (config.ppo.policy_weight, 0.0, float("inf")),
        "ppo.value-weight": (config.ppo.value_weight, 0.0, float("inf")),
        "ppo.entropy-weight": (config.ppo.entropy_weight, 0.0, float("inf")),
        "ppo.max-grad-norm": (config.ppo.max_grad_norm, 0.0, float("inf")),
        "decay.start": (config.decay.start, 0.0, float("inf")),
        "decay.floor": (config.decay.floor, 0.0, float("inf")),
        "decay.plateau-at": (config.decay.plateau_at, 0.0, float("inf")),
        "decay.off-at": (config.decay.off_at, 0.0, float("inf")),
    }
    for name, (value, low, high) in bounds.items():
        if not (low <= value <= min(high, MOST_FLOAT)):
            allowed = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of at least {low:g}"
            raise UserError(f"--{name} {value}: must be a number {allowed}")


def _choose(what: str, name: str, options: tuple[str, ...]) -> None:
    if name not in options:
        raise UserError(f"unknown {what} '{name}': {nearest(name, options)}")


def to_json(config: Config) -> dict[str, Any]:
    """A configuration as JSON values, for config.json."""
    values = dataclasses.asdict(config)
    return {**values, "sweep": list(config.sweep), "out": None if config.out is None else str(config.out)}


def from_json(values: Mapping[str, Any], file: str = "config.json") -> Config:
    """The configuration in the contents of config.json; what else is there is left aside.

    Args:
        values: the contents.
        file: what to call it in messages.

    Raises:
        UserError: if a field is missing, unknown or of another type.
    """
    return typed(Config, own_fields(Config, as_now(values)), file)
