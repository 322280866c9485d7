"""Monte Carlo tree search, batched over games in NumPy and numba (MuZero, appendix B).

    tree = search(model, Root(states, logits, value), Settings(simulations=50))
    tree.visits()                # (B, A)

A model moves states on; what a state is, only the model knows (latents, boards, snapshots of a
game). In each simulation every game walks down its own tree, the model is asked once for all, and
what came is backed up. B games, A actions, N nodes a tree, of which number 0 is the root.

The score of an edge depends on its node alone, so only the nodes on the last path have to choose
anew: each node keeps its best edge and where that leads, and walking down is following pointers.
"""

from __future__ import annotations

import dataclasses
import time
from typing import NamedTuple, Protocol

import numpy as np

from planner import kernels

EPSILON = 1e-8
MOST = 1000  # simulations of a search that only time limits


class Step(NamedTuple):
    """What a model says of a batch of edges."""

    states: np.ndarray  # (B, ...), after the step
    reward: np.ndarray  # float32 (B,), of the step
    discount: np.ndarray  # float32 (B,), of what comes after; 0: it is over; < 0: the other's turn
    logits: np.ndarray  # float32 (B, A), the policy there; -inf: not valid
    value: np.ndarray  # float32 (B,), of the state


class Model(Protocol):
    """What a search plans with."""

    def step(self, states: np.ndarray, actions: np.ndarray) -> Step:
        """Move states (B, ...) on by actions int (B,); `states` is a copy and may be written to."""


