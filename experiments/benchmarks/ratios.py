"""The ratios the benchmark is for, with their bounds, from its results."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.runs import Run
from benchmarks.timing import Timing

REFERENCE_PEAK = 180e9
"""Float32 matmul, in operations a second, of the machine for which the seconds of a solved seed are bound."""
SOLVED_SECONDS = 0.28

Timings = Mapping[str, Timing]


@dataclasses.dataclass(frozen=True)
class Ratio:
    """One line of the verdict.

    Attributes:
        name: what is compared.
        value: the figure; None if it was not measured.
        bound: what it should reach.
        at_most: whether the bound is from above.
    """

    name: str
    value: float | None
    bound: float
    at_most: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the bound is kept; None if there is nothing to tell by."""
        if self.value is None:
            return None
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        value = "not measured" if self.value is None else f"{self.value:.3g}"
        verdict = {True: "reached", False: "NOT REACHED", None: ""}[self.met]
        return f"{self.name:<66} {value:>12}   {sign} {self.bound:<5g} {verdict}".rstrip()


def best(timings: Timings, prefix: str) -> Timing | None:
    """The fastest of the variants whose names begin so, at their medians; None if there is none."""
    found = [timing for name, timing in timings.items() if name.startswith(prefix)]
    return max(found, key=lambda timing: timing.rate) if found else None


def quotient(over: Timing | None, under: Timing | None) -> float | None:
    """How many times faster one is than the other."""
    return None if over is None or under is None else over.rate / under.rate


def env_ratios(timings: Timings) -> list[Ratio]:
    """Environments alone, best against best."""
    ours = best(timings, "ours: observation")
    peers = (("navix", "navix", 8.0), ("xminigrid", "xminigrid", 3.5), ("Farama minigrid", "minigrid", 100.0))
    return [
        Ratio(f"env only: ours / {name}", quotient(ours, best(timings, prefix)), bound)
        for name, prefix, bound in peers
    ]


def training_ratios(timings: Timings) -> list[Ratio]:
    """Rollouts and whole training, best against best."""

    def of(over: str, under: str) -> float | None:
        return quotient(best(timings, over), best(timings, under))

    return [
        Ratio("rollouts: with teacher / without", of("rollouts: taught", "rollouts: alone"), 0.5),
        Ratio("training: with teacher / without", of("training: taught", "training: alone"), 0.9),
        *(
            Ratio(f"training: {ours} / navix PPO, {peer}", of(f"training: {ours}", f"navix PPO: {peer}"), 1.5)
            for peer in ("as wide", "as many weights")
            for ours in ("taught", "alone")
        ),
    ]


def peak_ratios(timings: Timings) -> list[Ratio]:
    """Useful operations of the updates as a share of the matmul peak."""
    peak = best(timings, "matmul")
    return [
        Ratio(
            f"update: useful FLOPs / matmul peak, {name}",
            quotient(best(timings, f"learn: {name}"), peak),
            0.4,
        )
        for name in ("ego", "cnn")
    ]


def run_ratios(runs: Mapping[str, Sequence[Run]], peak: float) -> list[Ratio]:
    """Whole runs.

    Args:
        runs: `cold`, with an empty cache of compiled programs; `default`, of the default length, with 8
            seeds among them; `short`, all trained equally long, the most seeds among them; the first of
            these compiles.
        peak: float32 matmul, in operations a second.
    """
    by_seeds = {run.seeds: run for run in runs["default"]}
    seconds = by_seeds[max(by_seeds)].seconds_a_solved_seed
    scaled = None if seconds is None else seconds * peak / REFERENCE_PEAK
    ratios = [
        Ratio("seconds a solved seed, at 180 GFLOP/s", scaled, SOLVED_SECONDS, at_most=True),
        Ratio("compile, cold cache: seconds", runs["cold"][0].compile_seconds, 60.0, at_most=True),
        Ratio("start, warm cache: seconds", by_seeds[8].start_seconds, 10.0, at_most=True),
    ]
    many = max(runs["short"], key=lambda run: run.seeds, default=None)
    slower = growth = compiled = None
    if many is not None:
        few = [run for run in runs["short"][1:] if run.seeds == 64]
        slower = many.seconds_a_seed / statistics.median(run.seconds_a_seed for run in few)
        compiled = float(sum(run.compiled for run in runs["short"]))
        if many.peak_bytes is not None:
            before = statistics.median(run.peak_bytes or 0 for run in few)
            growth = (many.peak_bytes - before) / (many.result_bytes - few[0].result_bytes)
    return [
        *ratios,
        Ratio("seconds a seed: 4096 seeds / 64 seeds", slower, 1.1, at_most=True),
        Ratio("resident memory from 64 to 4096 seeds: growth / results", growth, 1.0, at_most=True),
        Ratio("training programs compiled, 64 to 4096 seeds together", compiled, 1.0, at_most=True),
    ]


def lines(ratios: Sequence[Ratio]) -> list[str]:
    """The ratios as they are printed."""
    return [str(ratio) for ratio in ratios]


def to_json(ratios: Sequence[Ratio]) -> list[dict[str, Any]]:
    """The ratios as JSON values."""
    return [{**dataclasses.asdict(ratio), "met": ratio.met} for ratio in ratios]
