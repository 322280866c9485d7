"""Online bin packing: n games side by side, seen as pixels, as the pipeline sees every game.

Items come one by one; each goes into a new bin or into an open one. The state is how many open
bins are filled to each level h = 1 .. B - 1, and the size s of the item in hand. Action 0 opens a
bin; action h puts the item into one at level h. A new bin costs the space it leaves, B - s; an item
in an open bin earns s; a full bin leaves the game. So the return is minus the empty space of the
bins still open at the end. (Balaji et al. 2019, "ORL: Reinforcement Learning Benchmarks for Online
Stochastic Optimization Problems".)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Discrete

from envs.batch import Batch
from envs.policies import Policy
from envs.spec import Spec

INVALID = -100  # what an invalid action costs, beside what the last step wasted
CAPACITY, HORIZON = 30, 1000  # of the pixel task, which is the one that world models learn


class Items(NamedTuple):
    """Which items come: independent draws."""

    capacity: int
    horizon: int
    sizes: tuple[int, ...]
    chances: tuple[float, ...]


ONE_TO_NINE = tuple(range(1, 10))
PERFECT_PACK = (0.06, 0.11, 0.11, 0.22, 0.0, 0.11, 0.06, 0.0, 0.33)
BOUNDED_WASTE = (0.14, 0.10, 0.06, 0.13, 0.11, 0.13, 0.03, 0.11, 0.19)
LINEAR_WASTE = (0, 0, 0, 1 / 3, 0, 0, 0, 0, 2 / 3)

# How the waste of the best policy grows with the number of items gives the names.
ITEMS = {
    "linear": Items(9, 1000, (2, 3), (0.8, 0.2)),
    "perfect": Items(9, 1000, (2, 3), (0.75, 0.25)),
    "bounded": Items(9, 1000, (2, 3), (0.5, 0.5)),
    "pixels": Items(CAPACITY, HORIZON, ONE_TO_NINE, PERFECT_PACK),
    "large-linear": Items(100, 10_000, ONE_TO_NINE, LINEAR_WASTE),
    "large-bounded": Items(100, 10_000, ONE_TO_NINE, BOUNDED_WASTE),
    "large-perfect": Items(100, 10_000, ONE_TO_NINE, PERFECT_PACK),
}


class Bins:
    """The rules, for n games at once.

    Attributes:
        counts: int32 (n, B), open bins at each level; level 0 stays 0.
        item: int32 (n,), size of the item in hand.
        time: int32 (n,), items placed so far.
        wasted: int32 (n,), empty space that the last item added.
    """

    def __init__(self, n: int, items: Items):
        self.items = items
        self.counts = np.zeros((n, items.capacity), np.int32)
        self.item = np.zeros(n, np.int32)
        self.time = np.zeros(n, np.int32)
        self.wasted = np.zeros(n, np.int32)
        self.line = np.zeros((n, items.horizon + 1), np.int32)  # the items to come

    def reset(self, i: int, seed: int | np.random.Generator) -> None:
        """Start game i anew; its items depend on the seed alone, not on what is done with them."""
        rng = np.random.default_rng(seed)
        self.line[i] = rng.choice(self.items.sizes, self.items.horizon + 1, p=self.items.chances)
        self.counts[i] = 0
        self.time[i] = self.wasted[i] = 0
        self.item[i] = self.line[i, 0]

    def valid(self) -> np.ndarray:
        """Which actions are possible now: bool (n, B)."""
        levels = np.arange(self.items.capacity)
        fits = (self.counts > 0) & (levels <= self.items.capacity - self.item[:, None])
        fits[:, 0] = True
        return fits

    def place(self, games: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Put the items of some games into bins at valid levels, and draw the next ones.

        Args:
            games: int (k,), which. levels: int (k,), valid actions.

        Returns:
            Rewards, int (k,): minus the increment of empty space.
        """
        size, capacity = self.item[games], self.items.capacity
        new = levels == 0
        self.counts[games, levels] -= ~new
        filled = levels + size
        kept = filled < capacity
        self.counts[games[kept], filled[kept]] += 1
        self.wasted[games] = np.where(new, capacity - size, -size)
        self.next_item(games)
        return -self.wasted[games]

    def spoil(self, games: np.ndarray) -> np.ndarray:
        """Pay for invalid actions, and lose the items: rewards, int (k,)."""
        self.next_item(games)
        return INVALID - self.wasted[games]

    def next_item(self, games: np.ndarray) -> None:
        self.time[games] += 1
        self.item[games] = self.line[games, self.time[games]]

    def waste(self) -> np.ndarray:
        """Empty space of the open bins, int (n,)."""
        return self.counts @ (self.items.capacity - np.arange(self.items.capacity))


def ramp() -> np.ndarray:
    """Thirty blues from dark to pale: uint8 (30, 3) (ColorBrewer's Blues, without its two ends)."""
    stops = (
        "08306b",
        "08519c",
        "2171b5",
        "4292c6",
        "6baed6",
        "9ecae1",
        "c6dbef",
        "deebf7",
        "f7fbff",
    )
    colours = np.array([[int(s[k : k + 2], 16) for k in (0, 2, 4)] for s in stops])
    place = np.linspace(0, 8, 32)[1:-1]
    return np.stack([np.interp(place, np.arange(9), c) for c in colours.T], -1).astype(np.uint8)


def bars(most: int) -> np.ndarray:
    """What a level with 0 .. `most` bins looks like: uint8 (most + 1, 64, 3).

    Two pixels of the count's colour; for 29 bins and more, first two of the palest for each 15.
    """
    colours = ramp()
    out = np.zeros((most + 1, 64, 3), np.uint8)
    for count in range(most + 1):
        x, rest = 0, count
        while rest >= 29:
            out[count, x : x + 2] = colours[29]
            x, rest = x + 2, rest - 15
        out[count, x : x + 2] = colours[rest]
    return out