class Root(NamedTuple):
    """Where a search starts, all games at once."""

    states: np.ndarray  # (B, ...)
    logits: np.ndarray  # (B, A)
    value: np.ndarray  # (B,)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The constants of a search; see the options in config/alphazero.py.

    Attributes:
        bounds: the least and the largest value there can be; none: those met around a node.
    """

    simulations: int = 50
    timeout: float = 0.0
    c: float = 1.25
    c_base: float = 19652.0
    max_depth: int = 0
    root: str = "puct"
    considered: int = 16
    bounds: tuple[float, ...] = ()


class SearchError(ValueError):
    """A search that cannot be; its text is one sentence."""


class Tree:
    """The trees of B games. Node k of game b is row k * B + b of flat arrays.

    Attributes:
        count, value: visits and mean value of each node (N * B,); raw_value: the model's.
        prior, logits: the policy at each node (N * B, A).
        edge_visits, edge_q: visits and value of each edge (N * B, A).
        child: node at the end of each edge, -1 if there is none yet; reward, discount: of it.
        best: the edge of each node that is walked next; follow: the node there, or the node itself
        where a walk ends.
    """

    def __init__(self, root: Root, prior: np.ndarray, settings: Settings):
        games, actions = root.logits.shape
        nodes = (settings.simulations or MOST) + 1
        self.games, self.actions, self.nodes, self.settings = games, actions, nodes, settings
        size = games * nodes
        self.bounds = np.array(settings.bounds, np.float32)
        self.roots = np.arange(games)
        self.count, self.value, self.raw_value = np.zeros((3, size), np.float32)
        self.depth = np.zeros(size, np.int32)
        self.over = np.zeros(size, bool)  # nothing is walked below: the game or the depth ends
        self.best = np.zeros(size, np.int64)
        self.follow = np.arange(size)
        self.child = np.full((size, actions), -1)
        self.edge_visits, self.edge_q, self.prior = np.zeros((3, size, actions), np.float32)
        self.logits, self.reward, self.discount = np.zeros((3, size, actions), np.float32)
        self.states = np.empty((size, *root.states.shape[1:]), root.states.dtype)
        self.path = np.zeros((games, nodes), np.int64)
        self.length = np.zeros(games, np.int64)
        self.simulations = 0
        self.states[:games] = root.states
        self.raw_value[:games] = self.value[:games] = root.value
        self.prior[:games], self.logits[:games] = prior, root.logits
        self.count[:games] = 1

    def visits(self) -> np.ndarray:
        """Visits of the roots' edges: int (B, A)."""
        return self.edge_visits[: self.games].astype(int)

    def policy(self) -> np.ndarray:
        """What a policy is to learn of this search: the shares of the visits, (B, A)."""
        visits = self.edge_visits[: self.games]
        return visits / visits.sum(1, keepdims=True)

    def action(self) -> np.ndarray:
        """The move (B,): the most visited."""
        return self.edge_visits[: self.games].argmax(1)

    def max_depth(self) -> np.ndarray:
        """Depth of each game's deepest node: (B,)."""
        return self.depth.reshape(-1, self.games).max(0)

    def simulate(self, model: Model) -> None:
        """Play one simulation in all games."""
        kernels.walk(self.follow, self.path, self.length)
        leaf = self.expand(model, self.path[self.roots, self.length - 1])
        edges = self.edge_visits, self.edge_q
        kernels.back_up(
            self.path, self.length, leaf, self.best, self.child, self.reward, self.discount,
            self.raw_value, self.value, self.count, *edges,
        )  # fmt: skip
        self.simulations += 1
        self.choose(leaf)

    def expand(self, model: Model, node: np.ndarray) -> np.ndarray:
        """Ask the model where the best edges of nodes (B,) lead; returns the nodes there.

        An end that was there before (of the game, or the depth allowed) is not asked again.
        """
        action = self.best[node]
        leaf = self.child[node, action]
        fresh = leaf < 0
        if not fresh.any():
            return leaf
        first = (self.simulations + 1) * self.games
        leaf = np.where(fresh, self.roots + first, leaf)
        new: slice | np.ndarray = slice(first, first + self.games)
        if not fresh.all():
            node, action, new = node[fresh], action[fresh], leaf[fresh]
        step = model.step(self.states[node], action)
        self.states[new] = step.states
        self.reward[node, action], self.discount[node, action] = step.reward, step.discount
        end = step.discount == 0
        self.raw_value[new] = np.where(end, 0, step.value)
        self.logits[new], self.prior[new] = step.logits, softmax(step.logits)
        depth = self.depth[node] + 1
        self.depth[new], self.over[new] = depth, end | (depth == self.settings.max_depth)
        self.child[node, action] = leaf[fresh]
        return leaf

    def choose(self, leaf: np.ndarray) -> None:
        """Find the best edges of the nodes on the last paths and of their leaves (B,) anew."""
        settings = self.settings
        kernels.choose(
            self.path, self.length, leaf, settings.c, settings.c_base, self.bounds, self.logits,
            self.prior, self.value, self.count, self.edge_visits, self.edge_q, self.child,
            self.over, self.best, self.follow,
        )  # fmt: skip

    def changed(self, leaf: np.ndarray) -> np.ndarray:
        """The nodes (P,) on the last paths, and their leaves (B,)."""
        on = np.arange(self.length.max()) < self.length[:, None]
        return np.concatenate([self.path[:, : on.shape[1]][on], leaf])


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits (B, A); rows without a valid action stay zero."""
    top = logits.max(1, keepdims=True)
    raised = np.exp(logits - np.where(np.isfinite(top), top, 0))
    return raised / np.maximum(raised.sum(1, keepdims=True), np.float32(EPSILON))


def check(root: Root, settings: Settings) -> None:
    """Refuse a root that cannot be planned from.

    Raises:
        SearchError: says why.
    """
    if not settings.simulations and not settings.timeout:
        raise SearchError("a search needs n_simulations or a timeout")
    if np.isnan(root.logits).any() or (root.logits == np.inf).any():
        raise SearchError("the policy of the root is not finite: the model is broken")
    if not np.isfinite(root.value).all():
        raise SearchError("the value of the root is not finite: the model is broken")
    if (root.logits == -np.inf).all(1).any():
        raise SearchError("no action is valid at the root: its game is over")


def search(
    model: Model, root: Root, settings: Settings, noise: tuple[np.ndarray, float] | None = None
) -> Tree:
    """Plan from a batch of states.

    Args:
        noise: (B, A) of a Dirichlet distribution, and its share of the root's prior.

    Returns:
        The trees; `visits()` is what a move is chosen by.

    Raises:
        SearchError: nothing can be planned here.
    """
    check(root, settings)
    if settings.root == "gumbel":
        raise SearchError("a gumbel root has a search of its own, in planner/gumbel.py")
    prior = softmax(root.logits)
    if noise is not None:
        valid = root.logits > -np.inf
        drawn = noise[0] * valid
        drawn /= np.maximum(drawn.sum(1, keepdims=True), EPSILON)
        prior = ((1 - noise[1]) * prior + noise[1] * drawn).astype(np.float32)
    tree = Tree(root, prior, settings)
    grow(tree, model)
    return tree


def grow(tree: Tree, model: Model) -> None:
    """Play simulations until their number or the time is up.

    Raises:
        SearchError: the model said something that is not finite.
    """
    tree.choose(tree.roots)  # the paths are empty yet
    settings = tree.settings
    until = time.monotonic() + settings.timeout if settings.timeout else np.inf
    while tree.simulations < tree.nodes - 1 and (not tree.simulations or time.monotonic() < until):
        tree.simulate(model)
    if not np.isfinite(tree.value[tree.roots]).all():
        raise SearchError("a value within the search is not finite: the model is broken")
