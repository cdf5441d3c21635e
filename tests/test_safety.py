"""Nothing read from a file or a language model is ever evaluated or unpickled: a search of the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for folder in ("src", "experiments", "teacher_cache", ".ci")
    for path in (ROOT / folder).rglob("*.py")
)
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "builtins",
    "code",
    "submitit",
    "yaml",
}
EXCEPTION = ("src/jaxteach/launch.py", ["import submitit"])
"""What hands jobs to a scheduler writes them as pickles of its own: docs/clusters.md says so."""
CALLS = {"eval", "exec", "compile", "__import__"}
FLAGS = {"trust_remote_code": True, "allow_pickle": True, "shell": True, "weights_only": False}
LOADERS = {"numpy": ("allow_pickle", False), "jax": ("allow_pickle", False), "torch": ("weights_only", True)}
"""Packages whose `load`, wherever in them it lies, has to be told not to unpickle."""


def constant(node: ast.AST | None, otherwise: object) -> object:
    """The value of a constant; of anything else, which could be whatever, another."""
    return node.value if isinstance(node, ast.Constant) else otherwise


def package_of(node: ast.AST | None) -> str:
    """The package of a module named in a call, as in f"jaxteach.{name}"; empty if it depends."""
    dotted = isinstance(node, ast.JoinedStr)
    text = str(constant(node.values[0] if dotted else node, ""))
    return text.partition(".")[0] if "." in text or not dotted else ""


def imported(tree: ast.AST) -> dict[str, str]:
    """What names that a module imports stand for: np for numpy, load for numpy.load."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def dangers(source: str) -> list[str]:
    """What in a module could run code that it reads, a phrase each."""
    found, tree = [], ast.parse(source)
    aliases = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").partition(".")[0]]
        else:
            names = []
        if isinstance(node, ast.Name) and node.id == "__builtins__":
            found.append(node.id)
        if isinstance(node, ast.Call):
            first, dot, rest = ast.unparse(node.func).partition(".")
            called = aliases.get(first, first) + dot + rest
            origin, last = called.partition(".")[0], called.rpartition(".")[2]
            given = {k.arg: k.value for k in node.keywords}
            found += [called] if called in CALLS or last == "read_pickle" else []
            if last == "import_module":
                package = package_of(node.args[0] if node.args else given.get("name"))
                names = [package or "whatever"]
            found += [
                f"{name}={ast.unparse(given[name])}"
                for name, bad in FLAGS.items()
                if name in given and constant(given[name], bad) == bad
            ]
            name, safe = LOADERS.get(origin, ("", None)) if last == "load" else ("", None)
            if name and constant(given.get(name), None) is not safe:
                found.append(f"{called} without {name}={safe}")
        elif isinstance(node, ast.Dict):
            found += [
                f"{key.value}: {ast.unparse(value)}"
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
                and key.value in FLAGS
                and constant(value, FLAGS[key.value]) == FLAGS[key.value]
            ]
        found += [f"import {name}" for name in names if name in MODULES | {"whatever"}]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_source_runs_nothing_it_reads(path):
    excepted, allowed = EXCEPTION
    expected = allowed if path == ROOT / excepted else []
    assert dangers(path.read_text(encoding="utf-8")) == expected


def test_there_is_source_to_search():
    assert len(FILES) > 80


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import os, dill as d",
        "from pickle import loads",
        "eval(text)",
        "x = [exec(line) for line in lines]",
        "compile(text, 'x', 'exec')",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=options.trust)",
        "kwargs = {'trust_remote_code': True}",
        "import numpy as np\nnp.load(file, allow_pickle=True)",
        "import numpy as np\nnp.load(file)",
        "from numpy import load\nload(file)",
        "from numpy import load as read\nread(file, allow_pickle=flag)",
        "import numpy as xp\nxp.lib.npyio.load(file)",
        "import jax.numpy as jnp\njnp.load(file)",
        "from torch import load\nload(file)",
        "import builtins\nbuiltins.eval(text)",
        "__builtins__['eval'](text)",
        "importlib.import_module('pickle')",
        "from importlib import import_module as get\nget('dill.source')",
        "importlib.import_module(name)",
        "importlib.import_module(f'{name}.x')",
        "importlib.import_module(f'pickle{name}')",
        "pandas.read_pickle(file)",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_search_finds(source):
    assert dangers(source)


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "re.compile(text)",
        "import numpy as np\nnp.load(file, allow_pickle=False)",
        "json.load(file)",
        "importlib.import_module('numpy')",
        "importlib.import_module(f'jaxteach.{name}')",
        "k = {'trust_remote_code': False}",
    ],
)
def test_the_search_passes(source):
    assert dangers(source) == []
