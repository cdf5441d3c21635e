"""Make the students that ship with the package out of run folders: parameters, how they do, a card each.

    python experiments/pretrain.py --commit abc1234 runs/lava_door_key runs/doorkey ...

Of each run its first seed is taken, not its best. Parameters are rounded to 8 bits, one scale a column of a
matrix; what the student is worth before and after is measured on the same episodes, and told on its card.
"""

import argparse
import dataclasses
import hashlib
import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jaxteach.evaluate import Options, evaluate_student
from jaxteach.reporting.runs import Reported, how_to_repeat, read_runs
from jaxteach.student.deployed import SCALE, first_seed, read_params
from jaxteach.student.pretrained import FOLDER
from jaxteach.utils.errors import UserError, cli
from jaxteach.utils.jax_setup import start_jax

EPISODES, SEED = 4000, 11
"""Fresh episodes, and which: not those of the run's own evaluation, nor those `evaluate` plays by default."""


def main() -> None:
    """Read the command line, make each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders that have ended")
    parser.add_argument("--commit", required=True, help="of the source that trained them")
    parser.add_argument("--out", type=Path, default=FOLDER, help="where the folders go")
    options = parser.parse_args()
    start_jax()
    reported = read_runs(options.runs)
    for one in reported:
        if one.run.summary is None:
            raise UserError(f"{one.run.path} has not ended")
    for one in reported:
        print(make(one, options.commit, options.out / one.config.task), flush=True)


def make(one: Reported, commit: str, out: Path) -> str:
    """Make the folder of one student.

    Args:
        one: the run.
        commit: of the source that trained it.
        out: the folder; replaced.

    Returns:
        A line on what was made.
    """
    seed = first_seed(one.run.path)
    whole = {name: x[:1] for name, x in read_params(min((one.run.path / "params").glob("*.npz"))).items()}
    with tempfile.TemporaryDirectory() as folder:
        before = write(one, whole, Path(folder))
        exact = measure(before)
        made = write(one, rounded(whole), Path(folder) / "rounded")
        result = measure(made)
        (made / "evaluation.json").write_text(json.dumps(result, indent=2) + "\n")
        (made / "README.md").write_text(card(one, commit, seed, made, exact, result))
        shutil.rmtree(out, ignore_errors=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, out)
    size = (out / "params/00000.npz").stat().st_size
    return f"{out}: {size / 1000:.0f} kB, success {rate(result):.4f} ({rate(exact):.4f} before rounding)"


def write(one: Reported, arrays: dict[str, npt.NDArray[Any]], folder: Path) -> Path:
    """A run folder of one student; where the run lay is left out."""
    (folder / "params").mkdir(parents=True)
    config = {**one.run.config, "out": f"runs/{one.config.task}"}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    np.savez_compressed(folder / "params/00000.npz", **arrays)
    return folder


def rounded(arrays: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Matrices [1, in, out] as int8 and a float32 scale for each column; the rest as it is."""
    found: dict[str, npt.NDArray[Any]] = {}
    for name, x in arrays.items():
        if x.ndim < 3:
            found[name] = x
            continue
        scale = np.maximum(np.abs(x).max(axis=-2, keepdims=True) / 127, np.finfo(np.float32).tiny)
        found[name], found[name + SCALE] = np.rint(x / scale).astype(np.int8), scale.astype(np.float32)
    return found


def measure(folder: Path) -> dict[str, Any]:
    """Fresh episodes, actions sampled."""
    return evaluate_student(Options(folder, episodes=EPISODES, seed=SEED))


def rate(result: dict[str, Any]) -> float:
    """The success rate of an evaluation."""
    return float(result["success_rate"]["mean"])


def interval(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n episodes."""
    z = 1.959964
    centre, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


def card(
    one: Reported, commit: str, seed: int, made: Path, exact: dict[str, Any], result: dict[str, Any]
) -> str:
    """The model card."""
    config, record, summary = one.config, one.record, one.run.summary or {}
    low, high = interval(rate(result), EPISODES)
    seeds = summary["success_rate"]
    table, file = record.teacher_table, made / "params/00000.npz"
    command = how_to_repeat(dataclasses.replace(one, config=dataclasses.replace(config, out=None)))[-1]
    own = {"python", "jaxteach", "jax", "jaxlib", "flax", "optax", "numpy"}
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items() if name in own)
    facts = [
        ("task", f"`{config.task}`"),
        ("student", f"`{config.student.name}`, {config.student.hidden} hidden units, seed {seed}"),
        ("chosen as", f"the first of the run's {seeds['n']} seeds, not the best"),
        ("teacher", "none" if table is None else f"table `{table.name}`, sha256 `{table.sha256}`"),
        ("trained for", f"{config.env_steps:,} environment steps a seed"),
        ("with", f"`{command}`"),
        ("source", f"commit {commit}; fingerprint `{record.fingerprint}`"),
        ("versions", f"{versions}; {record.device.count} x {record.device.kind}"),
        (
            "success",
            f"{rate(result):.4f} [{low:.4f}, {high:.4f}] in {EPISODES:,} fresh episodes, actions sampled",
        ),
        ("return, length", f"{result['return']['mean']:.3f}, {result['length']['mean']:.1f} steps"),
        ("before rounding", f"success {rate(exact):.4f} in the same episodes"),
        ("all seeds of the run", f"success {seeds['iqm']:.3f} (IQM), {min(seeds['per_seed']):.3f} at worst"),
        ("parameters", f"`params/00000.npz`, {file.stat().st_size:,} bytes, 8 bits a weight"),
        ("sha256", f"`{hashlib.sha256(file.read_bytes()).hexdigest()}`"),
        ("licence", "Apache-2.0, as the package"),
    ]
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts)
    return f"""# pretrained/{config.task}

Generated by `experiments/pretrain.py`; play it with `jaxteach render pretrained/{config.task}`.

| | |
| --- | --- |
{rows}

## Limits

It was trained on `{config.task}` alone, and measured on nothing else: what shows other maps cannot be read.
It fails in about {1 - rate(result):.1%} of episodes. The figures are of actions sampled from its policy; who
always takes the likeliest one can be caught in a loop. It is one seed of one run: comparisons take many.
"""


if __name__ == "__main__":
    cli(main)
