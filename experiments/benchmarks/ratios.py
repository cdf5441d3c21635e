"""The ratios the benchmark is for, with their bounds, from its results."""

import dataclasses
import operator
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from benchmarks.levels import Row
from benchmarks.runs import Run
from benchmarks.timing import Timing

REFERENCE_PEAK = 180e9
"""Float32 matmul, in operations a second, of the machine for which the seconds of a solved seed are bound."""
SOLVED_SECONDS = 0.28
COMPARE = {">=": operator.ge, "<=": operator.le, "==": operator.eq}
VMAP, MAP = "vmap: ", "groups of 1 a device: "
"""How variants of a chunk's width begin, in `suite.widths`."""

Timings = Mapping[str, Timing]


@dataclasses.dataclass(frozen=True)
class Ratio:
    """One line of the verdict.

    Attributes:
        name: what is compared.
        value: the figure; None if it was not measured.
        bound: what it should reach.
        sign: how the value must compare to the bound: >=, <= or ==.
        note: under which conditions it was measured, where they are not the default ones.
    """

    name: str
    value: float | None
    bound: float
    sign: Literal[">=", "<=", "=="] = ">="
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bound is kept; None if there is nothing to tell by."""
        if self.value is None:
            return None
        return COMPARE[self.sign](self.value, self.bound)

    def __str__(self) -> str:
        value = "not measured" if self.value is None else f"{self.value:.3g}"
        verdict = {True: "reached", False: "NOT REACHED", None: ""}[self.met]
        return (
            f"{self.name:<66} {value:>12}   {self.sign} {self.bound:<5g} {verdict:<11} {self.note}".rstrip()
        )


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


def level_ratios(rows: Sequence[Row]) -> list[Ratio]:
    """MiniGrid's levels against the peers' own."""
    named = {row.name.removeprefix("MiniGrid-").removesuffix("-v0"): row for row in rows}
    single = [("navix", name, 25.0) for name in ("DoorKey-8x8", "KeyCorridorS3R3")]
    single += [("xminigrid", name, 20.0) for name in ("DoorKey-8x8", "FourRooms")]
    all_navix = [value for row in rows if (value := row.ratio("navix")) is not None]
    return [
        *(
            Ratio(f"levels: ours / {peer}, {name}", named[name].ratio(peer), bound)
            for peer, name, bound in single
            if name in named
        ),
        Ratio(
            f"levels: ours / navix, median of {len(all_navix)} ids",
            statistics.median(all_navix) if all_navix else None,
            15.0,
        ),
        Ratio("levels: ours / navix, the least of them", min(all_navix, default=None), 8.0),
        Ratio("levels: compiling a step, the longest: s", max(row.step_seconds for row in rows), 5.0, "<="),
        Ratio(
            "levels: bytes of 1024 states, the largest",
            float(1024 * max(row.bytes for row in rows)),
            64e6,
            "<=",
        ),
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
        Ratio("seconds a solved seed, at 180 GFLOP/s", scaled, SOLVED_SECONDS, "<="),
        Ratio("compile, cold cache: seconds", runs["cold"][0].compile_seconds, 60.0, "<="),
        Ratio("start, warm cache: seconds", by_seeds[8].start_seconds, 10.0, "<="),
    ]
    many = max(runs["short"], key=lambda run: run.seeds, default=None)
    slower = growth = compiled = None
    if many is not None:
        few = [run for run in runs["short"][1:] if run.seeds == 64]
        slower = many.seconds_a_seed / statistics.median(run.seconds_a_seed for run in few)
        compiled = float(sum(run.compiled for run in runs["short"]))
        if many.peak_bytes is not None:
            before = statistics.median(run.peak_bytes or 0 for run in few)
            growth = (many.peak_bytes - before) / (many.metrics_bytes - few[0].metrics_bytes)
    steps = "" if many is None else f"({many.env_steps // many.seeds:,} environment steps a seed)"
    return [
        *ratios,
        Ratio("seconds a seed: 4096 seeds / 64 seeds", slower, 1.1, "<=", steps),
        Ratio("resident memory from 64 to 4096 seeds: growth / metrics", growth, 1.0, "<=", steps),
        Ratio("training programs compiled, 64 to 4096 seeds together", compiled, 1.0, "==", steps),
    ]


def crossover(timings: Timings) -> int | None:
    """From which width on seeds are trained faster side by side than one after another on each device.

    Args:
        timings: of the same chunks both ways, `vmap: N seeds` and `groups of 1 a device: N seeds`.

    Returns:
        The least width N from which on vmap is faster at every width measured; None if it is not at the
        widest.
    """
    rates = {name: timing.rate for name, timing in timings.items()}
    found = None
    for width in sorted(int(name.split()[-2]) for name in rates if name.startswith(MAP)):
        faster = rates[f"{VMAP}{width} seeds"] > rates[f"{MAP}{width} seeds"]
        found = (found or width) if faster else None
    return found


def lines(ratios: Sequence[Ratio]) -> list[str]:
    """The ratios as they are printed."""
    return [str(ratio) for ratio in ratios]


def to_json(ratios: Sequence[Ratio]) -> list[dict[str, Any]]:
    """The ratios as JSON values."""
    return [{**dataclasses.asdict(ratio), "met": ratio.met} for ratio in ratios]
