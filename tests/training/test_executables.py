"""Tests of compiled programs kept in files: when they are used, refused and made anew."""

import dataclasses
import json
import stat

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.config import resolve
from jaxteach.student.registry import DISTILLATIONS
from jaxteach.training import compile_program, executables, train
from jaxteach.training.compilation import ships
from jaxteach.training.evaluation import chunk_player
from jaxteach.training.executables import SUFFIX, Executables, Store, surroundings
from tests.training.conftest import LONG

FACTS = {**surroundings(), "configuration": "small"}


def small():
    """Programs as a run has them, but of a line each; the first calls LAPACK, as initialisation does."""
    shape = jax.ShapeDtypeStruct((3, 3), jnp.float32)
    first = jax.jit(lambda x: jnp.linalg.qr(x["a"])).lower({"a": shape}).compile()
    return Executables(first, jax.jit(dict).lower({"a": shape}).compile(), None, None)


def never():
    raise AssertionError("this had to be read, not compiled")


@pytest.fixture(autouse=True)
def _no_hits(monkeypatch):
    """Tests before may have had JAX read its own cache."""
    monkeypatch.setattr("jaxteach.training.executables._HITS", [])


@pytest.fixture
def said():
    return []


@pytest.fixture
def store(tmp_path, said):
    return Store(tmp_path / "programs", said.append)


@pytest.fixture
def path(store):
    store.get(FACTS, small)
    (path,) = store.folder.iterdir()
    return path


def check(found):
    """They compute what `small` says."""
    x = np.arange(9, dtype=np.float32).reshape(3, 3) + np.eye(3, dtype=np.float32)
    q, r = found.init({"a": x})
    np.testing.assert_allclose(q @ r, x, atol=1e-5)
    np.testing.assert_array_equal(found.segment({"a": x})["a"], x)
    assert found.kept_evaluation is None


def test_what_was_compiled_once_is_read_after_that(store, path, said):
    check(store.get(FACTS, never))
    assert said == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", sorted(FACTS))
def test_another_of_any_fact_is_another_file(store, path, said, name):
    calls = []
    store.get({**FACTS, name: "another"}, lambda: calls.append(name) or small())
    assert calls == [name] and said == [] and len(list(store.folder.glob(f"*{SUFFIX}"))) == 2


def foreign(name):
    """The file, as if it had been compiled for another of a fact and got this one's name."""

    def change(data):
        first, _, rest = data.partition(b"\n")
        header = json.loads(first)
        header["facts"][name] = "another"
        return json.dumps(header).encode() + b"\n" + rest

    return change


DAMAGES = {
    "truncated": (lambda data: data[:-100], "it is damaged"),
    "empty": (lambda data: b"", ""),
    "a byte of the code": (lambda data: data[:-50] + bytes([data[-50] ^ 1]) + data[-49:], "it is damaged"),
    "no header": (lambda data: b"[]\n" + data, ""),
    "foreign version": (foreign("versions"), "it was compiled for another versions"),
    "foreign devices": (foreign("devices"), "it was compiled for another devices"),
    "foreign code": (foreign("code"), "it was compiled for another code"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_cannot_be_used_is_told_in_a_line_and_made_anew(store, path, said, damage):
    change, why = DAMAGES[damage]
    path.write_bytes(change(path.read_bytes()))
    check(store.get(FACTS, small))
    (line,) = said
    assert line.startswith(f"{path} cannot be used (") and why in line and "\n" not in line
    check(store.get(FACTS, never))
    assert len(said) == 1


@pytest.mark.parametrize("of", ["file", "folder"])
def test_what_others_may_write_is_never_read(store, path, said, of):
    (path if of == "file" else store.folder).chmod(0o777)
    check(store.get(FACTS, small))
    assert "may be written by others" in said[0]
    if of == "folder":  # nor is anything written there
        assert "are not kept for the next run" in said[1]


def test_a_link_is_never_followed(store, path, said, tmp_path):
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    check(store.get(FACTS, small))
    assert "may be written by others" in said[0]


def test_a_folder_that_cannot_be_written_costs_a_line_and_nothing_else(tmp_path, said):
    (tmp_path / "programs").write_text("a file")
    check(Store(tmp_path / "programs", said.append).get(FACTS, small))
    (line,) = said
    assert line.startswith("compiled programs are not kept for the next run: ")


def test_what_jax_read_from_its_own_cache_is_compiled_anew_by_the_next(store, said):
    def hit():
        jax.monitoring.record_event("/jax/compilation_cache/cache_hits")
        return small()

    def without():
        assert not jax.config.values["jax_enable_compilation_cache"]
        return small()

    for _ in range(2):  # whatever this process compiles may be what JAX read before
        check(store.get(FACTS, hit))
        assert not list(store.folder.glob(f"*{SUFFIX}"))
    executables._HITS.clear()  # another process
    check(store.get(FACTS, without))
    assert jax.config.values["jax_enable_compilation_cache"]
    check(store.get(FACTS, never))
    assert said == []


def test_those_not_used_for_longest_make_room(store, path, monkeypatch):
    monkeypatch.setattr("jaxteach.training.executables.MOST", 2)
    others = [{**FACTS, "configuration": name} for name in ("second", "third")]
    store.get(others[0], small)
    store.get(FACTS, never)  # used again
    store.get(others[1], small)
    store.get(FACTS, never)
    with pytest.raises(AssertionError, match="not compiled"):
        store.get(others[0], never)


def test_a_run_is_the_same_to_the_bit(tmp_path, table, monkeypatch):
    config = resolve(dataclasses.replace(LONG, seeds=2))
    jax.clear_caches()  # nothing at hand that JAX read from its own cache
    chunk_player.cache_clear()
    store = Store(tmp_path / "programs", lambda line: pytest.fail(line))
    with executables.without_cache():
        program = compile_program(config, table, store=store)
        rate = program.teacher_success
        compiled = train(config, table, program=program)
    monkeypatch.setattr("jaxteach.training.compilation.compile_all", never)
    program = compile_program(config, table, store=store)
    read = train(config, table, program=program)
    jax.tree.map(np.testing.assert_array_equal, read.params, compiled.params)
    for name, values in compiled.metrics.items():
        np.testing.assert_array_equal(read.metrics[name], values, err_msg=name)
    assert program.teacher_success == rate > 0


def test_only_what_ships_is_kept(monkeypatch):
    assert ships(LONG) and ships(dataclasses.replace(LONG, task="MiniGrid-DoorKey-8x8-v0"))
    assert not ships(dataclasses.replace(LONG, task="Navix-DoorKey-8x8-v0"))  # navix's code is not ours
    monkeypatch.setitem(DISTILLATIONS._registered, "mine", lambda teacher, log_probs: 0.0)
    assert not ships(dataclasses.replace(LONG, distill=dataclasses.replace(LONG.distill, name="mine")))
