"""Tests of making folders that nobody else has."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest

from jaxteach import run
from jaxteach.config import Config
from jaxteach.utils.errors import UserError
from jaxteach.utils.files import new_folder


def test_everyone_gets_a_folder(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: new_folder(tmp_path / "runs/a"), range(8)))
    assert sorted(folder.name for folder in folders) == ["a", *(f"a-{number}" for number in range(2, 9))]
    assert all(folder.is_dir() for folder in folders)


def test_two_runs_in_one_second(tmp_path, monkeypatch):
    class Clock(datetime.datetime):
        @classmethod
        def now(cls):
            return cls(2026, 1, 2, 3, 4, 5)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datetime, "datetime", Clock)
    names = [new_folder(run.default_folder(Config())).name for _ in range(2)]
    assert names == ["simple_door_key-chatglm-linear_plateau-20260102-030405" + end for end in ("", "-2")]


def test_a_file_in_the_way_is_told(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*choose another --out"):
        new_folder(tmp_path / "runs/a")
