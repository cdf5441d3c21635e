"""Tests of locks/: they hold all that pyproject.toml asks for, by hash, and name no index."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.commands import ROOT

SETS = {"core": (), "test": ("test",), "llm": ("test", "llm"), "docs": ("test", "docs")}


def locked(name):
    """Versions by package; several where platforms differ."""
    text = (ROOT / "locks" / f"{name}.txt").read_text()
    found: dict[str, list[str]] = {}
    for package, version in re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^ ;\\]+)", text):
        found.setdefault(package.lower().replace("_", "-"), []).append(version)
    return found, text


@pytest.mark.parametrize("name", SETS)
def test_every_requirement_is_locked_in_a_version_that_will_do(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    found, _ = locked(name)
    wanted = [*project["dependencies"], *(line for extra in SETS[name] for line in extras[extra])]
    for requirement in map(Requirement, wanted):
        versions = found[requirement.name.lower()]
        assert all(requirement.specifier.contains(version, prereleases=True) for version in versions), (
            requirement
        )


@pytest.mark.parametrize("name", SETS)
def test_every_entry_has_a_hash_and_no_index_is_named(name):
    found, text = locked(name)
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", text.strip())[1:]  # before the first there is nothing
    assert len(entries) == sum(map(len, found.values()))
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"index-url|find-links|://|file:", text)


def test_the_larger_sets_hold_the_smaller_in_the_same_versions():
    core, test, llm, docs = (locked(name)[0] for name in SETS)
    for larger in (llm, docs):
        assert core == {name: larger[name] for name in core}
        assert test == {name: larger[name] for name in test}
