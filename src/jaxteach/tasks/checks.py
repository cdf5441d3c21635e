"""Whether a task keeps to the protocol: asked once when it is made, by shapes alone."""

from typing import Any, NoReturn

import jax
import jax.numpy as jnp

from jaxteach.tasks.language import Language, Option
from jaxteach.tasks.protocol import Features, Outcome, Teachable
from jaxteach.utils.errors import UserError, one_line

_FIELDS = {
    "name": str,
    "action_names": tuple,
    "max_steps": int,
    "n_draws": int,
    "pool_size": int,
    "facts": str,
    "language": Language,
    "no_op": int,
    "option_groups": tuple,
}
_OUTCOME = {"reward": jnp.float32, "terminated": bool, "truncated": bool, "success": bool}
_N = 2
_passed: set[Teachable] = set()


def check_task(task: Teachable, name: str) -> None:
    """Refuse a task that breaks the protocol of `tasks.protocol`.

    Args:
        task: the task; each is looked at once.
        name: what to call it in messages.

    Raises:
        UserError: naming the task and the field at fault.
    """
    try:
        known = task in _passed
    except TypeError:
        raise UserError(f"{name} breaks the protocol: it is not hashable, but must be static") from None
    if not known:
        _Check(task, name).all()
        _passed.add(task)


