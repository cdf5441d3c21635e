"""The backends; each is imported only when it is asked for."""

from collections.abc import Sequence
from typing import Any, Literal

from jaxteach.llm.backend import Backend
from jaxteach.tasks.language import Question
from jaxteach.utils.errors import UserError

BackendName = Literal["transformers", "openai", "rule"]


def capabilities(name: BackendName) -> frozenset[str]:
    """What a backend can do, before it is built and a model loaded.

    Args:
        name: which one.
    """
    return _backend_class(name).capabilities


def make_backend(
    name: BackendName,
    model: str,
    questions: Sequence[Question],
    local: dict[str, Any],
    endpoint: dict[str, Any],
) -> Backend:
    """Build a backend.

    Args:
        name: which one.
        model: a path or name for transformers, the server's name for a model, or a rule.
        questions: the task's, for the rules.
        local: fields of `LocalSettings`.
        endpoint: arguments of `EndpointBackend` beside the model.

    Raises:
        UserError: no model was named, or the backend cannot be built.
    """
    if not model:
        examples = {
            "transformers": "a folder or a .gguf file",
            "openai": "the server's name for it",
            "rule": "ideal",
        }
        raise UserError(f"--model is missing: for the {name} backend, {examples[name]}")
    backend = _backend_class(name)
    if name == "rule":
        return backend(model, questions)
    if name == "openai":
        return backend(model=model, **endpoint)
    from jaxteach.llm.backends.local import LocalSettings

    return backend(model, LocalSettings(**local))


def _backend_class(name: BackendName) -> Any:
    """The class; this imports no torch."""
    if name == "rule":
        from jaxteach.llm.backends.rule import RuleBackend

        return RuleBackend
    if name == "openai":
        from jaxteach.llm.backends.endpoint import EndpointBackend

        return EndpointBackend
    from jaxteach.llm.backends.local import LocalBackend

    return LocalBackend
