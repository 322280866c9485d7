"""Play episodes with a search, many games side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from planner.agent import Agent, decide
from record.episodes import Episode


class Played(NamedTuple):
    """An episode and how it was planned."""

    seed: int
    episode: Episode
    depth: float  # mean depth of its trees
    entropy: float  # mean entropy of the roots' policies, in nats


class Slot:
    """One game being played."""

    def __init__(self, games, i: int, seed: int, memory: int, entropy: tuple[int, ...]):
        games.start(i, seed)
        self.i, self.seed = i, seed
        self.rng = np.random.default_rng([*entropy, seed])
        self.memory = np.zeros(memory, np.float32)
        self.obs = [games.obs[i].copy()]
        self.rows: list[tuple] = []

    def finish(self, terminated: bool, truncated: bool) -> Played:
        """What was played."""
        action, reward, policy, depth, entropy = zip(*self.rows, strict=True)
        episode = Episode(
            obs=np.stack(self.obs),
            action=np.array(action, np.int32),
            reward=np.array(reward, np.float32),
            terminated=np.bool_(terminated),
            truncated=np.bool_(truncated),
            mask=np.zeros((len(self.obs), 0), bool),
            policy=np.stack(policy),
        )
        return Played(self.seed, episode, float(np.mean(depth)), float(np.mean(entropy)))


def play(
    games,
    agent: Agent,
    seeds: list[int],
    explore: bool,
    entropy: tuple[int, ...] = (0,),
    quota: float = math.inf,
    budget: float = math.inf,
) -> Iterator[Played]:
    """Play one episode a seed; yields them as they end.

    An episode's chance (noise, drawn moves) comes from `entropy` and its seed alone, so it does not
    depend on what is played beside it, but for the rounding of sums in differently sized batches.

    Args:
        games: of envs/, as many side by side as are to be played at once.
        quota: frames after which no other episode begins.
        budget: frames after which play stops; what is not over then is lost.
    """
    waiting, size = iter(seeds), 2 * agent.latent.hidden
    slots = [Slot(games, i, s, size, entropy) for i, s in zip(range(len(games.obs)), waiting)]  # noqa: B905
    while slots and budget > 0:
        quota, budget = quota - len(slots), budget - len(slots)
        at = np.array([slot.i for slot in slots])
        root = agent.see(games.obs[at], np.stack([slot.memory for slot in slots]))
        moves = np.array([len(slot.rows) for slot in slots])
        rngs = [slot.rng for slot in slots]
        states = agent.begin(games, at, root)
        choice = decide(agent.model, states, agent.options, moves, rngs, explore)
        memory = agent.latent.memory(agent.latent.remember(root.states, choice.actions))
        played = np.zeros(len(games.obs), int)
        played[at] = choice.actions
        _, reward, terminated, truncated, _ = games.step(played)
        trees = max(1, agent.options.determinisations)
        depth = np.zeros(len(at))
        if choice.tree is not None:
            depth = choice.tree.max_depth().reshape(-1, trees).mean(1)
        entropies = -(choice.policy * np.log(choice.policy + 1e-9)).sum(1)
        left = []
        for k, slot in enumerate(slots):
            i = slot.i
            slot.memory = memory[k]
            slot.obs.append(games.obs[i].copy())
            row = choice.actions[k], reward[i], choice.policy[k], depth[k], entropies[k]
            slot.rows.append(row)
            if not (terminated[i] or truncated[i]):
                left.append(slot)
                continue
            yield slot.finish(terminated[i], truncated[i])
            seed = next(waiting, None) if quota > 0 else None
            if seed is not None:
                left.append(Slot(games, i, seed, size, entropy))
        slots = left
