"""Results of runs as numbers: rows of CSV files, and a JSON that says where they come from."""

import csv
import dataclasses
import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import Options, say

from jaxteach.analysis import (
    Curve,
    Run,
    confirmed_crossings,
    env_steps_to_success,
    learning_curve,
    sample_efficiency,
    statistic,
    success_while_learning,
)
from jaxteach.cli.flags import flags
from jaxteach.config import Config, to_json
from jaxteach.teacher.success import shipped_success
from jaxteach.utils.files import write_atomic

THRESHOLDS = (0.5, 0.8, 0.95)


@dataclass(frozen=True)
class Result:
    """A job that is done.

    Attributes:
        label: the job's.
        config: resolved.
        run: its folder, read back.
    """

    label: str
    config: Config
    run: Run

    @property
    def confirmed(self) -> bool:
        """Whether `steps_to` tells of confirmed crossings; of older committed results it does not."""
        return True

    @property
    def task(self) -> str:
        """The task, with its variant."""
        return self.config.task

    @property
    def teacher_success(self) -> float | None:
        """The success rate of the teacher alone, errors included: as it ships, else as the run has it."""
        teacher = (self.run.summary or {}).get("teacher")
        shipped = shipped_success(teacher["sha256"], self.config) if teacher else None
        return self.run.teacher_success_rate if shipped is None else shipped.rate

    @property
    def budget(self) -> float:
        """Environment steps of a seed, up to its last update."""
        return float(self.run.metrics["env_steps"].max())

    def curve(self, window: int) -> Curve:
        """Success while learning: the IQM over seeds with its interval."""
        started, finished, succeeded = (self.run.metrics[n] for n in ("started", "finished", "succeeded"))
        rates = success_while_learning(started, finished, succeeded, window)
        return learning_curve(self.label, self.run.metrics["env_steps"], rates, "ci95")

    @property
    def unlisted(self) -> int | None:
        """Environment steps, of all seeds, in states outside the teacher's table; None without a table."""
        assert self.run.summary is not None
        found = self.run.summary["unlisted_steps"]
        return None if found is None else int(found)

    @property
    def success(self) -> np.ndarray:
        """Success rate of every seed in the final evaluation, [seed]."""
        return self._final("success_rate")

    def _final(self, name: str) -> np.ndarray:
        assert self.run.summary is not None
        return np.asarray(self.run.summary[name]["per_seed"], np.float64)

    @property
    def _counts(self) -> list[np.ndarray]:
        return [self.run.metrics[name] for name in ("env_steps", "started", "finished", "succeeded")]

    def steps_to(self, threshold: float, window: int) -> np.ndarray:
        """Environment steps of every seed until its confirmed crossing of a threshold, [seed]."""
        return confirmed_crossings(*self._counts, (threshold,), window)[f"{threshold:g}"].env_steps

    def per_seed(self, window: int) -> dict[str, np.ndarray]:
        """Final metrics, and steps to thresholds: to the first window at one, and confirmed; [seed] each."""
        final = {name: self._final(name) for name in ("success_rate", "return", "length")}
        first = env_steps_to_success(*self._counts, THRESHOLDS, window)
        return {
            "seed": self.run.metrics["seed_ids"],
            **final,
            **{f"env_steps_to_{name}": steps for name, steps in first.items()},
            **{f"confirmed_env_steps_to_{t:g}": self.steps_to(t, window) for t in THRESHOLDS},
        }


def summary_row(result: Result, window: int, **columns: Any) -> dict[str, Any]:
    """A row of summary.csv: final success and confirmed steps to 0.8, over seeds with 95 % intervals."""
    final = statistic(result.success)
    steps = sample_efficiency(result.steps_to(0.8, window))
    return {
        "task": result.task,
        "run": result.label,
        **columns,
        "seeds": final["n"],
        "env_steps": result.config.env_steps,
        "success_iqm": final["iqm"],
        "success_low": final["ci95"][0],
        "success_high": final["ci95"][1],
        "success_mean": final["mean"],
        "teacher_success": result.teacher_success,
        "confirmed_env_steps_to_0.8": steps["median"],
        "confirmed_env_steps_to_0.8_low": steps["ci95"][0],
        "confirmed_env_steps_to_0.8_high": steps["ci95"][1],
        "confirmed_0.8": steps["reached"],
    }


def detailed_row(result: Result, window: int, **columns: Any) -> dict[str, Any]:
    """A row of summary.csv with confirmed steps to 0.95."""
    steps = sample_efficiency(result.steps_to(0.95, window))
    return {
        **summary_row(result, window),
        "confirmed_env_steps_to_0.95": steps["median"],
        **columns,
    }


