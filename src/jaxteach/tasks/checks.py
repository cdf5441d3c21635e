"""Whether a task keeps to the protocol: asked once when it is made, by shapes alone."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxteach.tasks.protocol import Outcome, Teachable
from jaxteach.utils.errors import UserError, one_line

_checked: set[Teachable] = set()
_N = 2


def check_task(task: Teachable) -> None:
    """Refuse a task that breaks the protocol of `tasks.protocol`.

    Args:
        task: the task; each is looked at once.

    Raises:
        UserError: naming the task and the field at fault.
    """
    try:
        if task in _checked:
            return
    except TypeError:
        raise UserError(f"task {task.name} is not hashable: it must be static") from None

    def require(holds: Any, otherwise: str) -> None:
        if not holds:
            raise UserError(f"task {task.name} breaks the protocol: {otherwise}")

    for field, kind in (("action_names", tuple), ("max_steps", int), ("n_draws", int), ("dear_reset", bool)):
        value = getattr(task, field, None)
        require(isinstance(value, kind), f"its {field} is {value!r}, not of type {kind.__name__}")
    require(task.action_names and task.max_steps >= 1, "it needs an action and a step")
    words = jax.ShapeDtypeStruct((task.n_draws,), jnp.uint32)
    state = _traced(task, "reset", lambda w: task.update_seen(task.reset(w)), words)
    after, outcome = _traced(task, "step", lambda s: task.step(s, jnp.zeros((), jnp.int32)), state)
    start = _traced(task, "reset", task.reset, words)
    renewed = _traced(
        task, "renew", lambda *args: task.renew(*args), words, after, jax.ShapeDtypeStruct((), jnp.bool_)
    )
    shapes = [jax.tree.map(lambda x: (x.shape, x.dtype), s) for s in (start, after, renewed)]
    for what, given in zip(("step", "renew"), shapes[1:], strict=True):
        require(given == shapes[0], f"its {what} gives a state of other shapes or types than its reset")
    require(isinstance(outcome, Outcome), f"its step gives {type(outcome).__name__}, not an Outcome")
    for field in ("reward", "terminated", "truncated", "success"):
        given = getattr(outcome, field)
        dtype = jnp.dtype(jnp.float32 if field == "reward" else bool)
        fits = hasattr(given, "shape") and given.shape == () and given.dtype == dtype
        require(fits, f"its outcome's {field} is {given}, not {dtype.name}[]")
    obs = _traced(task, "observe", task.observe, state)
    _check_teachable(task, state, obs, require)
    _checked.add(task)


def _check_teachable(task: Teachable, state: Any, obs: Any, require: Any) -> None:
    """The part of the protocol that a teacher reads; a task without states has no teacher."""
    language = task.language
    require(language.options, "its language has no options")
    texts = [getattr(named, "text", None) for named in language.states]
    require(all(isinstance(text, str) and text for text in texts), "one of its states has no text")
    require(len(set(texts)) == len(texts), "two of its states have the same text")
    require(len(language.questions) == len(language.states), "it needs a question for each state")
    n_actions = len(task.action_names)
    require(0 <= task.no_op < n_actions, f"its no_op {task.no_op} is no action")
    if not language.states:
        return
    fixed = [[task.fixed_action(s, option) for option in language.options] for s in range(len(texts))]
    grouped = {option for group in task.option_groups for option in group}
    for option, place in zip(language.options, range(len(language.options)), strict=True):
        actions = {row[place] for row in fixed}
        require(
            None not in actions or place in grouped,
            f"option {option.text!r} is in no group and has no action",
        )
        require(actions <= {None, *range(n_actions)}, f"option {option.text!r} has an action that is none")

    def batch(tree: Any) -> Any:
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct((_N, *x.shape), x.dtype), tree)

    memory = _traced(task, "recall", task.recall, state)
    rows, view = _traced(task, "perceive", task.perceive, batch(obs), batch(memory))
    require(rows.shape == (_N,) and rows.dtype == jnp.int32, f"its perceive gives states {rows}, not i32[N]")
    running = jax.ShapeDtypeStruct((1, _N), jnp.int32)
    for group in range(len(task.option_groups)):
        action, over = _traced(task, "act", lambda v, o, group=group: task.act(v, group, o), view, running)
        require(
            action.shape == (1, _N) and action.dtype == jnp.int32,
            f"its act gives actions {action}, not i32[K, N]",
        )
        require(
            over.shape == (1, _N) and over.dtype == np.bool_, f"its act says {over} is over, not bool[K, N]"
        )


def _traced(task: Teachable, what: str, function: Any, *arguments: Any) -> Any:
    """The shapes a function gives.

    Raises:
        UserError: it fails.
    """
    try:
        return jax.eval_shape(function, *arguments)
    except UserError:
        raise
    except Exception as error:  # a user's own code can fail in any way
        why = one_line(f"{type(error).__name__}: {error}")[:300]
        raise UserError(f"task {task.name} breaks the protocol: its {what} fails: {why}") from error
