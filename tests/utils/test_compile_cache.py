"""Tests of where compiled programs are kept, and of damaged ones."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jaxteach.utils.compile_cache import compilation_cache
from jaxteach.utils.errors import UserError


@pytest.fixture
def account(tmp_path, monkeypatch):
    """An account with a home and temporary files of its own, and no variables set."""
    for name in ("JAXTEACH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path


def test_in_the_users_cache(account, monkeypatch):
    assert compilation_cache() == account / "home/.cache/jaxteach"
    monkeypatch.setenv("XDG_CACHE_HOME", str(account / "xdg"))
    assert compilation_cache() == account / "xdg/jaxteach"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be passed over, says its specification
    assert compilation_cache() == account / "home/.cache/jaxteach"


@pytest.mark.parametrize("home", [None, "", "/nonexistent/home", "relative", "file"])
def test_without_a_home_among_temporary_files(account, monkeypatch, home):
    """No entry in /etc/passwd and HOME unset, empty, not there, or no folder."""
    monkeypatch.chdir(account)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path if home is None else home or "~")
    found = compilation_cache()
    assert found == account / f"tmp/jaxteach-{os.getuid()}"
    assert found.stat().st_mode & 0o777 == 0o700  # whoever can write there runs code here
    assert not Path("/nonexistent").exists()


def test_a_home_that_cannot_be_written(account, monkeypatch):
    monkeypatch.setenv("HOME", str(account / "home"))
    (account / "home/.cache").write_text("in the way")  # root may write everywhere: this stands for read-only
    assert compilation_cache() == account / f"tmp/jaxteach-{os.getuid()}"


def test_a_temporary_folder_that_others_may_write_is_not_used(account, monkeypatch):
    monkeypatch.setenv("HOME", "/nonexistent")
    shared = account / f"tmp/jaxteach-{os.getuid()}"
    shared.mkdir()
    shared.chmod(0o777)
    assert compilation_cache() is None
    shared.rmdir()
    (account / "elsewhere").mkdir()
    shared.symlink_to(account / "elsewhere")
    assert compilation_cache() is None


def test_what_is_asked_for_wins(account, monkeypatch):
    monkeypatch.setenv("JAXTEACH_CACHE", str(account / "variable"))
    monkeypatch.setattr(Path, "home", lambda: pytest.fail("no home is needed"))
    assert compilation_cache(str(account / "flag")) == account / "flag"
    assert compilation_cache() == account / "variable"
    assert compilation_cache("off") is None
    monkeypatch.setenv("JAXTEACH_CACHE", "off")
    assert compilation_cache() is None
    assert compilation_cache(str(account / "flag")) == account / "flag"
    assert compilation_cache("~/mine") == account / "home/mine"


def test_a_flag_that_cannot_be_followed_is_refused(account):
    with pytest.raises(UserError, match=r"--cache .*file/x: Not a directory: choose another folder, or off"):
        compilation_cache(str(account / "file/x"))


def test_a_variable_that_cannot_be_followed_is_told(account, monkeypatch):
    monkeypatch.setenv("JAXTEACH_CACHE", str(account / "file/x"))
    told = []
    assert compilation_cache(notice=told.append) == account / "home/.cache/jaxteach"
    assert told == [
        f"JAXTEACH_CACHE={account / 'file/x'}: Not a directory: compiled programs are kept in "
        f"{account / 'home/.cache/jaxteach'}"
    ]


PROGRAM = """
import warnings
warnings.simplefilter("error")
from jaxteach.utils.jax_setup import start_jax
start_jax()
import jax, jax.numpy as jnp
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
print(float(jax.jit(lambda x: jnp.sin(x) + 1)(0.0)))
"""


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"x" * 99]
)
def test_damaged_entries_are_replaced_in_silence(tmp_path, damage):
    def start():
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"JAXTEACH_CACHE": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "1.0\n", "")
        return {path: path.read_bytes() for path in tmp_path.glob("*-cache")}

    whole = start()
    assert whole
    for path, data in whole.items():
        path.write_bytes(damage(data))
    mended = start()
    assert mended.keys() == whole.keys()
    for path, data in mended.items():
        assert len(data) > len(whole[path]) // 2 and data != damage(whole[path])
    assert start() == mended  # they are read again, and stay
