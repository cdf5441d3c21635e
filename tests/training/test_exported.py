"""Tests of traced programs kept in files: when they are used, refused, made anew; nothing differs."""

import dataclasses
import json
import os
import stat

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from jaxteach.config import resolve
from jaxteach.student.registry import DISTILLATIONS
from jaxteach.tasks.protocol import Outcome
from jaxteach.training import compile_program, exported, train
from jaxteach.training.compilation import compiled, init_part, outline_program, ships
from jaxteach.training.exported import SUFFIX, Part, Store, surroundings
from tests.training.conftest import LONG, STORE

FACTS = {**surroundings(), "configuration": "small"}
X = {"a": np.arange(9, dtype=np.float32).reshape(3, 3) + np.eye(3, dtype=np.float32)}
SHAPES = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), X)
PART = Part("small", lambda x: list(jnp.linalg.qr(x["a"])), tuple, (SHAPES,))


class Foreign(struct.PyTreeNode):
    """Of another package."""

    x: jax.Array
    y: int


class WithStatic(struct.PyTreeNode):
    """As if it were ours, with a field that is no array."""

    __module__ = "jaxteach.tests"

    x: jax.Array
    y: int = struct.field(pytree_node=False)


@pytest.fixture
def said():
    return []


@pytest.fixture
def store(tmp_path, said):
    return Store(tmp_path / "programs", said.append)


@pytest.fixture
def path(store):
    store.save(FACTS, {"small": PART.exported(), "same": PART.exported()})
    (path,) = store.folder.iterdir()
    return path


def check(found):
    """They compute what `PART` says."""
    assert list(found) == ["small", "same"]
    for program in found.values():
        q, r = PART.lowered(program).compile()(X)
        np.testing.assert_allclose(q @ r, X["a"], atol=1e-5)


def test_what_was_traced_once_is_read_after_that(store, path, said):
    check(store.load(FACTS))
    assert said == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", sorted(FACTS))
def test_another_of_any_fact_is_another_file(store, path, said, name):
    assert store.load({**FACTS, name: "another"}) == {} and said == []


def foreign(name):
    """The file, as if it had been traced for another of a fact and got this one's name."""

    def change(data):
        first, _, rest = data.partition(b"\n")
        header = json.loads(first)
        header["facts"][name] = "another"
        return json.dumps(header).encode() + b"\n" + rest

    return change


DAMAGES = {
    "truncated": (lambda data: data[:-100], "it is damaged"),
    "a byte of the code": (lambda data: data[:-50] + bytes([data[-50] ^ 1]) + data[-49:], "it is damaged"),
    "empty": (lambda data: b"", "Expecting value"),
    "no header": (lambda data: b"[]\n" + data, "list indices"),
    "foreign version": (foreign("versions"), "it is of another versions"),
    "foreign devices": (foreign("devices"), "it is of another devices"),
    "foreign code": (foreign("code"), "it is of another code"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_cannot_be_used_is_told_in_a_line_and_made_anew(store, path, said, damage):
    change, why = DAMAGES[damage]
    path.write_bytes(change(path.read_bytes()))
    assert store.load(FACTS) == {}
    (line,) = said
    assert line.startswith(f"{path} cannot be used (") and why in line and "\n" not in line
    store.save(FACTS, {"small": PART.exported(), "same": PART.exported()})
    check(store.load(FACTS))
    assert len(said) == 1


@pytest.mark.parametrize("of", ["file", "folder"])
def test_what_others_may_write_is_never_read(store, path, said, of):
    (path if of == "file" else store.folder).chmod(0o777)
    assert store.load(FACTS) == {} and "may be written by others" in said[0]
    if of == "folder":  # nor is anything written there
        store.save(FACTS, {"small": PART.exported()})
        assert "are not kept for the next run" in said[1]


def test_a_link_is_never_followed(store, path, said, tmp_path):
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert store.load(FACTS) == {} and "may be written by others" in said[0]


def test_a_folder_that_cannot_be_written_costs_a_line_and_nothing_else(tmp_path, said):
    (tmp_path / "programs").write_text("a file")
    store = Store(tmp_path / "programs", said.append)
    assert store.load(FACTS) == {}
    store.save(FACTS, {"small": PART.exported()})
    (line,) = said
    assert line.startswith("traced programs are not kept for the next run: ")


def test_those_not_used_for_longest_make_room(store, path, monkeypatch):
    monkeypatch.setattr(exported, "MOST", 2)
    others = [{**FACTS, "configuration": name} for name in ("second", "third")]
    store.save(others[0], {"small": PART.exported()})
    for place in store.folder.iterdir():
        os.utime(place, (1, 1 if place == path else 2))  # a file system's clock may not tell two saves apart
    check(store.load(FACTS))  # used again
    store.save(others[1], {"small": PART.exported()})
    assert store.load(FACTS) and store.load(others[1]) and not store.load(others[0])
    assert len(list(store.folder.glob(f"*{SUFFIX}"))) == 2


def test_a_run_is_the_same_to_the_bit(table, monkeypatch, long_program):
    without = compile_program(resolve(LONG), table)
    plain = train(LONG, table, [0, 1], program=without)
    monkeypatch.setattr(Part, "exported", lambda part: pytest.fail("this had to be read, not traced"))
    rates = []
    for program in (long_program, compile_program(resolve(LONG), table, store=STORE)):
        kept = train(LONG, table, [0, 1], program=program)
        jax.tree.map(np.testing.assert_array_equal, kept.params, plain.params)
        for name, values in plain.metrics.items():
            np.testing.assert_array_equal(kept.metrics[name], values, err_msg=name)
        rates.append(program.teacher_alone)
    assert rates[0] == rates[1] == without.teacher_alone


def test_classes_of_ours_come_back_by_name(store, said):
    part = Part("outcome", lambda x: Outcome(x, x, x, x), lambda whole: whole, (jnp.zeros(2),))
    store.save(FACTS, {"outcome": part.exported()})
    tree = store.load(FACTS)["outcome"].out_tree
    assert tree == jax.tree.structure(Outcome(0, 0, 0, 0)) and said == []


@pytest.mark.parametrize("kind", [WithStatic, Foreign])
def test_other_classes_are_not_kept(store, said, kind):
    part = Part("other", lambda x: kind(x, 3), lambda whole: whole, (jnp.zeros(2),))
    store.save(FACTS, {"other": part.exported()})
    assert "are not kept for the next run" in said[0] and store.load(FACTS) == {}


def test_fewer_passes_change_no_bit_of_the_first_state():
    outline = outline_program(resolve(dataclasses.replace(LONG, seeds=2)), None)
    part, ids = init_part(outline), outline.seeds_on_devices(np.arange(2))
    assert part.options
    lowered = part.lowered()
    jax.tree.map(np.testing.assert_array_equal, compiled(lowered, part.options)(ids), compiled(lowered)(ids))


def test_only_what_ships_is_kept(monkeypatch):
    assert ships(LONG) and ships(dataclasses.replace(LONG, task="MiniGrid-DoorKey-8x8-v0"))
    assert not ships(dataclasses.replace(LONG, task="Navix-DoorKey-8x8-v0"))  # navix's code is not ours
    monkeypatch.setitem(DISTILLATIONS._registered, "mine", lambda teacher, log_probs: 0.0)
    assert not ships(dataclasses.replace(LONG, distill=dataclasses.replace(LONG.distill, name="mine")))
