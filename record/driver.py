"""The one loop that plays games: for recording, evolution, evaluation, planning and pictures.

    for played in play(games, agent, seeds):
        print(played.seed, played.total, played.length)

Who plays is an argument, an `Agent`. A slot is one of the games side by side; when an episode ends,
the next one begins in its slot. So a batch is full as long as there is work, and what an episode is
depends on its seed alone (but for the rounding of sums in differently sized batches).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

import config
import envs
from envs.batch import Batch
from envs.policies import Policy
from record.episodes import Episode

Notes = dict[str, np.ndarray]


class Agent(Protocol):
    """Who plays. It keeps what it remembers of each game itself, a row a slot."""

    def begin(self, slot: int, number: int, seed: int) -> None:
        """Forget what was played in a slot: the episode `number` of those asked for begins there.

        All chance of the agent's in it comes from its seed.
        """

    def act(self, games: Batch, at: np.ndarray) -> tuple[np.ndarray, Notes]:
        """Choose what is played next in the slots `at`, int (k,), where `games` shows obs and mask.

        Returns:
            Actions as M is told them, float32 (k, A); and what else is to be kept of the step, by
            name, (k, ...) each: `policy`, what a search makes of it, goes to the episode.
        """


class Turn(NamedTuple):
    """A step that is about to be played in k of the games."""

    at: np.ndarray  # int (k,): the slots
    vectors: np.ndarray  # float32 (k, A): what the agent chose
    notes: Notes
    total: np.ndarray  # float64 (k,): return so far
    length: np.ndarray  # int (k,): steps so far


Watch = Callable[[Turn], np.ndarray | None]


class Played(NamedTuple):
    """An episode that has ended."""

    number: int  # which of those asked for
    seed: int
    total: float  # its return
    length: int
    episode: Episode | None = None  # all of it, if it was kept
    notes: Notes | None = None  # and what the agent noted at each step, (T, ...) each


class Tape:
    """What is kept of the episode in a slot while it is played."""

    def __init__(self, games: Batch, slot: int):
        self.games, self.slot = games, slot
        self.obs, self.mask, self.action, self.reward = [], [], [], []
        self.names: tuple[str, ...] = ()
        self.notes: list[tuple] = []
        self.see()

    def see(self) -> None:
        """Keep what the game shows now."""
        mask = self.games.mask
        self.obs.append(self.games.obs[self.slot].copy())
        self.mask.append(np.zeros(0, bool) if mask is None else mask[self.slot].copy())

    def add(self, vector: np.ndarray, reward: np.float32, names: tuple, notes: tuple) -> None:
        """Keep a step that has just been played."""
        game = self.games.game
        if game.discrete:
            self.action.append(np.int32(game.to_actions(vector)))
        else:  # what was played, not what was wished for: M would never meet that
            self.action.append(np.clip(vector, game.action_space.low, game.action_space.high))
        self.reward.append(reward)
        self.names = names
        self.notes.append(notes)
        self.see()

    def finish(self, terminated: np.bool_, truncated: np.bool_) -> tuple[Episode, Notes]:
        """The episode, and the notes of its steps."""
        columns = zip(*self.notes, strict=True)
        notes = {k: np.stack(v) for k, v in zip(self.names, columns, strict=False)}
        episode = Episode(
            obs=np.stack(self.obs),
            action=np.stack(self.action),
            reward=np.array(self.reward, np.float32),
            terminated=terminated,
            truncated=truncated,
            mask=np.stack(self.mask),
            policy=notes.pop("policy", None),
        )
        return episode, notes


def play(
    games: Batch,
    agent: Agent,
    seeds: Sequence[int],
    *,
    keep: bool = False,
    watch: Watch | None = None,
    quota: float = math.inf,
    budget: float = math.inf,
    begun: bool = False,
    stall: int = 0,
) -> Iterator[Played]:
    """Play an episode a seed, and yield each when it ends.

    Args:
        games: as many side by side as are to be played at once.
        keep: keep all of every episode; else its return and length alone, and nothing is copied.
        watch: is shown each step before it is played; what it returns, unless None, is played in
            place of what the agent chose.
        quota: frames after which no other episode begins.
        budget: frames after which play stops; what is not over then is lost.
        begun: the first episodes begin where the games stand, and not anew.
        stall: steps after which an episode ends whose return has not risen above its highest; what
            it lost in them it is taken to lose on, up to the longest episode (0: never).
    """
    game, n = games.game, games.num_envs
    number = np.full(n, -1)  # of the episode in each slot
    total, length = np.zeros(n), np.zeros(n, int)
    highest, risen = np.zeros(n), np.zeros(n, int)  # return so far, and after how many steps
    actions = np.zeros((n, game.action_size), np.float32)
    tapes: list[Tape | None] = [None] * n
    following = 0
    while True:
        if following < len(seeds) and quota > 0 and (number < 0).any():
            free = np.flatnonzero(number < 0)[: len(seeds) - following]
            number[free] = following + np.arange(len(free))
            following += len(free)
            if not begun:
                start(games, free, [int(seeds[k]) for k in number[free]])
            begun = False
            total[free], length[free], highest[free], risen[free] = 0, 0, 0, 0
            for slot in free:
                agent.begin(slot, number[slot], int(seeds[number[slot]]))
                tapes[slot] = Tape(games, slot) if keep else None
        at = np.flatnonzero(number >= 0)
        if not len(at) or budget <= 0:
            return
        quota, budget = quota - len(at), budget - len(at)
        vectors, notes = agent.act(games, at)
        actions[at] = vectors
        if watch is not None:
            other = watch(Turn(at, vectors, notes, total[at], length[at]))
            actions[at] = vectors if other is None else other
        _, reward, terminated, truncated, _ = games.step(game.to_actions(actions))
        total[at] += reward[at]
        length[at] += 1
        if keep:
            for k, slot in enumerate(at):
                row = tuple(values[k] for values in notes.values())
                tapes[slot].add(actions[slot].copy(), reward[slot], tuple(notes), row)
        if stall:
            rising = at[total[at] > highest[at]]
            highest[rising], risen[rising] = total[rising], length[rising]
            stuck = at[(length - risen >= stall)[at] & ~games.over[at]]
            left = min(games.max_steps, games.longest) - length[stuck]
            total[stuck] += left * (total - highest)[stuck] / stall
            games.over[stuck] = truncated[stuck] = True
        for slot in at[(terminated | truncated)[at]]:
            which = int(number[slot])
            said = which, int(seeds[which]), float(total[slot]), int(length[slot])
            kept = tapes[slot].finish(terminated[slot], truncated[slot]) if keep else ()
            yield Played(*said, *kept)
            number[slot] = -1


def start(games: Batch, slots: np.ndarray, seeds: list[int]) -> None:
    """Start the games of some slots anew, each with its seed."""
    mask = np.zeros(games.num_envs, bool)
    mask[slots] = True
    every = np.zeros(games.num_envs, int)
    every[slots] = seeds
    games.reset(seed=every.tolist(), options={"reset_mask": mask})


class Single:
    """A policy of the first game as an agent: made anew for every episode, from its seed."""

    def __init__(self, make: Callable[[int], Policy]):
        self.make = make

    def begin(self, slot: int, number: int, seed: int) -> None:
        self.policy = self.make(seed)

    def act(self, games: Batch, at: np.ndarray) -> tuple[np.ndarray, Notes]:
        return self.policy(games)[None], {}


def make_games(
    cfg: config.Config, n: int, engine: str | None = None, max_steps: int | None = None
) -> Batch:
    """Make n of the games of a run, seen as it sees them.

    Raises:
        RunError: there is no such engine, or a package is missing.
    """
    return envs.load(cfg.game).make(n, engine, max_steps, view=cfg.record.view)


@functools.cache
def one_game(cfg: config.Config, engine: str, max_steps: int | None) -> Batch:
    """This worker's game for baselines, made once."""
    return make_games(cfg, 1, engine, max_steps)


def play_baseline(
    cfg: config.Config, name: str, engine: str, seeds: Sequence[int], max_steps: int | None = None
) -> list[Played]:
    """Play a baseline of a run's game, which has learned nothing: an episode a seed."""
    make = envs.load(cfg.game).baselines[name]
    agent = Single(lambda seed: make(np.random.default_rng([seed, 3])))
    return list(play(one_game(cfg, engine, max_steps), agent, seeds))
