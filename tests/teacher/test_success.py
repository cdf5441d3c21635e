"""What teachers alone are worth, where it ships."""

import dataclasses

import pytest

from jaxteach.config import Config, Corrupt, Distill, Variant
from jaxteach.teacher import success
from jaxteach.teacher.success import Success, known_successes, shipped_success
from jaxteach.utils.errors import UserError

PLAIN = Config(task="lava_door_key")


def test_damaged_successes_are_reported(tmp_path):
    assert known_successes(tmp_path) == {}
    for text in ("[", "[" * 10**5, "[]", '{"a": 1}', '{"a": {"success_rate": "x", "episodes": 1}}'):
        (tmp_path / "success.json").write_text(text)
        with pytest.raises(UserError, match="damaged"):
            known_successes(tmp_path)


@pytest.mark.parametrize(
    ("changes", "sha256", "known"),
    [
        ({}, "shipped", True),
        ({"distill": Distill(teacher="hard")}, "shipped", True),  # acts as soft does
        ({"distill": Distill(teacher="held")}, "shipped", False),
        ({"distill": Distill(teacher="argmax")}, "shipped", False),
        ({"corrupt": Corrupt(share=0.1)}, "shipped", False),
        ({"corrupt": Corrupt(states=1)}, "shipped", False),
        ({"task": "lava_door_key:small_rooms"}, "shipped", False),
        ({"variant": Variant(n_lava=2)}, "shipped", False),
        ({}, "other", False),
    ],
)
def test_a_shipped_success_is_of_that_very_teacher_alone(monkeypatch, changes, sha256, known):
    monkeypatch.setattr(success, "_shipped", lambda: {"shipped": Success(0.5, 4000)})
    found = shipped_success(sha256, dataclasses.replace(PLAIN, **changes))
    assert found == (Success(0.5, 4000) if known else None)
