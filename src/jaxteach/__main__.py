"""`jaxteach`, `python -m jaxteach`: all the commands by one name, such as `jaxteach run`."""

import ast
import importlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from typing import Annotated, Any

from jaxteach.utils.errors import UserError, cli, nearest

COMMANDS = (
    "run",
    "evaluate",
    "plot",
    "report",
    "render",
    "precompute",
    "tables",
    "launch",
    "merge",
    "doctor",
    "conformance",
)
"""In the order in which they are listed; `jaxteach X` is `python -m jaxteach.X`."""


def main() -> int | None:
    """Run the command that the first argument names; without one, list them all."""
    own = "jaxteach" if Path(sys.argv[0]).name.startswith("jaxteach") else "python -m jaxteach"
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(listed(own))
        return 0
    if name == "--version":
        print(f"jaxteach {version()}")
        return 0
    if name.replace("_", "-").startswith("--tyro-"):
        return complete(sys.argv[1:])
    if name.startswith("-"):
        raise UserError(
            f"unknown option {name}: a command comes first, as in {own} run {name} ({own} --help)"
        )
    if name not in COMMANDS:
        raise UserError(f"unknown command '{name}': {nearest(name, COMMANDS)}")
    # What the command prints of itself, in its help above all, is what was typed.
    sys.argv = [f"{own} {name}", *rest]
    command = importlib.import_module(f"jaxteach.{name}")
    status: int | None = command.main()
    return status


def listed(own: str) -> str:
    """The help: every command with what it does.

    Args:
        own: how this was started.
    """
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {purpose(name)}" for name in COMMANDS]
    return "\n".join(
        [
            f"usage: {own} COMMAND ...",
            "",
            *lines,
            "",
            f"{own} COMMAND --help shows a command's flags; {own} --version, the version.",
            f"Completion of commands and flags: {own} --tyro-print-completion bash (or zsh, tcsh, fish).",
        ]
    )


def purpose(name: str) -> str:
    """What a command does, from the first line of its file, which is not run: some take a while to import."""
    spec = importlib.util.find_spec(f"jaxteach.{name}")
    assert spec is not None and spec.origin is not None
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].partition("`: ")[2]


def version() -> str:
    """The version that is installed."""
    try:
        return importlib.metadata.version("jaxteach")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed: run from its source)"


def complete(args: list[str]) -> int:
    """Have tyro write a shell's completion of all commands and flags.

    Args:
        args: the command line, tyro's flags.
    """
    import tyro

    from jaxteach.cli.parsing import check_shell, complaining

    check_shell(args)
    kinds: list[Any] = [
        Annotated[importlib.import_module(f"jaxteach.{name}").Options, tyro.conf.subcommand(name)]
        for name in COMMANDS
    ]
    union: Any = kinds[0]
    for kind in kinds[1:]:
        union = union | kind
    with complaining("jaxteach"):
        tyro.cli(union, prog="jaxteach", args=args)
    return 0


def console() -> None:
    """The console command."""
    cli(main)


if __name__ == "__main__":
    cli(main)
