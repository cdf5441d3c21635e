"""Answers a second of a model in this process: of this checkout, or of another with its src in PYTHONPATH.

The processor's seconds are those of this process, whatever else the machine does; loading is left out.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from jaxteach.utils.errors import cli


def main() -> None:
    """Read the command line, load the model, ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a folder or a .gguf file")
    parser.add_argument("--task", default="colored_door_key", help="whose states are asked about")
    parser.add_argument("--states", type=int, default=None, help="the first ones alone")
    parser.add_argument("--samples", type=int, default=20, help="answers a state")
    parser.add_argument("--threads", type=int, default=1, help="on the CPU")
    parser.add_argument("--batch", type=int, default=64, help="answers generated at the same time")
    given = parser.parse_args()

    def ask() -> None:
        from jaxteach import llm
        from jaxteach.tasks import task_facts

        task = task_facts(given.task)
        questions = task.language.questions[: given.states]
        settings = llm.Settings("sample", samples=given.samples, max_unparsed=1.0)
        job = llm.Job(given.task, task.facts, questions, llm.load_prompt(), settings)
        local = {"offline": True, "threads": given.threads, "batch": given.batch}
        backend = llm.make_backend("transformers", given.model, questions, local, {})
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "timed.json"
            clock, processor = time.perf_counter(), time.process_time()
            llm.precompute(job, backend, out, "timed")
            clock, processor = time.perf_counter() - clock, time.process_time() - processor
            answers = [json.loads(line) for line in llm.log_path(out).read_text().splitlines()[1:]]
        tokens = sum(answer["tokens_out"] for answer in answers)
        print(f"{len(answers)} answers of {tokens} tokens")
        print(f"{len(answers) / processor:.2f} answers a second of the processor ({processor:.1f} s)")
        print(f"{len(answers) / clock:.2f} answers a second by the clock ({clock:.1f} s)")

    cli(ask)


if __name__ == "__main__":
    main()
