"""`python -m jaxteach.merge`: join the finished shards of a run to what one process would have left."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from jaxteach.cli import parse
from jaxteach.cli.flags import check_numerics, flags
from jaxteach.cli.results import report, say
from jaxteach.config import from_json
from jaxteach.runs.folders import in_words, make_folder, read_config
from jaxteach.runs.shards import Shard, shards_in
from jaxteach.utils.errors import UserError, cli
from jaxteach.utils.files import write_atomic
from jaxteach.utils.json_file import read_object, typed
from jaxteach.utils.lock import FolderLock
from jaxteach.utils.numerics import differences

if TYPE_CHECKING:
    from jaxteach.training import Chunk

NOT_OF_THE_RUN = ("versions", "device", "out", "fingerprint", "schema_version", "numerics")
"""Entries of config.json in which shards may differ, or which only follow from others."""


@dataclass(frozen=True)
class Options:
    """Join the finished shards of a run in its folder; say which are missing. May be repeated."""

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Folder of the run: --out of its shards."""


def main() -> None:
    """Join and report."""
    out = parse(Options, "merge").out
    shards = shards_in(out)
    with FolderLock(out, notice=say):
        summary = merge(out, shards)
    report(summary)


def merge(out: Path, shards: list[Shard]) -> dict[str, Any]:
    """Join shards, if all have ended.

    Everything is written anew, summary.json last, so that a merge that was interrupted is done again.

    Args:
        out: the run's folder, locked.
        shards: those begun.

    Returns:
        The contents of summary.json.

    Raises:
        UserError: naming shards that are missing, or that belong to another run.
    """
    from jaxteach.teacher.loading import load_teacher

    then = check_same(out, shards)
    config = from_json(then)
    assert config.seeds_per_chunk is not None
    check_complete(out, shards)
    table = load_teacher(config.teacher, config.task)
    if then["teacher_table"] != (table and {"name": table.name, "sha256": table.sha256}):
        sha256 = (then["teacher_table"] or {}).get("sha256")
        raise UserError(
            f"the teacher table {config.teacher} has changed since the shards of {out} were trained: bring "
            f"back the file with sha256 {sha256}"
        )
    check_room(out, shards)
    from jaxteach.utils.jax_setup import start_jax

    # Only now, for all of the above is refused without it.
    start_jax()
    from jaxteach.config.sweep import grid
    from jaxteach.runs import RunFolder, write_metrics, write_summary
    from jaxteach.teacher.corruption import make_teacher
    from jaxteach.training.compilation import shipped_for
    from jaxteach.training.evaluation import teacher_success
    from jaxteach.training.state import make_plan
    from jaxteach.training.train import Training, split

    plan, points, folder = make_plan(config, table is not None), grid(config), RunFolder(out)
    mode = config.distill.teacher
    teacher = make_teacher(table, plan.task, config.corrupt, mode=mode) if table is not None else None
    (out / "summary.json").unlink(missing_ok=True)
    write_atomic(out / "config.json", (shards[0].folder(out) / "config.json").read_bytes())
    chunks = split(config, config.seeds_per_chunk)
    finished = [
        take_chunk(folder, shard, chunk, chunks[chunk], then)
        for shard in shards
        for chunk in shard.chunks(len(chunks))
    ]
    lines = [shard.folder(out) / "metrics.jsonl" for shard in shards]
    write_atomic(out / "metrics.jsonl", b"".join(path.read_bytes() for path in lines))
    training = Training(tuple(finished), sum(len(trials) for trials in chunks))
    walls = [wall_of(shard.folder(out) / "summary.json") for shard in shards]
    wall = {name: sum(each[name] for each in walls) for name in ("compile", "total")}
    write_metrics(plan, points, folder, training, table)
    alone = shipped_for(table, points)
    if teacher is not None and alone is None:
        alone = teacher_success(plan.task, teacher)
    return write_summary(plan, points, folder, training, table, alone, wall)


def wall_of(file: Path) -> dict[str, float]:
    """What a shard's summary.json says its process took, in seconds.

    Raises:
        UserError: if the file is damaged.
    """
    wall = typed(dict[str, float], read_object(file).get("wall_seconds"), f"{file}: wall_seconds")
    if not {"compile", "total"} <= wall.keys():
        raise UserError(f"{file}: wall_seconds lacks compile or total: it was not written by a shard")
    return wall


