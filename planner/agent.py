"""The agent that plans: V sees, M remembers, the search chooses."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np

import config
import envs
import runs
from planner.gumbel import gumbel_search
from planner.latent import LatentModel
from planner.mcts import Model, Root, SearchError, Settings, Tree, search, softmax


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
    try:
        if not options.n_simulations and not options.timeout:
            pass
        elif options.root == "gumbel":
            draws = [rng.gumbel(size=(trees, actions)) * explore for rng in rngs]
            tree = gumbel_search(model, many, settings_of(options), np.concatenate(draws))
            policy = mean_of(tree.policy(), trees)
            visits = np.eye(actions, dtype=int)[tree.action()]
        else:
            alpha = np.full(actions, options.dirichlet_noise)
            drawn = np.concatenate([rng.dirichlet(alpha, trees) for rng in rngs])
            noise = (drawn, options.noise_ratio) if explore else None
            tree = search(model, many, settings_of(options), noise)
            policy, visits = mean_of(tree.policy(), trees), tree.visits()
    except SearchError as error:
        raise runs.RunError(str(error)) from None
    visits = visits.reshape(-1, trees, actions).sum(1)
    rows = zip(policy, visits, moves, rngs, strict=True)
    played = [pick(p, v, options, int(move), rng) for p, v, move, rng in rows]
    return Decision(np.array(played), policy.astype(np.float32), tree)


def mean_of(policy: np.ndarray, trees: int) -> np.ndarray:
    """Mean over the trees of each game: (B * trees, A) to (B, A)."""
    return policy.reshape(-1, trees, policy.shape[1]).mean(1)


class Agent:
    """V, M and a search over B games.

    Attributes:
        decode: latents (B, Z) to frames, for pictures.
        model: what the search imagines with: M itself, or a `planner.simulator.Simulator`.
    """

    def __init__(self, encode, decode, latent: LatentModel, options: config.Planner):
        self.encode, self.decode, self.latent, self.options = encode, decode, latent, options
        self.model = latent

    def see(self, obs: np.ndarray, memory: np.ndarray) -> Root:
        """Frames uint8 (B, 64, 64, 3) and memory (B, 2H) to where a search starts."""
        return self.latent.root(self.latent.states(self.encode(obs)[0], memory))

    def begin(self, games, at: np.ndarray, root: Root) -> Root:
        """Where the search starts, in the states of its model."""
        return root if self.model is self.latent else self.model.root(games, at, root)


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
    return Agent(make_encoder(vae, 256), vae.decode, latent, options)
