"""The rooms of the house: who may import whom, and how large a file and a function may be."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.commands import ROOT

PACKAGE = ROOT / "src" / "jaxteach"
FILES = sorted(PACKAGE.rglob("*.py"))
WORLD_FREE = (
    "training",
    "teacher",
    "student",
    "llm",
    "runs",
    "analysis",
    "rendering",
    "reporting",
    "config",
    "cli",
    "utils",
)
ALLOWED = {
    "utils": set(),
    "tasks": {"utils"},
    "worlds": {"tasks", "utils"},
    "student": {"tasks", "utils", "config"},
    "teacher": {"tasks", "utils", "config"},
    "llm": {"teacher", "tasks", "utils"},
}
"""Rooms whose imports are few, and what they may import besides themselves."""
RECORDINGS = "jaxteach.worlds.minigrid.paper.replay"
"""Plays recordings of teachers again, and so compiles their tables."""
ABOUT_WORLDS = ("jaxteach.tasks.registry", "jaxteach.conformance", "jaxteach.gymnasium")
"""What knows a world by its name, besides the worlds."""
NO_COMMANDS = ("__init__.py", "gymnasium.py")
"""What users import, and do not run."""
LAST = {"runs": ("cli",), "training": ("runs", "cli", "llm"), "analysis": ("runs", "training", "cli", "llm")}
"""What rooms that import more must not: those before them in commands -> runs -> training -> tasks."""


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def room_of(module: str) -> str:
    """The folder a module lies in; a command's is "commands"."""
    parts = module.split(".")
    if len(parts) < 2:
        return ""
    return parts[1] if (PACKAGE / parts[1]).is_dir() else "commands"


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, lazily: bool) -> Iterator[str]:
    """The modules a file imports as its own, those for types alone left out.

    Args:
        path: the file.
        lazily: also those within functions.
    """

    def visit(nodes: list[ast.stmt]) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path} imports relatively"
                for name in node.names:
                    whole = f"{node.module}.{name.name}"
                    yield whole if whole in MODULES else str(node.module)
            elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                yield from visit(node.orelse)
            elif lazily or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for _, value in ast.iter_fields(node):
                    if isinstance(value, list):
                        yield from visit([item for item in value if isinstance(item, ast.stmt)])
                        for handler in value:
                            if isinstance(handler, ast.ExceptHandler | ast.match_case):
                                yield from visit(handler.body)

    yield from visit(tree_of(path).body)


def words(path: Path) -> Iterator[str]:
    """Every string in a file that is not a docstring."""
    tree = tree_of(path)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


@pytest.mark.parametrize("room", WORLD_FREE)
def test_no_world_is_imported_or_named(room: str) -> None:
    for path in sorted((PACKAGE / room).rglob("*.py")):
        found = [name for name in imports(path, lazily=True) if room_of(name) == "worlds" or "navix" in name]
        found += [text for text in words(path) if "jaxteach.worlds" in text or text.startswith("navix.")]
        assert not found, f"{path} knows a world: {found}"


def test_only_the_registry_names_worlds() -> None:
    """By a string, from which it imports; a command that is about one world imports it."""
    for path in FILES:
        module = module_of(path)
        if room_of(module) == "worlds" or module in ABOUT_WORLDS:
            continue
        assert not [name for name in imports(path, lazily=True) if room_of(name) == "worlds"], path
        assert not [text for text in words(path) if "jaxteach.worlds" in text], path


def test_imports_point_one_way() -> None:
    wrong = []
    for module, path in MODULES.items():
        room = room_of(module)
        for name in imports(path, lazily=True):
            other = room_of(name) if name in MODULES else ""
            if other in ("", room) or (module == RECORDINGS and other == "teacher"):
                continue
            forbidden = other not in ALLOWED[room] if room in ALLOWED else other in LAST.get(room, ())
            # No room may import a command, and a command another only within a function.
            if forbidden or (other == "commands" and room not in ("commands", "")):
                wrong.append(f"{module} -> {name}")
    assert not wrong


def test_no_import_is_circular() -> None:
    graph = {module: set(imports(path, lazily=False)) & set(MODULES) for module, path in MODULES.items()}
    done: set[str] = set()

    def walk(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join((*above[above.index(module) :], module))
        if module not in done:
            for other in graph[module] - {module}:
                walk(other, (*above, module))
            done.add(module)

    for module in graph:
        walk(module, ())


def test_top_level_modules_are_commands() -> None:
    for path in PACKAGE.glob("*.py"):
        if path.name not in NO_COMMANDS:
            functions = {node.name for node in tree_of(path).body if isinstance(node, ast.FunctionDef)}
            assert "main" in functions and "cli(main)" in path.read_text(encoding="utf-8"), path


def test_no_file_is_longer_than_350_lines() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert not {path: n for path, n in lengths.items() if n > 350}


def test_no_function_is_longer_than_60_lines_of_code() -> None:
    """Blank lines, comments and docstrings left out."""
    long = {}
    for path in FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if not body:
                    continue
                span = lines[node.lineno - 1 : body[0].lineno - 1] if body is node.body else []
                span = [*span, *lines[body[0].lineno - 1 : body[-1].end_lineno]]
                n = sum(bool(line.strip()) and not line.strip().startswith("#") for line in span)
                if n > 60:
                    long[f"{path.relative_to(PACKAGE)}: {node.name}"] = n
    assert not long