def check_same(out: Path, shards: list[Shard]) -> dict[str, Any]:
    """The config.json that all shards share, and the run's folder if it has one already.

    Raises:
        UserError: naming the first flags that differ.
    """
    paths = [shard.folder(out) for shard in shards]
    paths += [out] if (out / "config.json").exists() else []
    first, *others = [read_config(path) or {} for path in paths]
    for path, other in zip(paths[1:], others, strict=True):
        if other.get("fingerprint") != first.get("fingerprint"):
            before, now = (flags(of_the_run(values)) for values in (first, other))
            differ = [name for name in before if now.get(name) != before[name]]
            differ += differences(other.get("numerics", {}), first.get("numerics", {}))
            raise UserError(
                f"{path} and {paths[0]} are of different runs ({', '.join(differ[:3])}): merge shards of one "
                "configuration, each run in its own --out"
            )
    for path, other in zip(paths[1:], others, strict=True):
        for name in ("device", "versions"):
            if other.get(name) != first.get(name):
                say(f"{path} was trained with other {name} than {paths[0]}: last bits may differ")
    check_numerics(first, f"{out} cannot be merged")
    return first


def of_the_run(values: dict[str, Any]) -> dict[str, Any]:
    """A config.json without what shards may differ in."""
    return {name: value for name, value in values.items() if name not in NOT_OF_THE_RUN}


def check_complete(out: Path, shards: list[Shard]) -> None:
    """Refuse if a shard has not been begun, or has not ended.

    Raises:
        UserError: naming them, and how to continue.
    """
    count = shards[0].count
    missing = [
        f"{shard} ({'has not ended' if shard in shards else 'has not begun'})"
        for shard in (Shard(index, count) for index in range(count))
        if not (shard.folder(out) / "summary.json").exists()
    ]
    if missing:
        more = f", and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise UserError(
            f"{out}: {len(missing)} of {count} shards are missing: {', '.join(missing[:5])}{more}; launch "
            f"again, or: python -m jaxteach.run --resume --out {out} --shard {missing[0].split()[0]}"
        )


def check_room(out: Path, shards: list[Shard]) -> None:
    """Refuse to join what would not fit on disk beside the shards.

    Args:
        out: the run's folder; what is in it already is replaced.
        shards: those to be joined.

    Raises:
        UserError: saying how much is needed and free.
    """
    parts = [path for shard in shards for path in arrays_in(shard.folder(out))]
    joined = [path for path in arrays_in(out) if "shards" not in path.relative_to(out).parts]
    need = sum(path.stat().st_size for path in parts) - sum(path.stat().st_size for path in joined)
    free = shutil.disk_usage(out).free
    if need > free:
        raise UserError(
            f"{out}: joining its shards needs up to {in_words(need)} of disk, and {in_words(free)} are free: "
            "make room; the shards stay as they are"
        )


def arrays_in(folder: Path) -> list[Path]:
    """All files of arrays below a folder."""
    return list(folder.rglob("*.npz"))


def take_chunk(folder: Any, shard: Shard, chunk: int, trials: Any, then: dict[str, Any]) -> "Chunk":
    """A finished chunk of a shard; its parameters are copied into the run's folder.

    Args:
        folder: the run's, a `RunFolder`.
        shard: whose it is.
        chunk: its number.
        trials: its trials.
        then: the shards' config.json.

    Raises:
        UserError: if a file is damaged.
    """
    from jaxteach.config.sweep import grid
    from jaxteach.runs.chunk_files import read_chunk
    from jaxteach.runs.run_folder import RunFolder
    from jaxteach.training.trials import points_of

    points, keep = grid(from_json(then)), then["keep_params"] == "all"
    own = RunFolder(shard.folder(folder.path))
    damage: list[str] = []
    found = read_chunk(own, points, chunk, trials, then["fingerprint"], keep, damage.append)
    if found is None:
        why = damage[0].partition(": chunk ")[0] if damage else f"{own.path} has no chunk {chunk}"
        raise UserError(
            f"{why}: remove {own.path / 'summary.json'} and continue with python -m jaxteach.run --resume "
            f"--out {folder.path} --shard {shard}"
        )
    for point in sorted(set(points_of(trials).tolist())) if keep else ():
        name = f"params/{chunk:05d}.npz"
        target = folder.at(points[point]).path / name
        make_folder(target.parent)
        write_atomic(target, (own.at(points[point]).path / name).read_bytes())
    return found


if __name__ == "__main__":
    cli(main)
