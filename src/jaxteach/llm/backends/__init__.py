"""The backends; each is imported only when it is asked for."""

from collections.abc import Sequence
from typing import Any

from jaxteach.llm.backend import Backend
from jaxteach.tasks.language import Question
from jaxteach.utils.errors import UserError, one_line
from jaxteach.utils.registry import Registry

_CAN = frozenset({"generate", "score"})
_MODELS = {
    "transformers": "a folder or a .gguf file",
    "openai": "the server's name for it",
    "rule": "ideal",
}
"""Examples of a model; a plugin's backend may need none."""


def _checked(name: str, backend: Any) -> Any:
    """Refuse what cannot make a backend.

    Raises:
        ValueError: naming the field.
    """
    if not callable(backend):
        raise ValueError("it cannot be called with a model and questions")
    can = getattr(backend, "capabilities", None)
    if not isinstance(can, frozenset) or not can or not can <= _CAN:
        raise ValueError(f"its capabilities are {can!r}, not a frozenset of 'generate' and 'score'")
    return backend


BACKENDS: Registry[Any] = Registry(
    "backend",
    "jaxteach.backends",
    {
        "transformers": "jaxteach.llm.backends.local:LocalBackend",
        "openai": "jaxteach.llm.backends.endpoint:EndpointBackend",
        "rule": "jaxteach.llm.backends.rule:RuleBackend",
    },
    _checked,
)
"""What makes a `Backend`, by name; a plugin's is called as `backend(model, questions)`."""


def capabilities(name: str) -> frozenset[str]:
    """What a backend can do, before it is built and a model loaded.

    Args:
        name: which one.

    Raises:
        UserError: there is none of that name, or its plugin cannot be used.
    """
    can: frozenset[str] = BACKENDS.get(name).capabilities
    return can


def make_backend(
    name: str,
    model: str,
    questions: Sequence[Question],
    local: dict[str, Any],
    endpoint: dict[str, Any],
) -> Backend:
    """Build a backend.

    Args:
        name: which one.
        model: a path or name for transformers, the server's name for a model, a rule, or what a plugin makes of
            it.
        questions: the task's, for the rules and for plugins.
        local: fields of `LocalSettings`.
        endpoint: arguments of `EndpointBackend` beside the model.

    Raises:
        UserError: no model was named, or the backend cannot be built.
    """
    backend = BACKENDS.get(name)
    if name in _MODELS and not model:
        raise UserError(f"--model is missing: for the {name} backend, {_MODELS[name]}")
    if name == "rule":
        return backend(model, questions)
    if name == "openai":
        return backend(model=model, **endpoint)
    if name == "transformers":
        from jaxteach.llm.backends.local import LocalSettings

        return backend(model, LocalSettings(**local))
    return _plugged_in(name, backend, model, questions)


def _plugged_in(name: str, backend: Any, model: str, questions: Sequence[Question]) -> Backend:
    """A plugin's backend, built and checked.

    Raises:
        UserError: it fails, or lacks a part of `Backend`.
    """
    who = f"{BACKENDS.origin(name)}: its backend '{name}'"
    try:
        made = backend(model, questions)
    except UserError:
        raise
    except Exception as error:  # a user's own code can fail in any way
        raise UserError(f"{who} cannot be made: {one_line(f'{type(error).__name__}: {error}')}") from error
    for field in ("concurrency", "batch"):
        value = getattr(made, field, None)
        if not isinstance(value, int) or value < 1:
            raise UserError(f"{who} cannot be used: its {field} is {value!r}, not a number from 1 on")
    for method in ("describe", "stop", *sorted(made.capabilities)):
        if not callable(getattr(made, method, None)):
            raise UserError(f"{who} cannot be used: it has no {method}()")
    checked: Backend = made
    return checked
