"""The game itself as the model of a search: what planning would be worth if M were right.

A state is a snapshot of the game and the latent state that V and M make of it; policy and value
are still M's. A snapshot holds the game's random numbers too, so this planner knows what chance
will bring: an upper bound, not a player.
"""

from __future__ import annotations

import numpy as np

from planner.agent import Agent
from planner.mcts import Root, Step


class Simulator:
    """A model that steps through snapshots of games.

    Args:
        games: of envs/, with `save` and `load`; not those that are played.
        agent: sees and remembers. gamma: discount of a step.
    """

    def __init__(self, games, agent: Agent, gamma: float):
        self.games, self.agent, self.gamma = games, agent, gamma

    def root(self, games, at: np.ndarray, root: Root) -> Root:
        """Where a search starts in the games `at` (B,) that are being played."""
        states = np.empty(len(at), object)
        states[:] = [(games.save(i), row) for i, row in zip(at, root.states, strict=True)]
        return root._replace(states=states)

    def step(self, states: np.ndarray, actions: np.ndarray) -> Step:
        """Play one step from each snapshot; see planner/mcts.py."""
        games, count = self.games, len(states)
        games.over[:] = True
        for i, (snapshot, _) in enumerate(states):
            games.load(i, snapshot)
        played = np.zeros(len(games.obs), int)
        played[:count] = actions
        _, reward, terminated, _, _ = games.step(played)
        latent = self.agent.latent
        rows = np.stack([row for _, row in states])
        memory = latent.memory(latent.remember(rows, actions))
        root = self.agent.see(games.obs[:count], memory)
        after = self.root(games, np.arange(count), root)
        discount = self.gamma * (1 - terminated[:count].astype(np.float32))
        return Step(after.states, reward[:count], discount, root.logits, root.value)
