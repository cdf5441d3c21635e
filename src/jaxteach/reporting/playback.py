"""Episodes as the player shows them: every moment's pictures, words and probabilities, as JSON values."""

import base64
import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from jaxteach.rendering import Episode, Moment
from jaxteach.reporting.series import short
from jaxteach.tasks.drawing import Picture

COLOURS = 64
"""Of a picture: more cannot be told apart, and would make the file larger."""


@dataclass
class Album:
    """Pictures as data URIs, each once: much of an episode looks as it did a step before.

    Attributes:
        uris: the pictures, in the order in which they were added.
    """

    uris: list[str] = field(default_factory=list)
    _places: dict[bytes, int] = field(default_factory=dict)

    def add(self, picture: Picture) -> int:
        """The place of a picture u8[rows, columns, 3], which is added if it is new."""
        key = np.asarray(picture.shape).tobytes() + picture.tobytes()
        if key not in self._places:
            buffer = io.BytesIO()
            indexed = Image.fromarray(picture).quantize(COLOURS, dither=Image.Dither.NONE)
            indexed.save(buffer, format="PNG", optimize=True)
            self._places[key] = len(self.uris)
            self.uris.append("data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode())
        return self._places[key]

    @property
    def size(self) -> int:
        """Bytes of all pictures."""
        return sum(map(len, self.uris))

    def cut(self, n: int) -> None:
        """Keep the first n pictures alone."""
        del self.uris[n:]
        self._places = {key: place for key, place in self._places.items() if place < n}


def episode_as_json(label: str, seed: int, number: int, episode: Episode, album: Album) -> dict[str, Any]:
    """An episode for the player.

    Args:
        label: the run's.
        seed: the student's.
        number: which layout.
        episode: what was played.
        album: takes its pictures.
    """
    return {
        "label": label,
        "seed": seed,
        "number": number,
        "outcome": episode.outcome,
        "ending": episode.ending,
        "reward": short(episode.reward),
        "max_steps": episode.max_steps,
        "actions": list(episode.action_names),
        "moments": [_moment(moment, album) for moment in episode.moments],
    }


def _moment(moment: Moment, album: Album) -> dict[str, Any]:
    held = moment.drawing.held
    return {
        "panels": [[name, album.add(picture)] for name, picture in moment.drawing.panels],
        "held": None if held is None else [held[0], None if held[1] is None else album.add(held[1])],
        "mission": moment.drawing.mission,
        "caption": moment.caption,
        "plans": [[words, short(share)] for words, share in moment.plans],
        "student": [short(p) for p in moment.student],
        "teacher": None if moment.teacher is None else [short(p) for p in moment.teacher],
        "action": moment.action,
    }
