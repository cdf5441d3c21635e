"""The audit of a teacher: for each abstract state what it says, how far its students depart, who is right."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from jaxteach.analysis import bootstrap_interval
from jaxteach.reporting.measure import FloatArray, IntArray, Steps
from jaxteach.tasks.protocol import Teachable
from jaxteach.teacher.table import PlanTable

PAIRS = 96
"""Episodes in which each abstract state is played in all three ways, over all students."""
FEWEST = 8
"""Pairs below which nothing is said of who is right."""
RESAMPLES = 1000

ARMS = ("follow", "own", "depart")
"""What a student does in a state: as the teacher says, as it has learnt, or anything but the former."""

Verdict = Literal["wrong", "right", "open", "unmeasured"]
"""Of what the teacher says in a state: students lose by following, they lose by anything else, neither, not
played often enough."""


@dataclass(frozen=True)
class Visits:
    """What happened in one abstract state while a student acted by itself.

    Attributes:
        visits: environment steps taken there.
        episodes: int[episode], numbers of the episodes that passed through it.
        succeeded: bool[episode], which of them succeeded.
        reward: f32[episode], their returns.
        teacher: f64[action], q(a|s) summed over the visits.
        student: f64[action], the student's probabilities summed over the visits.
        kl: KL(q || student) summed over the visits, in nats.
        departures: int[action, action], visits at which the two prefer different actions, by the teacher's
            and the student's; zero where they agree.
    """

    visits: int
    episodes: IntArray
    succeeded: npt.NDArray[np.bool_]
    reward: FloatArray
    teacher: npt.NDArray[np.float64]
    student: npt.NDArray[np.float64]
    kl: float
    departures: IntArray


@dataclass(frozen=True)
class Pairs:
    """Plays of the same episodes in which a student acted in three ways in one abstract state, `ARMS`.

    Attributes:
        success: bool[3, episode].
        reward: f32[3, episode], returns.
    """

    success: npt.NDArray[np.bool_]
    reward: FloatArray


def visited(steps: Steps, numbers: IntArray) -> dict[int, Visits]:
    """Sort the steps of a student by abstract state; those in states that are not listed are under -1.

    Args:
        steps: its episodes.
        numbers: int[episode], their numbers.
    """
    found = {}
    for state in np.unique(steps.state[steps.live]):
        here = steps.live & (steps.state == state)
        through = here.any(axis=0)
        q = steps.teacher[here].astype(np.float64)
        log_pi = steps.student[here].astype(np.float64)
        # 0 log 0 = 0
        gain = q * (np.log(np.where(q > 0, q, 1.0)) - log_pi)
        preferred = q.argmax(axis=1), log_pi.argmax(axis=1)
        departures = np.zeros((q.shape[1],) * 2, np.int64)
        np.add.at(departures, preferred, 1)
        np.fill_diagonal(departures, 0)
        found[int(state)] = Visits(
            visits=int(here.sum()),
            episodes=numbers[through],
            succeeded=steps.success[through],
            reward=steps.reward[through],
            teacher=q.sum(axis=0),
            student=np.exp(log_pi).sum(axis=0),
            kl=float(gain.sum()),
            departures=departures,
        )
    return found


def pooled(visits: Sequence[Visits]) -> Visits:
    """What happened in one abstract state over several students."""
    return Visits(
        visits=sum(one.visits for one in visits),
        episodes=np.concatenate([one.episodes for one in visits]),
        succeeded=np.concatenate([one.succeeded for one in visits]),
        reward=np.concatenate([one.reward for one in visits]),
        teacher=np.sum([one.teacher for one in visits], axis=0),
        student=np.sum([one.student for one in visits], axis=0),
        kl=sum(one.kl for one in visits),
        departures=np.sum([one.departures for one in visits], axis=0),
    )


def audit_row(
    task: Teachable,
    table: PlanTable,
    index: int,
    corrupted: bool,
    found: Visits | None,
    pairs: Pairs | None,
) -> dict[str, Any]:
    """One row of the audit, as JSON values.

    Args:
        task: the task.
        table: the teacher, errors included.
        index: row of the table.
        corrupted: whether the run put an error into it.
        found: what happened there; None if no student was there.
        pairs: following against departing; None if that was not played.
    """
    row: dict[str, Any] = {
        "state": table.states[index].text,
        "plans": plans_in_words(table, index),
        "corrupted": corrupted,
        "visits": 0 if found is None else found.visits,
        "episodes": 0 if found is None else len(found.episodes),
        **dict.fromkeys(("success", "kl", "departs", "departs_from", "departs_to")),
        **dict.fromkeys(("teacher_action", "teacher_share", "student_action", "student_share")),
    }
    if found is not None:
        row["success"] = float(found.succeeded.mean())
        row["kl"] = found.kl / found.visits
        row["departs"] = float(found.departures.sum() / found.visits)
        if row["departs"]:
            most = np.unravel_index(found.departures.argmax(), found.departures.shape)
            row["departs_from"], row["departs_to"] = (task.action_names[a] for a in most)
        for who, sums in (("teacher", found.teacher), ("student", found.student)):
            best = int(sums.argmax())
            row[f"{who}_action"] = task.action_names[best]
            row[f"{who}_share"] = float(sums[best] / found.visits)
    return {**row, **advantage_of(pairs)}


def advantage_of(pairs: Pairs | None) -> dict[str, Any]:
    """The measured advantage of following, over the student's own way and over anything else.

    Both are mean differences of returns with 95 % bootstrap intervals. The first shows what a student has
    corrected; the second also what it has not, for there its own way is to follow.
    """
    names = (*ARMS, "over_own", "over_departing")
    n = 0 if pairs is None else pairs.reward.shape[1]
    if pairs is None or n == 0:
        return {"pairs": 0, **dict.fromkeys(names), "verdict": "unmeasured"}
    arms = {
        arm: {"success": float(success.mean()), "return": float(reward.astype(np.float64).mean())}
        for arm, success, reward in zip(ARMS, pairs.success, pairs.reward, strict=True)
    }
    follow, own, depart = pairs.reward.astype(np.float64)
    over_own, over_departing = _gain(follow - own), _gain(follow - depart)
    verdict: Verdict = "unmeasured"
    if n >= FEWEST:
        loses = min(over_own["high"], over_departing["high"]) < 0
        verdict = "wrong" if loses else "right" if over_departing["low"] > 0 else "open"
    return {"pairs": n, **arms, "over_own": over_own, "over_departing": over_departing, "verdict": verdict}


def _gain(differences: npt.NDArray[np.float64]) -> dict[str, float]:
    low, high = bootstrap_interval(differences, "mean", resamples=RESAMPLES)
    return {"mean": float(differences.mean()), "low": low, "high": high}


def ranked(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order of what following loses: the most harmful first, those not measured last."""
    order = {"wrong": 0, "open": 1, "right": 2, "unmeasured": 3}

    def key(row: dict[str, Any]) -> tuple[int, float, int]:
        means = [row[name]["mean"] for name in ("over_own", "over_departing") if row[name]]
        return order[row["verdict"]], min(means, default=0.0), -row["visits"]

    return sorted(rows, key=key)


