"""What a report plays: the audit of every run's teacher, and episodes to step through."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from jaxteach.rendering import play_episode
from jaxteach.reporting.audit import as_csv
from jaxteach.reporting.page import MAX_BYTES
from jaxteach.reporting.playback import Album, episode_as_json
from jaxteach.reporting.runs import Reported
from jaxteach.reporting.students import Students, Unplayable, load_students
from jaxteach.reporting.teaching import audit_note, audit_teacher
from jaxteach.student.deployed import load_policy
from jaxteach.teacher.wrong import as_heard
from jaxteach.utils.errors import UserError

ROOM = MAX_BYTES - 700_000
"""Bytes that audits and episodes may take: curves, settings and scripts need the rest."""


def play_runs(
    reported: Sequence[Reported],
    episodes: int,
    shown: int,
    notes: dict[str, list[str]],
    tell: Callable[[str], None],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Audit teachers and play episodes; what a run does not allow is noted, and left out.

    Args:
        reported: the runs.
        episodes: of an audit; 0 for none.
        shown: episodes a run to step through.
        notes: what to say of a run, by label; added to.
        tell: told in one line what begins.

    Returns:
        What the page draws of it, as JSON values; and the audits, whole.

    Raises:
        UserError: parameters are damaged.
    """
    audits: list[dict[str, Any]] = []
    found: list[tuple[Reported, Students]] = []
    for one in reported:
        said = notes.setdefault(one.label, [])
        if (students := _students(one, said)) is None:
            continue
        found.append((one, students))
        said += students.notes
        if episodes and students.table is not None:
            tell(f"{one.label}: auditing the teacher ...")
            try:
                audits.append(audit_teacher(one.label, students, episodes))
            except UserError as error:
                said.append(f"no audit: {error}")
    # The page saves what it shows; the files beside it hold states that were not visited, too.
    visited = [{**audit, "rows": [row for row in audit["rows"] if row["visits"]]} for audit in audits]
    album, room = Album(), ROOM - len(json.dumps(visited)) - len(as_csv(visited))
    played = []
    for one, students in found:
        more = _episodes(one, students, shown, album, room, notes[one.label], tell)
        room -= sum(size for _, size in more)
        played += [episode for episode, _ in more]
    return {
        "audits": [{**audit, "note": audit_note(audit)} for audit in visited],
        "audit_csv": as_csv(visited),
        "episodes": played,
        "pictures": album.uris,
    }, audits


def _students(one: Reported, notes: list[str]) -> Students | None:
    """The students of a run; None, with a note, if it kept none or they cannot be played here."""
    if not any((one.run.path / "params").glob("*.npz")):
        notes.append("no audit and no episodes: the run has kept no parameters yet, or was told to keep none")
        return None
    try:
        return load_students(one)
    except Unplayable as error:
        notes.append(f"no audit and no episodes: {error}")
        return None


def _episodes(
    one: Reported,
    students: Students,
    shown: int,
    album: Album,
    room: int,
    notes: list[str],
    tell: Callable[[str], None],
) -> list[tuple[dict[str, Any], int]]:
    """Episodes of a run as far as there is room, with the bytes each takes."""
    played: list[tuple[dict[str, Any], int]] = []
    for number in range(shown):
        tell(f"{one.label}: playing episode {number} ...")
        before = len(album.uris)
        try:
            episode = _episode(one, students, number, album)
        except UserError as error:
            notes.append(f"no episodes: {error}")
            break
        size = len(json.dumps(episode)) + sum(map(len, album.uris[before:]))
        if size > room:
            album.cut(before)
            notes.append(f"{shown - number} of {shown} episodes left out: the page would be too large")
            break
        room -= size
        played.append((episode, size))
    return played


def _episode(one: Reported, students: Students, number: int, album: Album) -> dict[str, Any]:
    """An episode of the run's first student, for the player."""
    seed, config, table = min(students.params), one.config, students.table
    policy = load_policy(one.run.path, seed)
    options, mode = students.task.language.options, config.distill.teacher
    heard = None if table is None else as_heard(table, options, config.corrupt, mode)
    episode = play_episode(students.task, policy, heard, number, seed, greedy=False)
    return episode_as_json(one.label, seed, number, episode, album)
