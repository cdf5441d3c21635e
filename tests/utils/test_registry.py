"""Things by name: shipped, registered, and of installed packages, sound ones and others."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jaxteach.utils import registry
from jaxteach.utils.errors import UserError
from jaxteach.utils.registry import Registry
from tests.plugins import install

GROUP = "jaxteach.toys"


def positive(name: str, thing: Any) -> int:
    """A toy is a positive number."""
    if not isinstance(thing, int) or thing < 1:
        raise ValueError(f"its value is {thing!r}, not a positive number")
    return thing


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path; packages written to it are installed."""
    monkeypatch.syspath_prepend(tmp_path)
    registry._installed.cache_clear()
    before = set(sys.modules)
    yield tmp_path
    registry._installed.cache_clear()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def toys() -> Registry[int]:
    return Registry("toy", GROUP, {"two": "jaxteach.config.settings:SCHEMA_VERSION"}, positive)


def test_a_plugin_is_found_and_imported_only_when_asked_for(packages: Path) -> None:
    install(packages, "acme-toys", {GROUP: {"three": "acme:box.THREE"}}, acme="class box:\n    THREE = 3\n")
    found = toys()
    assert found.names() == ("three", "two") and "three" in found and "acme" not in sys.modules
    assert found.get("three") == 3 and found.get("three") == 3
    assert found.origin("three") == "acme-toys (acme:box.THREE)" and found.origin("two") == ""
    assert found.ships("two") and not found.ships("three")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "import no_such_module",
            "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("raise RuntimeError('two\\nlines')", "cannot be imported: RuntimeError: two lines"),
        ("import sys; sys.exit()", "cannot be imported: SystemExit"),
        ("x = ", "cannot be imported: SyntaxError"),
        ("TOYS = 1", "cannot be imported: AttributeError: module 'acme' has no attribute 'TOY'"),
        ("TOY = -1", "cannot be used: its value is -1, not a positive number"),
    ],
)
def test_a_broken_plugin_is_refused_by_name_and_harms_no_other(
    packages: Path, source: str, message: str
) -> None:
    install(packages, "acme-toys", {GROUP: {"toy": "acme:TOY"}}, acme=source)
    found = toys()
    for _ in range(2):
        with pytest.raises(UserError) as caught:
            found.get("toy")
        assert str(caught.value).startswith(f"acme-toys (acme:TOY): its toy 'toy' {message}")
        assert "\n" not in str(caught.value)
        sys.modules.pop("acme", None)
    assert found.get("two") == 2


def test_a_name_that_is_taken_is_refused(packages: Path) -> None:
    install(packages, "acme-toys", {GROUP: {"two": "acme:TOY", "four": "acme:TOY"}}, acme="TOY = 4\n")
    install(packages, "bell-toys", {GROUP: {"four": "bell:TOY", "five": "bell:TOY"}}, bell="TOY = 5\n")
    found = toys()
    with pytest.raises(UserError, match=r"^acme-toys \(acme:TOY\): its toy 'two' has a name that is taken"):
        found.get("two")
    with pytest.raises(
        UserError, match=r"acme-toys \(acme:TOY\).* and .*bell-toys|bell-toys.* and .*acme-toys"
    ):
        found.get("four")
    assert found.get("five") == 5
    found.register("five", 5)  # the same object again, as a module's decorator does
    with pytest.raises(UserError, match="a toy named 'two' exists already"):
        found.register("two", 7)
    found.register("six", 6)
    with pytest.raises(UserError, match="a toy named 'six' exists already"):
        found.register("six", 7)
    install(packages, "cone-toys", {GROUP: {"six": "cone:TOY"}}, cone="TOY = 66\n")
    registry._installed.cache_clear()
    with pytest.raises(UserError, match=r"^cone-toys \(cone:TOY\): its toy 'six' has a name that is taken"):
        found.get("six")


def test_a_package_seen_twice_is_one(packages: Path) -> None:
    install(packages, "acme-toys", {GROUP: {"three": "acme:TOY"}}, acme="TOY = 3\n")
    install(packages, "acme-toys-checkout", {GROUP: {"three": "acme:TOY"}})
    assert toys().get("three") == 3


def test_names_that_no_command_could_take_are_refused() -> None:
    for name in ("a/b", "a:b", "", "..", "a b"):
        with pytest.raises(UserError, match="a name may hold letters"):
            toys().register(name, 3)


def test_damaged_packages_end_nothing(packages: Path) -> None:
    damaged = packages / "damaged-1.0.dist-info"
    damaged.mkdir()
    (damaged / "entry_points.txt").write_bytes(b"[jaxteach.toys]\n\xff\xfe = x\n")
    assert toys().get("two") == 2
    with pytest.raises(
        UserError, match=r"unknown toy 'tow': did you mean 'two'.*damaged-1\.0.* cannot be read"
    ):
        toys().get("tow")
