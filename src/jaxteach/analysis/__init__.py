"""Statistics over seeds, learning curves and figures: reads run folders and arrays only, and never needs JAX."""

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
    "Profile",
    "SampleEfficiency",
    "Statistic",
    "bootstrap_interval",
    "iqm",
    "mean",
    "performance_profile",
    "probability_of_improvement",
    "sample_efficiency",
    "statistic",
]
