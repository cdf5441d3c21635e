"""The abstract states that play can reach in each taught family of MiniGrid's levels: taught/states.json.

Players mix random actions with every option of the family, and with what the rules advise. What is reached
is written down; run it again with another --seed and it tells whether anything new turns up. A family of
which nearly all states are reached lists all of them.
"""

import argparse
import functools
import json
from typing import Any

from common import ROOT, say

from jaxteach.utils.errors import cli
from jaxteach.utils.files import write_atomic
from jaxteach.utils.jax_setup import start_jax

STATES = ROOT / "src" / "jaxteach" / "worlds" / "minigrid" / "taught" / "states.json"
NEARLY_ALL = 0.95
"""Of a family's states: where play reaches as many, longer play goes on finding the others."""


def main() -> None:
    """Read the command line, play, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="steps of each of 1024 environments")
    parser.add_argument("--seed", type=int, default=0, help="of the players")
    parser.add_argument("--check", action="store_true", help="write nothing; tell what is unlisted")
    parser.add_argument("--family", default=None, help="one family alone")
    given = parser.parse_args()

    def close() -> None:
        start_jax()
        known: dict[str, list[int]] = json.loads(STATES.read_text(encoding="utf-8"))
        from jaxteach.worlds.minigrid.levels import LEVELS
        from jaxteach.worlds.minigrid.taught.families import FAMILIES, family_of
        from jaxteach.worlds.navix import TAUGHT

        for family in FAMILIES.values():
            if given.family not in (None, family.name):
                continue
            names = [name for name in (*LEVELS, *TAUGHT) if family_of(name) is family]
            before, found = set(known.get(family.name, ())), set()
            for name in names:
                counts = reached(name, given.steps, given.seed)
                new = {code for code in counts if code not in before | found}
                steps = sum(counts[code] for code in new)
                say(f"{name}: {len(counts)} states, {len(new)} new, {steps} steps in them")
                found |= counts.keys()
            if not given.check:
                codes = before | found
                nearly_all = len(codes) >= NEARLY_ALL * family.n_codes
                known[family.name] = list(range(family.n_codes)) if nearly_all else sorted(codes)
        if not given.check:
            write_atomic(STATES, (json.dumps(known) + "\n").encode())

    cli(close)


def reached(name: str, n_steps: int, seed: int) -> dict[int, int]:
    """The codes that mixed players reach in a level, with how often."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxteach.tasks import make_task
    from jaxteach.worlds.minigrid.taught.perceive import perceive
    from jaxteach.worlds.minigrid.taught.rules import ideal_plan

    # Taught tasks have a family and missions besides the protocol.
    task: Any = make_task(name)
    family, n = task.family, 1024
    n_codes = family.n_codes
    ideal = [family.options.index(ideal_plan(family.state(code))[0]) for code in range(n_codes)]
    advised = jnp.asarray(ideal, jnp.int32)
    player = jnp.arange(n) % 4
    # A quarter wanders, two follow options at random, more or less, and one does what the rules advise.
    chance = jnp.asarray([1.0, 0.3, 0.05, 0.05])[player]

    @functools.partial(jax.jit, static_argnums=1)
    def play(carry: Any, length: int) -> Any:
        def step(carry: Any, _: Any) -> Any:
            state, option, key, counts = carry
            key, k1, k2, k3, k4, k5 = jax.random.split(key, 6)
            code, options = perceive(family, task.missions, jax.vmap(task.observe)(state))
            counts = counts.at[code].add(1)
            new = jax.random.randint(k1, (n,), 0, len(family.options))
            over = jnp.take_along_axis(options.over, option[None], axis=0)[0]
            option = jnp.where(over | (jax.random.uniform(k2, (n,)) < 0.05), new, option)
            option = jnp.where(player == 3, advised[code], option)
            follow = jnp.take_along_axis(options.action, option[None], axis=0)[0]
            stuck = jnp.take_along_axis(options.over, option[None], axis=0)[0]
            wander = jax.random.randint(k3, (n,), 0, len(task.action_names))
            action = jnp.where(stuck | (jax.random.uniform(k4, (n,)) < chance), wander, follow)
            moved, outcome = jax.vmap(task.step)(state, action)
            words = jax.random.bits(k5, (n, task.n_draws))
            state = jax.vmap(task.update_seen)(jax.vmap(task.renew)(words, moved, outcome.done))
            return (state, option, key, counts), None

        return jax.lax.scan(step, carry, None, length=length)[0]

    key, first = jax.random.split(jax.random.key(seed))
    words = jax.random.bits(first, (n, task.n_draws))
    state = jax.vmap(task.update_seen)(jax.vmap(task.reset)(words))
    counts = jnp.zeros(n_codes, jnp.int32)
    carry = play((state, jnp.zeros(n, jnp.int32), key, counts), n_steps)
    counts = np.asarray(carry[3])
    return {int(code): int(counts[code]) for code in np.flatnonzero(counts)}


if __name__ == "__main__":
    main()
