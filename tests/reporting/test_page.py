"""Tests of the page in a browser, on a small report with everything in it."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxteach.analysis import Curve, Level, Panel
from jaxteach.reporting import panel_as_json, render_page
from jaxteach.reporting.audit import as_csv
from jaxteach.reporting.page import ASSETS
from jaxteach.reporting.playback import Album
from tests.reporting.browser import browse, needs_chromium

LONG = "Agent sees <a_very_long_name_without_a_break_" + "x" * 80 + ">, holds <nothing>."


def panel(name: str, offset: float) -> dict[str, Any]:
    def curve(label: str, n: int, height: float) -> Curve:
        steps = np.linspace(0, 49152, n)
        centre = height * (1 - np.exp(-steps / 9000))
        return Curve(label, 4, "iqr", steps, centre, centre - 0.05, centre + 0.05)

    curves = (curve("taught", 40, 0.9 + offset), curve("alone </script><b>", 33, 0.4))
    return panel_as_json(Panel(name, curves, (Level("teacher alone", 0.97),)))


def audit_rows() -> list[dict[str, Any]]:
    def row(state: str, verdict: str, mean: float, visits: int) -> dict[str, Any]:
        played = visits > 0
        gain = {"mean": mean, "low": mean - 0.05, "high": mean + 0.05} if played else None
        arm = {"success": 0.5, "return": 0.4} if played else None
        return {
            "state": state,
            "plans": [
                {"text": "go to <key>, pick up <key>", "probability": 0.9},
                {"text": "explore", "probability": 0.1},
            ],
            "corrupted": verdict == "wrong",
            "visits": visits,
            "episodes": visits // 3,
            "success": 0.7 if played else None,
            "kl": 1.5 if played else None,
            "departs": 0.4 if played else None,
            "departs_from": "forward" if played else None,
            "departs_to": "left" if played else None,
            "teacher_action": "forward" if played else None,
            "teacher_share": 0.8 if played else None,
            "student_action": "left" if played else None,
            "student_share": 0.6 if played else None,
            "pairs": 96 if played else 0,
            **dict.fromkeys(("follow", "own", "depart"), arm),
            **dict.fromkeys(("over_own", "over_departing"), gain),
            "verdict": verdict,
        }

    return [
        row(LONG, "wrong", -0.5, 700),
        row("Agent sees <door>.", "right", 0.4, 300),
        row("Agent sees <nothing>.", "unmeasured", 0, 0),
    ]


def episode(album: Album, n: int) -> dict[str, Any]:
    pictures = [np.full((64, 96, 3), 40 * i % 256, np.uint8) for i in range(n)]
    moments = [
        {
            "panels": [["the room", album.add(p)], ["what the agent has seen", album.add(p)]],
            "held": ["blue key", album.add(p)],
            "mission": "",
            "caption": f"caption {i}",
            "plans": [["explore", 1.0]],
            "student": [0.25, 0.75],
            "teacher": [1.0, 0.0],
            "action": None if i == n - 1 else 1,
        }
        for i, p in enumerate(pictures)
    ]
    return {
        "label": "taught",
        "seed": 0,
        "number": n,
        "outcome": "success",
        "ending": "Door opened",
        "reward": 0.9,
        "max_steps": 30,
        "actions": ["left", "forward"],
        "moments": moments,
    }


def described(label: str) -> dict[str, Any]:
    statistic = {"iqm": 0.99, "low": 0.9, "high": 1.0}
    summary = {
        "label": label,
        "seeds": 4,
        "env_steps": 49152.0,
        "teacher_success": 1.0,
        "train_seconds": 3.2,
        "steps_to_95": None,
        **dict.fromkeys(("success", "return", "length"), statistic),
    }
    return {
        "label": label,
        "summary": summary,
        "notes": ["it has not ended"],
        "repeat": ["jaxteach run --config " + "very/long/" * 20 + "config.json"],
        "settings": [["--task", "simple_door_key"], ["fingerprint", "0" * 64]],
        "config": "{}\n",
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    album = Album()
    audit = {
        "label": "taught",
        "task": "simple_door_key",
        "teacher": "chatglm",
        "students": [0, 1],
        "episodes": 512,
        "visits": 1000,
        "unlisted": 0,
        "listed": 3,
        "rows": audit_rows(),
        "note": "a note",
    }
    data = {
        "panels": [panel("success rate", 0.0), panel("return", 0.05)],
        "note": "Line: median",
        "runs": [described("taught"), described("alone </script><b>")],
        "audits": [audit],
        "audit_csv": as_csv([audit]),
        "episodes": [episode(album, 4), episode(album, 6)],
        "pictures": album.uris,
    }
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_bytes(render_page("simple_door_key, <4> seeds {{data}}", "0.1.0", data))
    return path


ACTS = (Path(__file__).parent / "acts.js").read_text(encoding="utf-8")


@needs_chromium
@pytest.mark.parametrize("width", [400, 1400])
def test_everything_works_in_a_browser(page, width):
    seen = browse(page, ACTS, width)
    assert seen["faults"] == [] and seen["ready"] == "true"
    assert seen["width"] == width and seen["overflow"] <= 0 and seen["outside"] == []
    assert seen["title"] == seen["heading"] == "simple_door_key, <4> seeds {{data}}"
    # Curves: both are drawn in both charts, one switch takes its own out of both, and brings it back.
    assert seen["names"] == ["taught", "alone </script><b>"]
    assert seen["both"] == seen["on"] == [[True, True]] * 2
    assert seen["off"] == [[False, True]] * 2 and seen["pressed"] == ["false", "true"]
    for reading in seen["reading"]:  # pointing at one chart reads all
        assert re.match(r"at [\d,]+: taught 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]; alone </script><b> 0", reading)
        assert "teacher alone 0.970" in reading
    # The player.
    assert seen["start"] == ["step 0 of at most 30", "caption 0", True]
    assert seen["next"][1] == "caption 1" and seen["back"] == seen["start"] and seen["key"] == seen["next"]
    assert seen["end"] == ["step 3: Door opened, return 0.90", "caption 3", True]
    assert seen["bars"] == ["left0.251.00", "forward0.750.00"]
    assert seen["other"] == [["step 0 of at most 30", "caption 0", True], "5"]
    assert seen["played"] == [["step 5: Door opened, return 0.90", "caption 5", True], "Play"]
    # The audit: states that were visited, the wrong row on top.
    assert seen["wrong"] == [LONG]
    assert [row.removesuffix("changed by --corrupt") for row in seen["rows"]] == [LONG, "Agent sees <door>."]
    assert seen["ordered"] == seen["rows"][::-1]
    assert [href for href, there in seen["links"] if there] == [
        "#summary",
        "#curves",
        "#audit",
        "#episodes",
        "#configuration",
    ]
    assert len(seen["summary"]) == 2 and "not reached" in seen["summary"][0]


def test_the_page_loads_nothing_and_holds_its_data(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", text)
    assert "default-src 'none'" in text and text.count("</script>") == 3
    told = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert told and json.loads(told[1])["runs"][1]["label"] == "alone </script><b>"
    assert len(text.encode()) < 200_000


def test_the_library_comes_with_its_licence_and_version():
    assert "uPlot (v1.6.32)" in (ASSETS / "uPlot.iife.min.js").read_text()[:100]
    assert "MIT License" in (ASSETS / "uPlot.LICENSE.txt").read_text()
    for script in ASSETS.glob("*.js"):
        assert "</script" not in script.read_text(encoding="utf-8")


def test_an_album_keeps_each_picture_once():
    album, (one, other) = Album(), (np.full((8, 8, 3), x, np.uint8) for x in (10, 200))
    assert [album.add(p) for p in (one, other, one)] == [0, 1, 0]
    # The same bytes in another shape are another picture.
    assert album.add(one.reshape(4, 16, 3)) == 2
    album.cut(1)
    assert (len(album.uris), album.add(other), album.add(one)) == (1, 1, 0)
