"""`python -m jaxteach.precompute`: ask an LLM about every abstract state of a task and write a table."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jaxteach.utils.errors import cli
from jaxteach.utils.interrupt import Interruptible

if TYPE_CHECKING:
    from jaxteach.llm import Estimator, Job, Settings


@dataclass(frozen=True)
class Options:
    """Ask an LLM about every abstract state of a task, once, and write the teacher's table."""

    task: str
    """The task, such as simple_door_key."""
    out: Path
    """The table to write (JSON). Every answer is kept beside it, in OUT.answers.jsonl."""
    model: str = ""
    """transformers: folder, .gguf file, hub name. openai: the server's name. rule: ideal or uniform."""
    backend: str = "transformers"
    """Who answers: transformers (a model in this process), openai (a server with its API), rule, or a
    plugin's."""
    estimator: Literal["sample", "verbalized", "score"] | None = None
    """How answers become probabilities. Default: score for transformers, sample for openai and plugins."""
    samples: int | None = None
    """Answers a state. Default: 20 for sample, 1 for verbalized and for rules."""
    temperature: float | None = None
    """Of the answers. Default: 0.7; 0 for a single verbalized answer."""
    seed: int = 0
    """Of the answers' randomness."""
    max_tokens: int = 160
    """Where an answer is cut off; reasoning models need thousands."""
    think: bool = True
    """Ask for a short chain of thought first."""
    examples: int = 3
    """Worked examples in the prompt (verbalized shows all)."""
    prompt: Path | None = None
    """A prompt file of your own; see docs/teachers.md."""
    score_temperature: float = 1.0
    """Of the softmax over scores."""
    calibrate: bool = False
    """Subtract from scores what options get when the state is left unsaid."""
    mask_inadmissible: bool = False
    """Drop plans that start with what the state makes impossible. That is knowledge of the task."""
    max_unparsed: float = 0.2
    """Largest share of a state's answers that may be no plan."""
    name: str | None = None
    """The table's name. Default: the file's name."""
    resume: bool = False
    """Ask only what OUT.answers.jsonl lacks."""
    overwrite: bool = False
    """Replace a table that exists, and put its answers aside."""
    extend: bool = False
    """Ask only about the states that the table OUT lacks, as one made for an earlier version does; the older
    one is put aside."""
    dry_run: bool = False
    """Only print how many calls and tokens it would take, and how long; no model is loaded or asked."""
    base_url: str = "https://api.openai.com/v1"
    """openai: where the server is."""
    key_variable: str = "OPENAI_API_KEY"
    """openai: the environment variable that holds the key. Servers without keys need none."""
    concurrency: int = 4
    """openai: requests at the same time."""
    timeout: float = 120.0
    """openai: seconds for a whole reply."""
    retries: int = 6
    """openai: further tries after 429, 5xx, a time-out, a dropped connection or a broken reply."""
    threads: int | None = None
    """transformers: threads on the CPU. On a busy machine 1 can be fastest."""
    device: str = "auto"
    """transformers: auto, cpu, cuda, cuda:1, mps."""
    dtype: str = "auto"
    """transformers: auto (float32 on a CPU, else bfloat16), float32, bfloat16, float16."""
    batch: int = 64
    """transformers: answers generated at the same time, of one state or several."""
    revision: str | None = None
    """transformers: branch, tag or commit of a model on the hub."""
    offline: bool = False
    """transformers: never use the network."""


_USUAL: "dict[str, Estimator]" = {"transformers": "score", "openai": "sample"}
"""How answers become probabilities by default."""
STOPPED = "stopped; the answers are kept: --resume continues"
"""What Ctrl-C ends with once answers may be there."""


def main() -> int:
    """Read the flags, run, print the report."""
    from jaxteach.cli import parse
    from jaxteach.cli.progress import answer_bar

    options = parse(Options, "precompute")
    settings = _settings(options)
    settings.check()
    from jaxteach.llm import capabilities

    can = capabilities(options.backend)
    from jaxteach import llm
    from jaxteach.tasks import needs_jax, task_facts
    from jaxteach.teacher.checks import check_name
    from jaxteach.utils.errors import UserError

    if needs_jax(options.task):
        from jaxteach.utils.jax_setup import start_jax

        start_jax(platforms="cpu")  # a task's words are all that is needed: leave accelerators to the LLM
    task = task_facts(options.task)
    if not task.language.questions:
        raise UserError(f"task {options.task} has no abstract states to ask about")
    # A variant is asked as its task, and its table is the task's; or that of all tasks that share it.
    name = task.language.family or options.task.partition(":")[0]
    job = llm.Job(name, task.facts, task.language.questions, llm.load_prompt(options.prompt), settings)
    job.check(options.backend, can)
    if options.extend and options.overwrite:
        raise UserError("--extend keeps what the table says, --overwrite does not: choose one")
    if options.extend:
        job = llm.lacking(job, options.out, task.language)
    if options.dry_run:
        _say_effort(options, job)
        return 0
    title = options.name or options.out.stem
    check_name(title, "--name")
    llm.check_place(options.out, options.resume or options.extend, options.overwrite)
    backend = llm.make_backend(
        options.backend,
        options.model,
        job.questions,
        local=_local(options),
        endpoint={
            k: getattr(options, k) for k in ("base_url", "key_variable", "concurrency", "timeout", "retries")
        },
    )
    # Until here there are no answers to keep, and Ctrl-C ends the command as it does any other.
    with Interruptible(STOPPED), answer_bar() as bar:
        if options.extend:
            table = llm.extend(job, backend, options.out, task.language, bar)
        else:
            table = llm.precompute(job, backend, options.out, title, options.resume, options.overwrite, bar)
    print(llm.describe(table, task.language))
    print(f"\nwritten: {options.out} (sha256 {table.sha256[:12]})")
    return 0


def _local(options: Options) -> dict[str, Any]:
    """Fields of `LocalSettings`."""
    names = ("threads", "device", "dtype", "batch", "revision", "offline")
    return {name: getattr(options, name) for name in names}


def _say_effort(options: Options, job: "Job") -> None:
    """Print calls and tokens; for a model in this process also the time, if that can be known."""
    from jaxteach import llm

    answered = llm.answered(llm.log_path(options.out)) if options.resume else frozenset()
    print(llm.estimate(job, answered))
    if options.backend == "transformers":
        from jaxteach.llm.backends.effort import time_in_words

        print(time_in_words(options.model, _local(options), llm.work_of(job, answered)))


def _settings(options: Options) -> "Settings":
    """Fill in the defaults that depend on other flags."""
    from jaxteach.llm.settings import Settings

    rule = options.backend == "rule"
    rules: dict[str, Estimator] = {"ideal": "verbalized", "uniform": "score"}
    usual = rules.get(options.model, "sample") if rule else _USUAL.get(options.backend, "sample")
    estimator = options.estimator or usual
    few = estimator == "verbalized" or rule
    samples = options.samples if options.samples is not None else 1 if few else 20
    greedy = estimator == "verbalized" and samples == 1
    return Settings(
        estimator=estimator,
        samples=samples,
        temperature=options.temperature if options.temperature is not None else 0.0 if greedy else 0.7,
        think=options.think and not rule,
        **{k: getattr(options, k) for k in ("seed", "max_tokens", "examples", "score_temperature")},
        **{k: getattr(options, k) for k in ("calibrate", "mask_inadmissible", "max_unparsed")},
    )


if __name__ == "__main__":
    cli(main)
