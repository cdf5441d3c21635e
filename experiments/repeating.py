"""Whether recorded runs repeat: two drawn at random, of this code, are trained anew and compared."""

import json
import random
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import processor, say
from reporting import metrics_digest

from jaxteach.analysis import load_run
from jaxteach.utils.errors import UserError
from jaxteach.utils.jax_setup import versions
from jaxteach.utils.surroundings import source_digest

COUNT = 2
"""Runs that are trained anew."""


@dataclass(frozen=True)
class Recorded:
    """A run that a figure's provenance.json names.

    Attributes:
        figure: the figure.
        origin: what is recorded of it, see `reporting.origin_of`.
    """

    figure: str
    origin: dict[str, Any]

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.figure}: {self.origin['task']}, {self.origin['label']}"

    @property
    def hindrance(self) -> str:
        """Why it cannot be repeated here; empty if it can."""
        origin = self.origin
        if origin["source_sha256"] != source_digest():
            commit = str(origin.get("commit"))[:10]
            return f"of other code than this: commit {commit} has theirs"
        if origin.get("metrics_sha256") is None or origin.get("processor") is None:
            return "recorded without the digest of their metrics or the processor"
        if (origin["device"]["platform"], origin["processor"]) != ("cpu", processor()):
            return f"of another device: {origin['device']['kind']}, {origin['processor']}"
        if origin["versions"] != versions():
            return "of other versions than are installed here: provenance.json names them"
        return ""


def repeat(results: Path, train: Callable[[list[str]], Any] = subprocess.check_call) -> int:
    """Train runs drawn at random anew, and say of the rest why they cannot be repeated here.

    Args:
        results: a folder for each figure, with its provenance.json.
        train: carries out a command.

    Raises:
        UserError: a run came out otherwise.
    """
    recorded = [
        Recorded(file.parent.name, origin)
        for file in sorted(results.glob("*/provenance.json"))
        for origin in json.loads(file.read_text(encoding="utf-8"))["runs"]
    ]
    for (figure, why), count in Counter((run.figure, run.hindrance) for run in recorded).items():
        if why:
            say(f"{figure}: {count} runs cannot be repeated, {why}")
    unique = {run.origin["fingerprint"]: run for run in recorded if not run.hindrance}
    chosen = random.sample(list(unique.values()), min(COUNT, len(unique)))
    for run in chosen:
        say(f"{run.name}: {run.origin['command']}")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            train([sys.executable, *shlex.split(run.origin["command"])[1:], "--out", str(out)])
            if metrics_digest(load_run(out)) != run.origin["metrics_sha256"]:
                raise UserError(f"{run.name}: trained anew it comes out otherwise than recorded")
        say(f"{run.name}: the same to the bit")
    say(
        f"{len(chosen)} of {len(recorded)} recorded runs repeated; {len(unique)} can be repeated by this code"
    )
    return 0