def seed_rows(results: Iterable[Result], window: int) -> list[dict[str, Any]]:
    """The final metrics of every seed, a row each."""
    rows = []
    for result in results:
        columns = result.per_seed(window)
        for i in range(len(columns["seed"])):
            own = {name: values[i] for name, values in columns.items()}
            rows.append(
                {"task": result.task, "run": result.label, **own, "teacher_success": result.teacher_success}
            )
    return rows


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, the same text for the same numbers; empty where a number is unknown or infinite."""
    text = io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names)
    table.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return ""
    if isinstance(value, float):
        rounded = round(float(value), 6) + 0.0  # no minus before a zero
        return f"{rounded:.10g}" if abs(value) >= 1000 else f"{rounded:.6f}"
    return str(value)


def write_results(
    options: Options, results: Sequence[Result], files: Mapping[str, bytes], drawn: Sequence[str] = ()
) -> None:
    """Write a figure's numbers, and a JSON that says where all of its files come from.

    Args:
        options: the command line's.
        results: what the figure shows.
        files: contents by name; `per_seed.csv.gz` is added.
        drawn: names of files that are written already.
    """
    rows = csv_text(seed_rows(results, options.scale.window)).encode()
    # Without a time in its head the archive of the same rows is the same.
    contents = {**files, "per_seed.csv.gz": gzip.compress(rows, mtime=0)}
    for name, data in contents.items():
        write_atomic(options.out / name, data)
    origin = {
        "figure": options.figure,
        "scale": dataclasses.asdict(options.scale),
        "command": f"python experiments/{options.figure}.py{command_flag(options)}",
        "seeds": sorted({int(seed) for r in results for seed in r.run.metrics["seed_ids"]}),
        "runs": [origin_of(result) for result in results],
        "files": {
            name: hashlib.sha256((options.out / name).read_bytes()).hexdigest()
            for name in sorted({*contents, *drawn})
        },
    }
    write_atomic(options.out / "provenance.json", (json.dumps(origin, indent=1) + "\n").encode())
    if len(codes := {result.run.summary["source_sha256"] for result in results}) > 1:
        say(f"{options.figure}: its runs are of {len(codes)} different codes: train those of older ones anew")
    say(f"{options.figure}: {os.path.relpath(options.out)}")


def note_redrawn(folder: Path, drawn: Iterable[str]) -> None:
    """Write down in provenance.json that pictures are other files now."""
    file = folder / "provenance.json"
    origin = json.loads(file.read_text(encoding="utf-8"))
    origin["files"] |= {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in drawn}
    write_atomic(file, (json.dumps(origin, indent=1) + "\n").encode())


def command_flag(options: Options) -> str:
    """The flags that a figure was made with."""
    scale = "" if options.scale.name == "default" else f" --{options.scale.name}"
    return scale + (" --so-far" if options.so_far else "")


def origin_of(result: Result) -> dict[str, Any]:
    """Where a result comes from: a command that gives it, its teacher, versions and code."""
    config, summary = result.run.config, result.run.summary or {}
    return {
        "task": result.task,
        "label": result.label,
        "command": run_command(result.config, config["device"]),
        "folder": result.run.path.name,
        "fingerprint": config["fingerprint"],
        "teacher": summary["teacher"],
        "corrupt": summary["corrupt"],
        "device": config["device"],
        "versions": config["versions"],
        "source_sha256": summary["source_sha256"],
        "commit": summary.get("commit"),
        "processor": summary.get("processor"),
        "metrics_sha256": metrics_digest(result.run),
    }


def metrics_digest(run: Run) -> str:
    """A digest of all that a run recorded of seeds and updates: the same only if it repeats to the bit."""
    total = hashlib.sha256()
    for name, values in sorted(run.metrics.items()):
        total.update(f"{name} {values.dtype} {values.shape}\n".encode() + values.tobytes())
    return total.hexdigest()


def run_command(config: Config, device: Mapping[str, Any]) -> str:
    """The command line that trains a configuration, to the bit on as many devices."""
    given, default = flags(to_json(config)), flags(to_json(Config()))
    changed = [
        f"{flag} {one}"
        for flag, value in given.items()
        if value is not None and value != default[flag]
        for one in (value if isinstance(value, list) else [value])  # a list is a flag given several times
    ]
    if device["platform"] == "cpu":
        changed.append(f"--host-devices {device['count']}")
    return " ".join(["python -m jaxteach.run", *changed])
