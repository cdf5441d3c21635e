"""How long a model in this process would take: from its number of weights, and what this machine does."""

import math
import time
from typing import Any

from jaxteach.llm.backends.local import LocalSettings, placement, what_it_lacks
from jaxteach.llm.backends.weights import find_weights, is_on_hub
from jaxteach.llm.dry_run import Work
from jaxteach.utils.errors import UserError, one_line

_SIDE = 4096
"""Rows and columns of the matrix that is timed: as large as a model's own, and larger than caches."""
_READ_AT_ONCE = 512
"""Tokens of a prompt, about, that are read at once."""
_BESIDE = 1.6
"""How much longer a model takes than its products with weights: attention, drawing, all between."""


class NotKnownError(Exception):
    """The duration cannot be estimated here, and why; a run might go well all the same."""


def seconds(model: str, settings: LocalSettings, work: Work) -> tuple[float, float]:
    """Estimate a run's duration without loading the model.

    Args:
        model: a folder, a .gguf file, or a name on the hub that the local cache holds.
        settings: how it would be run.
        work: what it would compute.

    Returns:
        Seconds, if answers are as long as the worked examples', and if all are cut off; without loading.

    Raises:
        NotKnownError: the model has to be fetched first, its files do not say how large it is, or the
            extra is not installed.
        UserError: there is no such model, or a setting makes no sense.
    """
    settings.check()
    if lacking := what_it_lacks():
        raise NotKnownError(lacking)
    try:
        weights = find_weights(model, settings.revision, offline=True).count()
    except UserError as error:
        if is_on_hub(model):
            raise NotKnownError(str(error)) from error
        raise
    if weights is None:
        raise NotKnownError("only .safetensors and .gguf files say how many weights they hold")
    import torch

    if settings.threads:
        torch.set_num_threads(settings.threads)
    device, dtype = placement(torch, settings)
    reading = _seconds_of_a_step(torch, device, dtype, _READ_AT_ONCE) * weights / _READ_AT_ONCE
    rows = min(settings.batch, max(work.answers, 1))
    step = _seconds_of_a_step(torch, device, dtype, rows) * weights
    begun = (work.prompts + work.scored) * reading
    usual, most = (math.ceil(work.answers / rows) * tokens * step for tokens in (work.usual, work.most))
    return _BESIDE * (begun + usual), _BESIDE * (begun + most)


def time_in_words(model: str, settings: dict[str, Any], work: Work) -> str:
    """What `seconds` finds, for the command line.

    Args:
        model: a folder, a .gguf file, or a name on the hub.
        settings: fields of `LocalSettings`.
        work: what would be computed.

    Raises:
        UserError: there is no such model, or a setting makes no sense.
    """
    if not model:
        return "time: not known without a --model"
    try:
        usual, most = seconds(model, LocalSettings(**settings), work)
    except NotKnownError as error:
        return f"time: not known ({one_line(str(error))})"
    longest = f", {_rounded(most)} if all are cut off at --max-tokens" if work.answers else ""
    short = " if answers are as long as the prompt's examples" if work.answers else ""
    return f"time: about {_rounded(usual)}{short}{longest}; loading the model comes before"


def _rounded(seconds: float) -> str:
    """A duration in one or two figures.

    >>> _rounded(0.2), _rounded(47), _rounded(200), _rounded(9000)
    ('1 s', '47 s', '3.3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.2g} min" if seconds < 5400 else f"{seconds / 3600:.2g} h"


def _seconds_of_a_step(torch: Any, device: Any, dtype: Any, rows: int) -> float:
    """Seconds for one weight of a large matrix, multiplied with so many rows; the best of three."""
    matrix = torch.ones((_SIDE, _SIDE), device=device, dtype=dtype)
    tokens = torch.ones((rows, _SIDE), device=device, dtype=dtype)
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        float((tokens @ matrix.T)[0, 0])  # waits for the device
        taken.append(time.perf_counter() - start)
    return min(taken) / _SIDE**2
