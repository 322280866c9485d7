"""Play episodes with a search, many games side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from envs.batch import Batch
from planner.agent import Agent, Decision, decide
from planner.mcts import Root
from record import driver
from record.driver import Notes
from record.episodes import Episode


class Played(NamedTuple):
    """An episode and how it was planned."""

    seed: int
    episode: Episode
    depth: float  # mean depth of its trees
    entropy: float  # mean entropy of the roots' policies, in nats


class Player:
    """V, M and a search as an agent of the driver, for n games.

    An episode's chance (noise, drawn moves) comes from `chance` and its seed alone.

    Args:
        explore: noise on the roots, and moves drawn as the options say; else greedy.

    Attributes:
        choice: what was decided last.
    """

    def __init__(self, agent: Agent, n: int, explore: bool = False, chance: Sequence[int] = (0,)):
        self.agent, self.explore, self.chance = agent, explore, tuple(chance)
        self.memory = np.zeros((n, 2 * agent.latent.hidden), np.float32)
        self.moves = np.zeros(n, int)
        self.rngs: list[np.random.Generator | None] = [None] * n
        self.choice: Decision | None = None

    def begin(self, slot: int, number: int, seed: int) -> None:
        self.memory[slot], self.moves[slot] = 0, 0
        self.rngs[slot] = np.random.default_rng([*self.chance, seed])

    def see(self, games: Batch, at: np.ndarray) -> Root:
        """The latent states of the games `at`, int (k,)."""
        return self.agent.see(games.obs[at], self.memory[at])

    def act(self, games: Batch, at: np.ndarray) -> tuple[np.ndarray, Notes]:
        agent, latent, options = self.agent, self.agent.latent, self.agent.options
        root = self.see(games, at)
        where = root if agent.model is latent else agent.model.root(games, at, root)
        rngs = [self.rngs[i] for i in at]
        choice = decide(agent.model, where, options, self.moves[at], rngs, self.explore)
        z = root.states[:, latent.z_at].copy()
        self.memory[at] = latent.memory(latent.remember(root.states, choice.actions))
        self.moves[at] += 1
        self.choice = choice
        depth = np.zeros(len(at))
        if choice.tree is not None:
            depth = choice.tree.max_depth().reshape(len(at), -1).mean(1)
        entropy = -(choice.policy * np.log(choice.policy + 1e-9)).sum(1)
        vectors = games.game.one_hot(choice.actions)
        return vectors, {"policy": choice.policy, "depth": depth, "entropy": entropy, "z": z}


class Sleeper(Player):
    """The same in dreams (rnn/dream_games.py), where M's memory is the dream's own."""

    def see(self, games: Batch, at: np.ndarray) -> Root:
        memory = np.concatenate([games.h[at], games.c[at]], 1)
        return self.agent.latent.root(self.agent.latent.states(games.obs[at], memory))


def play(
    games: Batch,
    agent: Agent,
    seeds: list[int],
    explore: bool,
    chance: tuple[int, ...] = (0,),
    quota: float = math.inf,
    budget: float = math.inf,
) -> Iterator[Played]:
    """Play one episode a seed to learn from; arguments as of `Player` and `record.driver.play`."""
    player = Player(agent, games.num_envs, explore, chance)
    for played in driver.play(games, player, seeds, keep=True, quota=quota, budget=budget):
        depth, entropy = (float(np.mean(played.notes[name])) for name in ("depth", "entropy"))
        yield Played(played.seed, played.episode, depth, entropy)
