"""A run to be killed: asks slowly, and writes into journals what it asks and how many answers it has kept."""

import sys
import time
from pathlib import Path

from jaxteach.llm import precompute
from tests.llm.fakes import COLORED, FakeBackend, make_job


class SlowBackend(FakeBackend):
    """Writes down the seed, then waits, then answers."""

    def __init__(self, *args, journal, **kwargs):
        super().__init__(*args, **kwargs)
        self._journal = journal

    def generate(self, messages, seeds, temperature, max_tokens):
        """One answer a seed."""
        with open(self._journal, "a") as file:
            file.writelines(f"{seed}\n" for seed in seeds)
        time.sleep(0.01)
        return super().generate(messages, seeds, temperature, max_tokens)


# Usage: python -m tests.llm.slow_run OUT JOURNAL PROGRESS
if __name__ == "__main__":

    def report(done, total):
        """Note what the run believes to be safe on the disk."""
        Path(sys.argv[3]).write_text(str(done))

    job = make_job(COLORED, samples=6, max_unparsed=1.0)
    slow = SlowBackend(job.questions, concurrency=2, journal=Path(sys.argv[2]))
    precompute(job, slow, Path(sys.argv[1]), "t", resume=True, report=report)
