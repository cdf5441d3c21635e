"""Tests of the doctor: what is in order is said to be, what is not is named, and the status tells."""

import shutil
import sys

import pytest

from jaxteach import doctor
from jaxteach.teacher import loading
from jaxteach.utils import compile_cache as cache
from jaxteach.utils import errors, machine
from jaxteach.utils import jax_setup as backend


@pytest.fixture
def examined(monkeypatch, capsys):
    """Runs the doctor in this process: exit status and lines."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["doctor", *arguments])
        monkeypatch.setattr(backend, "start_jax", lambda *arguments: None)
        with pytest.raises(SystemExit) as stop:
            errors.cli(doctor.main)
        return stop.value.code, capsys.readouterr().out.splitlines()

    return run


@pytest.mark.unoptimised
def test_all_is_well(examined):
    code, lines = examined()
    assert [line for line in lines if line.startswith("WRONG")] == []
    assert code == 0 and lines[-1] == "all is well"
    said = "\n".join(lines)
    for word in (
        "jax 0.",
        "devices: ",
        "compiled programs: ",
        "disk: ",
        "memory: ",
        "teacher tables for two_door",
    ):
        assert word in said
    assert "the same bits" in lines[-2]


def test_a_broken_table_is_named(examined, tmp_path, monkeypatch):
    folder = shutil.copytree(loading.cache_folder(), tmp_path / "teacher_cache")
    broken = folder / "lava_door_key" / "chatglm.json"
    broken.write_text(broken.read_text().replace("pick up", "eat", 1))
    shutil.rmtree(folder / "two_door")
    (folder / "tea_making").mkdir()
    monkeypatch.setattr(loading, "cache_folder", lambda: folder)
    code, lines = examined("--no-self-test")
    wrong = [line for line in lines if line.startswith("WRONG")]
    assert code == 1 and lines[-1] == "1 of 6 checks failed"
    assert str(broken) in wrong[0] and "eat" in wrong[0]
    assert wrong[1] == "WRONG  teacher tables for two_door: none"
    assert wrong[2] == f"WRONG  {folder} holds tables for unknown tasks: tea_making"


def test_folders_and_room(examined, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXTEACH_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(doctor, "LEAST_MEMORY", 2**60)
    code, lines = examined("--no-self-test")
    assert code == 1 and lines[-1] == "2 of 6 checks failed"
    assert any(line.startswith("WRONG  JAXTEACH_CACHE=") and "Not a directory" in line for line in lines)
    assert any(line.startswith("WRONG  memory: ") for line in lines)
    monkeypatch.setenv("JAXTEACH_CACHE", "off")
    monkeypatch.setattr(doctor, "LEAST_MEMORY", 0)
    assert examined("--no-self-test")[0] == 0


def test_the_limit_of_a_container_counts(examined, monkeypatch):
    monkeypatch.setattr(machine, "machine_room", lambda root: [2**40])
    monkeypatch.setattr(machine, "group_rooms", lambda root: [2**29])
    code, lines = examined("--no-self-test")
    assert code == 1 and "WRONG  memory: 0.5 GB available" in lines


def test_no_folder_for_compiled_programs(examined, monkeypatch):
    monkeypatch.delenv("JAXTEACH_CACHE")
    monkeypatch.setattr(cache, "usual_folders", list)
    code, lines = examined("--no-self-test")
    assert code == 1
    assert "WRONG  compiled programs: not kept (no folder can be written: set JAXTEACH_CACHE)" in lines
