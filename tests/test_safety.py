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
    "code",
    "yaml",
}
CALLS = {"eval", "exec", "compile", "__import__"}
FLAGS = {"trust_remote_code": True, "allow_pickle": True, "shell": True, "weights_only": False}
LOADERS = {"np.load": ("allow_pickle", False), "numpy.load": ("allow_pickle", False)}
LOADERS["torch.load"] = ("weights_only", True)


def constant(node: ast.AST | None, otherwise: object) -> object:
    """The value of a constant; of anything else, which could be whatever, another."""
    return node.value if isinstance(node, ast.Constant) else otherwise


def dangers(source: str) -> list[str]:
    """What in a module could run code that it reads, a phrase each."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").partition(".")[0]]
        else:
            names = []
        found += [f"import {name}" for name in names if name in MODULES]
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {k.arg: k.value for k in node.keywords}
            found += [called] if called in CALLS else []
            found += [
                f"{name}={ast.unparse(given[name])}"
                for name, bad in FLAGS.items()
                if name in given and constant(given[name], bad) == bad
            ]
            name, safe = LOADERS.get(called, ("", None))
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
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_source_runs_nothing_it_reads(path):
    assert dangers(path.read_text(encoding="utf-8")) == []


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
        "np.load(file, allow_pickle=True)",
        "np.load(file)",
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
        "np.load(file, allow_pickle=False)",
        "k = {'trust_remote_code': False}",
    ],
)
def test_the_search_passes(source):
    assert dangers(source) == []
