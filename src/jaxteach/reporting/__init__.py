"""A report of runs: one HTML file with curves, results, audit of the teacher, episodes, configuration."""

from jaxteach.reporting.page import render_page
from jaxteach.reporting.runs import Reported, describe_runs, read_runs
from jaxteach.reporting.series import learning_series, panel_as_json

__all__ = ["Reported", "describe_runs", "learning_series", "panel_as_json", "read_runs", "render_page"]
