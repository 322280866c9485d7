"""How fast the search is, and whether it is the same search, beside mctx.

    taskset -c 0 python -m benchmarks.bench_mcts            simulations a second, one core
    python -m benchmarks.bench_mcts --agree                 visits of 100 random trees
    python -m benchmarks.bench_mcts --golden tests/mctx_visits.json     what the tests compare with

Both plan with the same M (LSTM of 256 units, z of 32, 6 actions, heads for reward, end, policy and
value) with random weights. mctx is optional (`pip install mctx`); without it ours is timed alone.
Rounds are alternated; the medians are printed with the trees' mean depth.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import numpy as np

import config
import runs
from planner.mcts import Root, Settings, Step, search
from runs import cli

Z, HIDDEN, ACTIONS = 32, 256, 6
GAMMA = 0.99


def make_latent(seed: int = 0):
    """Our model with random weights, whose rewards and values are of order 1."""
    import keras

    from planner.latent import LatentModel
    from rnn.model import make_rnn

    keras.utils.set_random_seed(seed)
    heads = {"reward_head": True, "done_head": True, "planning_heads": True}
    rnn = make_rnn(Z, ACTIONS, config.RNN(hidden_size=HIDDEN, mixtures=0, **heads))
    rng = np.random.default_rng(seed)
    for weight in (rnn.policy_value, rnn.head):  # as made they say much the same of every state
        weight.kernel.assign(rng.normal(0, 0.3, weight.kernel.shape))
    wide = np.full(Z, 5, np.float32)
    return LatentModel(rnn, GAMMA, 1.0, "none", -wide, wide)


def roots(latent, games: int, seed: int = 0) -> Root:
    """Random states to plan from."""
    rng = np.random.default_rng(seed)
    z, memory = rng.normal(0, 0.5, (games, Z)), rng.normal(0, 0.5, (games, 2 * HIDDEN))
    return latent.root(latent.states(z, memory))


class Tables:
    """A world of tables, drawn at random: what a search of it does can be computed anywhere.

    A state is its number, int (B, 1).
    """

    def __init__(self, states: int = 2000, actions: int = 4, seed: int = 0):
        rng = np.random.default_rng(seed)
        shape = (states, actions)
        self.after = rng.integers(0, states, shape)
        self.reward = rng.normal(0, 1, shape).astype(np.float32)
        self.discount = rng.choice(np.float32([0.9, 0.99, -1.0]), shape)
        self.logits = rng.normal(0, 1, shape).astype(np.float32)
        self.value = rng.normal(0, 1, states).astype(np.float32)

    def root(self, numbers: np.ndarray) -> Root:
        """Roots at states of some numbers (B,)."""
        return Root(numbers[:, None], self.logits[numbers], self.value[numbers])

    def step(self, states: np.ndarray, actions: np.ndarray) -> Step:
        """See planner/mcts.py."""
        edge = states[:, 0], actions
        after = self.after[edge]
        now = self.reward[edge], self.discount[edge], self.logits[after], self.value[after]
        return Step(after[:, None], *now)


def golden(file: str, count: int = 100, simulations: int = 50) -> None:
    """Write the visits of mctx's searches of `Tables`, with both roots, to a JSON file."""
    import jax.numpy as jnp
    import mctx
    from jax.random import PRNGKey

    tables = Tables()
    tensors = {name: jnp.asarray(table) for name, table in vars(tables).items()}

    def recurrent(_, key, action, state):
        after = tensors["after"][state, action]
        edge = {name: tensors[name][state, action] for name in ("reward", "discount")}
        there = {"prior_logits": tensors["logits"][after], "value": tensors["value"][after]}
        return mctx.RecurrentFnOutput(**edge, **there), after

    root = tables.root(np.arange(count))
    start = mctx.RootFnOutput(
        prior_logits=jnp.asarray(root.logits),
        value=jnp.asarray(root.value),
        embedding=jnp.arange(count),
    )
    given = (None, PRNGKey(0), start, recurrent, simulations)
    plain = mctx.muzero_policy(*given, dirichlet_fraction=0.0, temperature=1.0)
    gumbel = mctx.gumbel_muzero_policy(*given, gumbel_scale=0.0)
    data = {"mctx": mctx.__version__, "simulations": simulations}
    data |= {"puct": visits_of(plain).tolist(), "gumbel": visits_of(gumbel).tolist()}
    data |= {"action": np.asarray(gumbel.action).tolist()}
    data |= {"improved": np.asarray(gumbel.action_weights).round(4).tolist()}
    runs.write_json(Path(file), data, indent=None)
    print(f"written {file}")