BARS = bars(435)  # as many as fit into 64 pixels
COLOURS = ramp()


def draw(counts: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Draw the pixel task: counts (n, 30), item (n,) to uint8 (n, 64, 64, 3).

    Level i owns rows 59 - 2i and 60 - 2i (the highest also row 0), the item rows 60 to 63.
    """
    n = len(item)
    picture = np.zeros((n, 64, 64, 3), np.uint8)
    rows = BARS[np.minimum(counts, len(BARS) - 1)][:, ::-1]  # the highest level first
    picture[:, 1:61] = np.repeat(rows, 2, axis=1)
    picture[:, 0] = rows[:, 0]
    picture[:, 60:] = 0
    columns = 6 * item[:, None] + np.arange(6)
    picture[np.arange(n)[:, None, None], np.arange(60, 64)[:, None], columns[:, None]] = COLOURS[
        item
    ][:, None, None]
    return picture


class BinPacking(Batch):
    """n games of the pixel task.

    An invalid action, which no agent of ours takes, costs more than 100 and loses the item.
    """

    def __init__(self, game: Spec, n: int, engine: str, max_steps: int | None, view: str, **more):
        super().__init__(game, n, max_steps, **more)
        self.bins = Bins(n, ITEMS["pixels"])

    def look(self, games: np.ndarray) -> None:
        self.obs[games] = draw(self.bins.counts[games], self.bins.item[games])
        self.mask[games] = self.bins.valid()[games]

    def begin(self, i: int, seed: int) -> None:
        """Begin game i with the items of `seed`."""
        self.bins.reset(i, seed)
        self.look(np.array([i]))

    def advance(
        self, actions: np.ndarray, playing: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Place one item in each game; see Batch."""
        reward, terminated = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool)
        valid = self.mask[playing, actions[playing]]
        good, bad = playing[valid], playing[~valid]
        reward[good] = self.bins.place(good, actions[good])
        reward[bad] = self.bins.spoil(bad)
        self.look(playing)
        terminated[playing] = self.bins.time[playing] >= HORIZON
        return reward, terminated, False


Rule = Callable[[Bins, np.random.Generator], np.ndarray]


def best_fit(bins: Bins, rng: np.random.Generator) -> np.ndarray:
    """The fullest bin that the item fits into; a new one if there is none."""
    return bins.items.capacity - 1 - bins.valid()[:, ::-1].argmax(1)


def sum_of_squares(bins: Bins, rng: np.random.Generator) -> np.ndarray:
    """What makes the sum of squared counts smallest (Csirik et al. 2006); of several the lowest."""
    n, capacity = bins.counts.shape
    levels = np.arange(capacity)
    after = np.minimum(levels + bins.item[:, None], capacity)
    counts = np.concatenate([bins.counts, np.zeros((n, 1), np.int32)], 1)
    gain = 2 * np.take_along_axis(counts, after, 1) + 1  # of the level that gets a bin
    gain = np.where(after == capacity, 0, gain)  # a full bin leaves
    loss = np.where(levels > 0, -2 * counts[:, :-1] + 1, 0)  # of the level that loses one
    return np.where(bins.valid(), gain + loss, 1 << 30).argmin(1)


def random_valid(bins: Bins, rng: np.random.Generator) -> np.ndarray:
    """Any valid action."""
    return (rng.random(bins.counts.shape) * bins.valid()).argmax(1)


def random_open(bins: Bins, rng: np.random.Generator) -> np.ndarray:
    """Any open bin that the item fits into; a new one if there is none."""
    fits = bins.valid()
    fits[:, 0] = False
    return (rng.random(bins.counts.shape) * fits).argmax(1)


RULES: dict[str, Rule] = {
    "best-fit": best_fit,
    "sum-of-squares": sum_of_squares,
    "random-open": random_open,
    "random": random_valid,
}


def play_rule(rule: Rule, items: Items, seeds: np.ndarray) -> np.ndarray:
    """Returns of a rule over one game a seed, all at once: int64 (n,)."""
    bins = Bins(len(seeds), items)
    for i, seed in enumerate(seeds):
        bins.reset(i, int(seed))
    rng, everyone = np.random.default_rng(int(seeds[0])), np.arange(len(seeds))
    returns = np.zeros(len(seeds), np.int64)
    for _ in range(items.horizon):
        returns += bins.place(everyone, rule(bins, rng))
    assert (returns == -bins.waste()).all()
    return returns


def rule(name: str, rng: np.random.Generator) -> Policy:
    """Policy of one of the rules, for the first game of a batch."""

    def act(games: Any) -> np.ndarray:
        return np.eye(CAPACITY, dtype=np.float32)[RULES[name](games.bins, rng)[0]]

    return act


def mixture(rng: np.random.Generator) -> Policy:
    """A rule drawn for the episode, with a share of random valid actions of 0 to 1: M is to see
    good and bad play."""
    name = ("best-fit", "sum-of-squares", "random-open")[rng.integers(3)]
    good, bad, share = rule(name, rng), rule("random", rng), rng.random() ** 2
    return lambda games: bad(games) if rng.random() < share else good(games)


SPECS = {
    "binpacking": Spec(
        "binpacking",
        BinPacking,
        Discrete(CAPACITY),
        max_steps=HORIZON,
        engines=("numpy",),
        official="numpy",
        solved=-26.05,  # best fit, mean of 1,000 episodes
        masked=True,
        fps=10,
        policies={"mixture": mixture, "white": functools.partial(rule, "random")},
        baselines={name: functools.partial(rule, name) for name in RULES},
    )
}
