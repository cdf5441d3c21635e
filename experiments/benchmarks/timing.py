"""How variants are timed: compiled apart, warmed up, in turn, medians over repeats with their spread."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax


@dataclasses.dataclass(frozen=True)
class Variant:
    """Something to be timed.

    Attributes:
        call: does the work once and blocks until it is done.
        units: how many units of work (environment steps, floating point operations) one call does.
        compile_seconds: what compiling it took, or reading it if it was compiled before; 0 for what is not
            compiled.
        devices: how many devices it runs on.
    """

    call: Callable[[], Any]
    units: float
    compile_seconds: float = 0.0
    devices: int = 1


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of a variant, a repeat each, and what follows from them.

    Attributes:
        seconds: of one call, by repeat (means over the calls of a repeat).
        units: of one call.
        calls: in a repeat.
        compile_seconds: apart.
        devices: how many devices it ran on.
    """

    seconds: tuple[float, ...]
    units: float
    calls: int
    compile_seconds: float
    devices: int

    @property
    def median(self) -> float:
        """Median seconds of a call."""
        return statistics.median(self.seconds)

    @property
    def rate(self) -> float:
        """Units a second, at the median."""
        return self.units / self.median

    def __str__(self) -> str:
        low, high = self.units / max(self.seconds), self.units / min(self.seconds)
        return f"{in_words(self.rate)}/s [{in_words(low)}, {in_words(high)}]"

    def to_json(self) -> dict[str, Any]:
        """As JSON values: rates, their extremes and the seconds behind them."""
        return {
            "rate": self.rate,
            "rate_min": self.units / max(self.seconds),
            "rate_max": self.units / min(self.seconds),
            "seconds": list(self.seconds),
            "units": self.units,
            "calls_in_a_repeat": self.calls,
            "compile_seconds": self.compile_seconds,
            "devices": self.devices,
        }


def in_words(number: float) -> str:
    """A count for a person.

    >>> in_words(123.0), in_words(45_600.0), in_words(2.34e6), in_words(1.8e11)
    ('123', '45.6k', '2.34M', '180G')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def measure(variants: Mapping[str, Variant], repeats: int, seconds: float) -> dict[str, Timing]:
    """Time variants in turn, so that a change of the machine's speed meets all of them.

    Args:
        variants: by name.
        repeats: how often each is timed.
        seconds: how long one repeat should last at least: as many calls as that takes.

    Returns:
        Timings by name. The first call of each, and those that find out how many make a repeat, are
        discarded.
    """
    calls = {}
    for name, variant in variants.items():
        variant.call()
        calls[name] = max(1, round(seconds / timed(variant, 1)))
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, variant in variants.items():
            found[name].append(timed(variant, calls[name]))
    return {
        name: Timing(tuple(found[name]), v.units, calls[name], v.compile_seconds, v.devices)
        for name, v in variants.items()
    }


def timed(variant: Variant, calls: int) -> float:
    """Seconds of one call, over so many."""
    began = time.perf_counter()
    for _ in range(calls):
        variant.call()
    return (time.perf_counter() - began) / calls


def compiled(function: Any, *arguments: Any) -> tuple[Any, float]:
    """Compile a jitted function ahead of time.

    Args:
        function: jitted.
        *arguments: what it will be called with.

    Returns:
        The compiled function and the seconds that took, tracing included.
    """
    began = time.perf_counter()
    program = function.lower(*arguments).compile()
    return program, time.perf_counter() - began


def repeated(program: Any, *arguments: Any, units: float, seconds: float, devices: int = 1) -> Variant:
    """A variant that calls a compiled program with the same arguments each time.

    Args:
        program: compiled; none of its arguments donated.
        *arguments: its arguments.
        units: of work in a call.
        seconds: what compiling took.
        devices: how many devices it runs on.
    """
    return Variant(lambda: jax.block_until_ready(program(*arguments)), units, seconds, devices)