class _Check:
    """One task under examination.

    Args:
        task: the task.
        name: what to call it in messages.
    """

    def __init__(self, task: Teachable, name: str) -> None:
        self._task, self._name = task, name

    def all(self) -> None:
        """Every field and every method; what a teacher needs only where there are states to teach in."""
        for field, kind in _FIELDS.items():
            value = self._get(field)
            self._require(isinstance(value, kind), f"its {field} is {value!r}, not of type {kind.__name__}")
        task = self._task
        self._require(task.max_steps >= 1, f"its max_steps is {task.max_steps}, not at least 1")
        self._require(task.n_draws >= 0, f"its n_draws is {task.n_draws}, not at least 0")
        names = task.action_names
        fits = len(set(names)) == len(names) > 0 and all(isinstance(action, str) for action in names)
        self._require(fits, f"its action_names {names!r} are not different names, at least one")
        self._require(0 <= task.no_op < len(names), f"its no_op {task.no_op} is not the place of an action")
        state = self._played()
        obs = self._shapes("observe", state)
        self._require(bool(jax.tree.leaves(obs)), "its observe gives no array")
        self._check_features(obs)
        self._check_language()
        if task.language.states:
            self._check_options()
            self._check_taught(obs, self._shapes("recall", state))

    def _played(self) -> Any:
        """A completed state, by shapes, once reset and step are seen to fit together."""
        words = jax.ShapeDtypeStruct((self._task.n_draws,), jnp.uint32)
        start = self._shapes("reset", words)
        state = self._shapes("update_seen", start)
        self._require_same("update_seen", state, start)
        given = self._shapes("step", state, jax.ShapeDtypeStruct((), jnp.int32))
        pair = isinstance(given, tuple) and len(given) == 2
        self._require(pair, "its step does not give a pair (state, outcome)")
        after, outcome = given
        self._require_same("step", after, start)
        renewed = self._shapes("renew", words, after, jax.ShapeDtypeStruct((), jnp.bool_))
        self._require_same("renew", renewed, start)
        self._require(
            isinstance(outcome, Outcome), f"its step gives {type(outcome).__name__}, not an Outcome"
        )
        for field, dtype in _OUTCOME.items():
            self._require_array(f"outcome's {field}", getattr(outcome, field), (), dtype)
        return state

    def _check_features(self, obs: Any) -> None:
        """Features of each kind that the task has, read from a batch of observations."""
        for kind in ("compact", "map"):
            try:
                features: Features = self._call("features", kind)
            except UserError as error:
                if isinstance(error.__cause__, UserError):  # the task has none of that kind, and says so
                    continue
                raise
            read = self._traced(f"features({kind!r})", lambda o, f=features: f.read(o, jnp), _batch(obs))
            fits = getattr(read, "shape", None) == (_N, features.size)
            self._require(fits, f"its features({kind!r}) read {read}, not [N, {features.size}]")

    def _check_language(self) -> None:
        """States and options in words."""
        language = self._task.language
        options = language.options
        fits = len(options) > 0 and all(isinstance(option, Option) for option in options)
        self._require(fits, f"its language's options {options!r} are not Options, at least one")
        for place, state in enumerate(language.states):
            text = getattr(state, "text", None)
            self._require(isinstance(text, str) and text.strip(), f"its state {place} has no text")
        texts = [state.text for state in language.states]
        twice = next((text for text in texts if texts.count(text) > 1), None)
        self._require(twice is None, f"two of its states have the same text {twice!r}")
        n = len(language.questions)
        self._require(n == len(texts), f"its language has {n} questions for {len(texts)} states")

    def _check_options(self) -> None:
        """Each option has an action in every state, or is in a group that `act` decides."""
        task, options = self._task, self._task.language.options
        grouped = [option for group in task.option_groups for option in group]
        fits = len(set(grouped)) == len(grouped) and set(grouped) <= set(range(len(options)))
        self._require(
            fits, f"its option_groups {task.option_groups!r} do not hold places of options, each once"
        )
        allowed = {None, *range(len(task.action_names))}
        for place, option in enumerate(options):
            actions = {self._call("fixed_action", s, option) for s in range(len(task.language.states))}
            self._require(
                actions <= allowed, f"its fixed_action gives {actions - allowed} for option {option.text!r}"
            )
            self._require(
                None not in actions or place in grouped,
                f"its fixed_action gives None for option {option.text!r}, which is in no option group",
            )

    def _check_taught(self, obs: Any, memory: Any) -> None:
        """What a teacher asks of observations: their states, and what options do."""
        given = self._shapes("perceive", _batch(obs), _batch(memory))
        pair = isinstance(given, tuple) and len(given) == 2
        self._require(pair, "its perceive does not give a pair (states, view)")
        rows, view = given
        self._require_array("perceive's states", rows, (_N,), jnp.int32)
        options = jax.ShapeDtypeStruct((1, _N), jnp.int32)
        for group in range(len(self._task.option_groups)):
            given = self._traced("act", lambda v, o, g=group: self._task.act(v, g, o), view, options)
            pair = isinstance(given, tuple) and len(given) == 2
            self._require(pair, "its act does not give a pair (actions, over)")
            self._require_array("act's actions", given[0], (1, _N), jnp.int32)
            self._require_array("act's over", given[1], (1, _N), bool)
        subject = self._shapes("subject", view, jax.ShapeDtypeStruct((_N,), jnp.int32))
        self._require_array("subject", subject, (_N,), jnp.int32)

    # ---- how it is asked -----------------------------------------------------------------

    def _require_same(self, method: str, state: Any, start: Any) -> None:
        same = _described(state) == _described(start)
        self._require(same, f"its {method} gives a state of other shapes or types than its reset")

    def _require_array(self, what: str, given: Any, shape: tuple[int, ...], dtype: Any) -> None:
        wanted = jax.ShapeDtypeStruct(shape, dtype)
        fits = (getattr(given, "shape", None), getattr(given, "dtype", None)) == (wanted.shape, wanted.dtype)
        shown = f"{given.dtype}{list(given.shape)}" if hasattr(given, "dtype") else repr(given)
        self._require(fits, f"its {what} is {shown}, not {wanted.dtype}{list(shape)}")

    def _shapes(self, method: str, *arguments: Any) -> Any:
        """The shapes a method gives."""
        return self._traced(method, self._get(method), *arguments)

    def _traced(self, what: str, function: Any, *arguments: Any) -> Any:
        """The shapes that a function of the task's gives."""
        try:
            return jax.eval_shape(function, *arguments)
        except Exception as error:  # a user's own code can fail in any way
            self._fail(what, error)

    def _call(self, method: str, *arguments: Any) -> Any:
        """What a method gives on the host."""
        function = self._get(method)
        try:
            return function(*arguments)
        except Exception as error:  # a user's own code can fail in any way
            self._fail(method, error)

    def _get(self, field: str) -> Any:
        try:
            return getattr(self._task, field)
        except AttributeError:
            raise UserError(f"{self._name} breaks the protocol: it has no {field}") from None
        except Exception as error:  # a property can fail in any way
            self._fail(field, error)

    def _fail(self, what: str, error: Exception) -> NoReturn:
        why = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        # Tracing errors continue for a page after their first sentence.
        raise UserError(
            f"{self._name} breaks the protocol: its {what} fails: {one_line(why)[:300]}"
        ) from error

    def _require(self, holds: Any, otherwise: str) -> None:
        if not holds:
            raise UserError(f"{self._name} breaks the protocol: {otherwise}")


def _described(tree: Any) -> tuple[Any, list[tuple[tuple[int, ...], Any]]]:
    """A pytree's structure, and the shapes and types of its leaves."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(leaf.shape, leaf.dtype) for leaf in leaves]


def _batch(tree: Any) -> Any:
    """Shapes with a batch axis before them."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((_N, *x.shape), x.dtype), tree)
