"""Statistics over seeds, learning curves and figures: reads files and arrays only, and never needs JAX."""

from jaxteach.analysis.crossings import (
    Crossing,
    confirmed_crossings,
    describe_crossings,
)
from jaxteach.analysis.curves import (
    Curve,
    env_steps_to_success,
    learning_curve,
    median_env_steps,
    return_while_learning,
    success_while_learning,
)
from jaxteach.analysis.figures import (
    Level,
    Panel,
    draw_panel,
    learning_figure,
    save_figure,
    write_curves,
)
from jaxteach.analysis.learning import (
    learning_panels,
    run_labels,
    run_note,
    run_title,
    standing,
    teacher_levels,
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
    steps_ratio,
)

__all__ = [
    "Crossing",
    "Curve",
    "Level",
    "Panel",
    "Profile",
    "Run",
    "SampleEfficiency",
    "Statistic",
    "bootstrap_interval",
    "confirmed_crossings",
    "describe_crossings",
    "draw_panel",
    "env_steps_to_success",
    "iqm",
    "learning_curve",
    "learning_figure",
    "learning_panels",
    "load_run",
    "mean",
    "median_env_steps",
    "performance_profile",
    "probability_of_improvement",
    "return_while_learning",
    "run_labels",
    "run_note",
    "run_title",
    "sample_efficiency",
    "save_figure",
    "standing",
    "statistic",
    "steps_ratio",
    "success_while_learning",
    "teacher_levels",
    "write_curves",
]