def mctx_planner(latent, simulations: int, gumbel: bool = False):
    """mctx with the same model, compiled: a function from states (B, S) to its output."""
    import jax
    import jax.numpy as jnp
    import mctx

    head, head_bias = latent.head
    units, units_bias = latent.units
    rows, gates = latent.gates[:ACTIONS], latent.gates[ACTIONS:]
    plan, plan_bias = latent.plan_head
    low, high = latent.low, latent.high

    def think(z, h):
        x = jax.nn.relu(z @ units[:Z] + h @ units[Z:] + units_bias)
        raw = x @ plan + plan_bias
        return raw[:, :-1], raw[:, -1]

    def recurrent(_, key, action, states):
        raw = states[:, : Z + HIDDEN] @ gates + jnp.asarray(rows)[action]
        i, f, g, o = jnp.split(jnp.tanh(raw), 4, -1)
        c = (1 + f) / 2 * states[:, Z + HIDDEN :] + (1 + i) / 2 * g
        h = (1 + o) / 2 * jnp.tanh(c)
        raw = h @ head + head_bias
        z = jnp.clip(raw[:, :Z], low, high)
        logits, value = think(z, h)
        out = mctx.RecurrentFnOutput(
            reward=raw[:, Z],
            discount=GAMMA / (1 + jnp.exp(raw[:, Z + 1])),
            prior_logits=logits,
            value=value,
        )
        return out, jnp.concatenate([z, h, c], 1)

    @jax.jit
    def run(states):
        logits, value = think(states[:, :Z], states[:, Z : Z + HIDDEN])
        root = mctx.RootFnOutput(prior_logits=logits, value=value, embedding=states)
        common = (None, jax.random.PRNGKey(0), root, recurrent, simulations)
        if gumbel:
            return mctx.gumbel_muzero_policy(*common, gumbel_scale=0.0)
        return mctx.muzero_policy(*common, dirichlet_fraction=0.0, temperature=1.0)

    return run


def visits_of(out) -> np.ndarray:
    """Visits of the roots' edges in mctx's tree: (B, A)."""
    return np.asarray(out.search_tree.summary().visit_counts).astype(int)


def agree(count: int, simulations: int) -> None:
    """Print how many of `count` random trees have the same visits here and in mctx."""
    from planner.gumbel import gumbel_search

    latent = make_latent()
    root = roots(latent, count)
    settings = Settings(simulations)
    ours = {
        "puct": search(latent, root, settings).visits(),
        "gumbel": gumbel_search(latent, root, settings, np.zeros((count, ACTIONS))).visits(),
    }
    for name, visits in ours.items():
        theirs = visits_of(
            mctx_planner(latent, simulations, name == "gumbel")(root.states[:, ACTIONS:])
        )
        same = (visits == theirs).all(1).sum()
        print(f"{name:7} {same} of {count} trees have the same visits ({simulations} simulations)")


def timed(plan) -> float:
    """Seconds of a call."""
    start = time.perf_counter()
    plan()
    return time.perf_counter() - start


def bench(games: list[int], simulations: int, rounds: int) -> None:
    """Print simulations a second."""
    try:
        import mctx  # noqa: F401

        rival = True
    except ImportError:
        rival = False
        print("mctx is not installed: ours alone")
    latent = make_latent()
    print(f"{'games':>6}{'ours':>10}{'depth':>7}{'first':>8}", end="")
    print(f"{'mctx':>10}{'depth':>7}{'first':>8}{'ratio':>7}" if rival else "")
    for count in games:
        root, settings = roots(latent, count), Settings(simulations)
        plans = {"ours": lambda r=root, s=settings: search(latent, r, s)}
        if rival:
            run = mctx_planner(latent, simulations)
            plans["mctx"] = lambda r=root, run=run: np.asarray(run(r.states[:, ACTIONS:]).action)
        first = {name: timed(plan) for name, plan in plans.items()}
        seconds = {name: [] for name in plans}
        for _ in range(rounds):
            for name, plan in plans.items():
                seconds[name].append(timed(plan))
        rate = {n: count * simulations / statistics.median(s) for n, s in seconds.items()}
        depth = search(latent, root, settings).max_depth().mean()
        print(f"{count:6}{rate['ours']:10,.0f}{depth:7.1f}{first['ours']:7.2f}s", end="")
        if rival:
            depth = mctx_depth(run(root.states[:, ACTIONS:]), count)
            print(f"{rate['mctx']:10,.0f}{depth:7.1f}{first['mctx']:7.2f}s", end="")
            print(f"{rate['ours'] / rate['mctx']:6.2f}x", end="")
        print(flush=True)


def mctx_depth(out, games: int) -> float:
    """Mean depth of the deepest nodes in mctx's trees."""
    parents = np.asarray(out.search_tree.parents)
    depth = np.zeros(parents.shape, int)
    for node in range(1, parents.shape[1]):
        depth[:, node] = depth[np.arange(games), parents[:, node]] + 1
    return float(depth.max(1).mean())


def main() -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = cli.OptionParser(description=__doc__, formatter_class=formatter)
    add = parser.add_argument
    add("--agree", action="store_true", help="compare the visits of random trees, not the speed")
    add("--golden", metavar="FILE", help="write what mctx does in a world of tables")
    add("--games", type=int, nargs="+", default=[1, 8, 32, 128], help="side by side")
    add("--simulations", type=int, default=50, help="of a move (default: 50)")
    add("--rounds", type=int, default=20, help="timed calls of each (default: 20)")
    args = parser.parse_args()
    if min(*args.games, args.simulations, args.rounds) < 1:
        parser.error("--games, --simulations and --rounds must be at least 1")
    runs.tensorflow(1)
    if args.golden:
        golden(args.golden)
    elif args.agree:
        agree(100, args.simulations)
    else:
        bench(args.games, args.simulations, args.rounds)


if __name__ == "__main__":
    cli.run(main)