def plans_in_words(table: PlanTable, index: int) -> list[dict[str, Any]]:
    """The plans of a state, the likeliest first, those that read alike put together."""
    shares: dict[str, float] = {}
    for plan in table.plans[index]:
        words = ", ".join(option.text for option in plan.options)
        shares[words] = shares.get(words, 0.0) + plan.probability
    pairs = sorted(shares.items(), key=lambda item: -item[1])
    return [{"text": text, "probability": share} for text, share in pairs]


COLUMNS = (
    "run",
    "state",
    "plans",
    "corrupted",
    "visits",
    "episodes",
    "success",
    "teacher_action",
    "teacher_share",
    "student_action",
    "student_share",
    "kl",
    "departs",
    "departs_from",
    "departs_to",
    "pairs",
    *(f"{arm}_{name}" for arm in ARMS for name in ("success", "return")),
    *(f"{gain}_{name}" for gain in ("over_own", "over_departing") for name in ("mean", "low", "high")),
    "verdict",
)


def as_csv(audits: Sequence[dict[str, Any]]) -> str:
    """Audits as CSV, a line an abstract state; what was not measured is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for audit in audits:
        for row in audit["rows"]:
            flat = {
                **row,
                "run": audit["label"],
                "plans": " | ".join(f"{plan['probability']:.3f} {plan['text']}" for plan in row["plans"]),
            }
            for group in (*ARMS, "over_own", "over_departing"):
                flat.update({f"{group}_{name}": value for name, value in (row[group] or {}).items()})
            writer.writerow(flat)
    return text.getvalue()
