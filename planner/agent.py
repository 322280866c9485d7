"""The agent that plans: V sees, M remembers, the search chooses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import config
import envs
import runs
from planner.gumbel import plan
from planner.latent import LatentModel
from planner.mcts import Model, Root, Settings, Tree, softmax


class Decision(NamedTuple):
    """What was chosen for B games."""

    actions: np.ndarray  # int (B,)
    policy: np.ndarray  # float32 (B, A), what the policy is to learn of it
    tree: Tree | None  # None without a search


def settings_of(options: config.Planner) -> Settings:
    """The constants of a search as a run's options say."""
    return Settings(
        options.n_simulations,
        options.timeout,
        options.c,
        options.c_base,
        options.max_depth,
        options.root,
        options.considered,
    )


def pick(
    policy: np.ndarray,
    visits: np.ndarray,
    options: config.Planner,
    move: int,
    rng: np.random.Generator,
) -> int:
    """Choose a move by visits int (A,), drawn or greedy as the options say of move number `move`.

    Args:
        policy: (A,), what is drawn from if there are no visits.
    """
    weights = visits if visits.any() else policy
    if options.policy == "greedy" or (options.policy_warmup and move >= options.policy_warmup):
        return int(weights.argmax())
    temperature = options.temperature / (1 + options.temperature_decay * move)
    with np.errstate(divide="ignore"):
        logits = weights if options.policy == "softmax" else np.log(weights)
    chances = softmax((logits / temperature)[None].astype(np.float64))[0]
    return int(rng.choice(len(chances), p=chances / chances.sum()))


def decide(
    model: Model,
    root: Root,
    options: config.Planner,
    moves: np.ndarray,
    rngs: list[np.random.Generator],
    explore: bool,
) -> Decision:
    """Plan a move of every game.

    Args:
        moves: int (B,), moves played before. rngs: one a game.
        explore: noise on the roots' priors, and moves drawn as `options.policy` says; else greedy.

    Raises:
        RunError: nothing can be planned here.
    """
    options = options if explore else dataclasses.replace(options, policy="greedy")
    games, actions = root.logits.shape
    trees = max(1, options.determinisations)
    tree, policy, visits = None, softmax(root.logits), np.zeros((games * trees, actions), int)
    many = Root(*(np.repeat(part, trees, axis=0) for part in root)) if trees > 1 else root
    if options.n_simulations or options.timeout:
        gumbel, noise = chance(options, rngs, (trees, actions), explore)
        tree = plan(model, many, settings_of(options), gumbel, noise)
        policy = mean_of(tree.policy(), trees)
        is_gumbel = options.root == "gumbel"
        visits = np.eye(actions, dtype=int)[tree.action()] if is_gumbel else tree.visits()
    visits = visits.reshape(-1, trees, actions).sum(1)
    rows = zip(policy, visits, moves, rngs, strict=True)
    played = [pick(p, v, options, int(move), rng) for p, v, move, rng in rows]
    return Decision(np.array(played), policy.astype(np.float32), tree)


def chance(
    options: config.Planner,
    rngs: list[np.random.Generator],
    shape: tuple[int, int],
    explore: bool,
) -> tuple[np.ndarray | None, tuple[np.ndarray, float] | None]:
    """Draw the noise of the roots of all games, `shape` (trees, A) each: Gumbel's or Dirichlet's.

    It is drawn without exploring, too, so that a game's next numbers are the same.
    """
    if options.root == "gumbel":
        return np.concatenate([rng.gumbel(size=shape) * explore for rng in rngs]), None
    alpha = np.full(shape[1], options.dirichlet_noise)
    drawn = np.concatenate([rng.dirichlet(alpha, shape[0]) for rng in rngs])
    return None, (drawn, options.noise_ratio) if explore else None


def mean_of(policy: np.ndarray, trees: int) -> np.ndarray:
    """Mean over the trees of each game: (B * trees, A) to (B, A)."""
    return policy.reshape(-1, trees, policy.shape[1]).mean(1)


@dataclasses.dataclass(frozen=True)
class Agent:
    """V, M and the search over what M imagines.

    Attributes:
        encode: frames uint8 (B, 64, 64, 3) to mu and logvar. decode: z (B, Z) to frames.
        latent: M. options: of the search.
        model: what the search steps through: M itself, or a `planner.simulator.Simulator`.
    """

    encode: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    decode: Callable[[np.ndarray], Any]
    latent: LatentModel
    options: config.Planner
    model: Any

    def see(self, obs: np.ndarray, memory: np.ndarray) -> Root:
        """Frames uint8 (B, 64, 64, 3) and memory (B, 2H) to where a search starts."""
        return self.latent.root(self.latent.states(self.encode(obs)[0], memory))


def load_agent(path: Path, cfg: config.Config) -> Agent:
    """Load the agent of a run's folder.

    Raises:
        RunError: V or M is missing, or M lacks the heads that a search asks.
    """
    if not cfg.rnn.planning_heads:
        raise runs.RunError(
            f"the M of {path} has no heads for policy and value; train it with "
            f"`{runs.command(path, 'rnn')} --planning-heads --reward-head --done-head`"
        )
    runs.tensorflow(cfg.planner.threads)
    from rnn.model import load_rnn
    from series.encode import make_encoder
    from vae.model import load_vae

    vae = load_vae(path, cfg.vae)
    rnn = load_rnn(path, cfg.vae.z_size, envs.load(cfg.game).action_size, cfg.rnn)
    runs.require(path, "series", "initial_z.npz")
    bounds = runs.read_npz(path / "series" / "initial_z.npz")
    options = cfg.planner
    latent = LatentModel(
        rnn,
        options.gamma,
        cfg.rnn.done_weight,
        cfg.rnn.value_transform,
        bounds["low"].astype(np.float32),
        bounds["high"].astype(np.float32),
        np.random.default_rng([options.seed, 5]) if options.determinisations else None,
    )
    return Agent(make_encoder(vae, 256), vae.decode, latent, options, latent)
