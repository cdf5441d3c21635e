"""The teacher: plans and the tables that hold them. Importing this room needs no JAX."""

from jaxteach.teacher.loading import cache_folder, find_table, load_table, table_names
from jaxteach.teacher.plans import parse_plan
from jaxteach.teacher.table import Plan, PlanTable, save_table

__all__ = [
    "Plan",
    "PlanTable",
    "cache_folder",
    "find_table",
    "load_table",
    "parse_plan",
    "save_table",
    "table_names",
]
