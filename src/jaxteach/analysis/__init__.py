"""Statistics over seeds, learning curves and figures: reads files and arrays only, and never needs JAX."""

from jaxteach.analysis.curves import (
    Curve,
    env_steps_to_success,
    learning_curve,
    median_env_steps,
    return_while_learning,
    success_while_learning,
)
from jaxteach.analysis.runs import (
    Run,
    load_run,
)
from jaxteach.analysis.statistics import (
    Profile,
    SampleEfficiency,
    Statistic,
    bootstrap_interval,
    iqm,
    mean,
    performance_profile,
    probability_of_improvement,
    sample_efficiency,
    statistic,
)

__all__ = [
    "Curve",
    "Profile",
    "Run",
    "SampleEfficiency",
    "Statistic",
    "bootstrap_interval",
    "env_steps_to_success",
    "iqm",
    "learning_curve",
    "load_run",
    "mean",
    "median_env_steps",
    "performance_profile",
    "probability_of_improvement",
    "return_while_learning",
    "sample_efficiency",
    "statistic",
    "success_while_learning",
]
