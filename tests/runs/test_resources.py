"""Tests of what a run needs: memory and disk, refused in one line with what would fit."""

import dataclasses
import functools
from types import SimpleNamespace

import jax
import pytest

from jaxteach.config import resolve
from jaxteach.runs import resources
from jaxteach.runs import resumable as session
from jaxteach.training import Program
from jaxteach.training.loop import init_chunk
from jaxteach.utils.errors import UserError
from tests.runs.sessions import Session
from tests.training.conftest import LONG, STEPS


def test_memory_is_measured(program):
    need = resources.memory_of(program)
    state = jax.eval_shape(functools.partial(init_chunk, program.plan), jax.numpy.zeros(8, jax.numpy.uint32))
    assert need > resources.bytes_of(state)
    assert need < 2**30 < resources.free_memory()
    resources.check_memory(program)


@pytest.mark.parametrize(
    ("share", "advice"), [(0.6, "--seeds-per-chunk 4 would fit"), (0.2, "--seeds-per-chunk 1 would fit")]
)
def test_a_chunk_that_has_no_room(program, monkeypatch, share, advice):
    monkeypatch.setattr(resources, "free_memory", lambda: int(share * resources.memory_of(program)))
    with pytest.raises(UserError, match=f"^a chunk of 8 seeds needs about .* are free: {advice}$"):
        resources.check_memory(program)
    with pytest.raises(UserError, match=f"{advice}, in another --out: a run that has begun keeps its width$"):
        resources.check_memory(program, begun=True)


def test_where_nobody_tells_how_much_is_free(program, monkeypatch):
    monkeypatch.setattr(resources, "free_memory", lambda: None)
    resources.check_memory(program)


def test_not_even_one_seed(program, monkeypatch):
    monkeypatch.setattr(resources, "free_memory", lambda: 1000)
    with pytest.raises(UserError, match="not even one seed fits; choose fewer --rollout"):
        resources.check_memory(program)


def test_out_of_memory_is_told_and_finished_chunks_stay(tmp_path, long_program):
    def exhaust(progress):
        if progress.chunk == 1:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.")

    with pytest.raises(UserError, match=r"^out of memory with 2 seeds together; .*--seeds-per-chunk 1 would"):
        Session(tmp_path, long_program).run(on_segment=exhaust)
    assert (tmp_path / "metrics" / "00000.npz").exists()
    assert (tmp_path / "params" / "00000.npz").exists()


class Exhausted(Program):
    """A program that finds no memory to begin a chunk with."""

    def seeds_on_devices(self, trials):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.")


def test_out_of_memory_outside_of_training_is_told(tmp_path, long_program, monkeypatch):
    fields = {field.name: getattr(long_program, field.name) for field in dataclasses.fields(long_program)}
    told = r"^out of memory with 2 seeds together; .*--seeds-per-chunk 1 would fit, in another --out"
    with pytest.raises(UserError, match=told):  # as it begins
        Session(tmp_path / "begin", Exhausted(**fields)).run()

    def evaluate(program, trials, params):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.")

    monkeypatch.setattr(session, "evaluate", evaluate)
    with pytest.raises(UserError, match=told):
        Session(tmp_path / "evaluate", long_program).run()
    with pytest.raises(UserError, match=r"^out of memory while compiling: "), resources.told_of_memory():
        raise MemoryError


def test_other_errors_are_not_taken_for_it(program):
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"), resources.told_of_memory(program):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")


def test_the_width_follows_from_memory_alone(monkeypatch, table):
    config = resolve(dataclasses.replace(STEPS, seeds=1))
    asked = []

    def compiled(config, table, evaluated):
        assert evaluated  # it needs memory too
        asked.append(config.seeds_per_chunk)
        return config

    monkeypatch.setattr(resources, "compile_program", compiled)
    monkeypatch.setattr(resources, "memory_of", lambda program: 8 * 10**6)
    monkeypatch.setattr(resources, "device_memory", lambda: 10**8)
    assert resources.choose_width(config, table) == 32  # of a megabyte each, in 60 MB
    assert asked == [resources.PROBE]
    monkeypatch.setattr(resources, "device_memory", lambda: 10**12)
    assert resources.choose_width(config, table) == resources.WIDEST
    monkeypatch.setattr(resources, "device_memory", lambda: None)
    assert resources.choose_width(config, table) == resources.PROBE


def test_disk_is_counted_and_checked(tmp_path, long_program, monkeypatch):
    Session(tmp_path / "run", long_program, every=0).run()
    on_disk = sum(file.stat().st_size for file in (tmp_path / "run").rglob("*.npz"))
    assert on_disk < resources.disk_of(long_program, LONG.seeds, keep_params=True) < 40 * on_disk
    all_of_it, none = (resources.disk_of(long_program, 10**6, keep) for keep in (True, False))
    assert all_of_it > none > 10**6 * 32 * 8  # 32 updates, at least one number each
    assert resources.check_disk(long_program, tmp_path, 3, True).startswith("up to ")
    with pytest.raises(
        UserError, match=r"of disk needed, .* free: choose another --out, fewer --seeds, or --"
    ):
        resources.check_disk(long_program, tmp_path, 10**12, True)


def test_what_is_finished_needs_no_more_disk(tmp_path, long_program, monkeypatch):
    """A run that continues where only what it has left to write has room."""
    assert resources.count_trials(long_program, tmp_path) == (3, 0)
    Session(tmp_path, long_program).run(segments=5)  # the first chunk, of two trials, has four
    assert resources.count_trials(long_program, tmp_path) == (3, 2)
    assert resources.count_trials(long_program, tmp_path, only=range(1, 2)) == (1, 0)
    need = resources.disk_of(long_program, 3, True, n_finished=2)
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda folder: SimpleNamespace(free=need))
    with pytest.raises(UserError, match="of disk needed"):
        resources.check_disk(long_program, tmp_path, 3, True)
    resources.check_disk(long_program, tmp_path, 3, True, n_finished=2)
