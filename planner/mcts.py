"""Monte Carlo tree search, batched over games in NumPy (MuZero, appendix B).

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
    """The constants of a search; see the options of the same names in stages.py."""

    simulations: int = 50
    timeout: float = 0.0
    c: float = 1.25
    c_base: float = 19652.0
    max_depth: int = 0
    root: str = "puct"
    considered: int = 16


class SearchError(ValueError):
    """A search that cannot be; its text is one sentence."""


class Tree:
    """The trees of B games. Node k of game b is k * B + b in flat arrays; edges are (A, N * B), so
    that sums over actions run along memory.

    Attributes:
        count, value: visits and mean value of each node (N * B,); raw_value: the model's.
        prior, logits: the policy at each node (A, N * B).
        edge_visits, edge_q: visits and value of each edge (A, N * B).
        child: node at the end of each edge, -1 if there is none yet; reward, discount: of it.
        best: the edge of each node that is walked next; follow: the node there, or the node itself
        where a walk ends.
    """

    def __init__(self, root: Root, prior: np.ndarray, settings: Settings):
        games, actions = root.logits.shape
        nodes = (settings.simulations or MOST) + 1
        self.games, self.actions, self.nodes, self.settings = games, actions, nodes, settings
        size = games * nodes
        self.roots = np.arange(games)
        self.count = np.zeros(size, np.float32)
        self.value = np.zeros(size, np.float32)
        self.raw_value = np.zeros(size, np.float32)
        self.depth = np.zeros(size, np.int32)
        self.over = np.zeros(size, bool)  # nothing is walked below: the game or the depth ends
        self.best = np.zeros(size, np.int64)
        self.follow = np.arange(size)
        self.masked = bool((root.logits == -np.inf).any())
        self.child = np.full((actions, size), -1)
        self.stats = np.zeros((3, actions, size), np.float32)
        self.edge_visits, self.edge_q, self.prior = self.stats
        self.logits, self.reward, self.discount = np.zeros((3, actions, size), np.float32)
        self.states = np.empty((size, *root.states.shape[1:]), root.states.dtype)
        self.simulations = 0
        self.states[self.roots] = root.states
        self.raw_value[self.roots] = self.value[self.roots] = root.value
        self.prior[:, self.roots], self.logits[:, self.roots] = prior.T, root.logits.T
        self.count[self.roots] = 1

    def visits(self) -> np.ndarray:
        """Visits of the roots' edges: int (B, A)."""
        return self.edge_visits[:, self.roots].T.astype(int)

    def policy(self) -> np.ndarray:
        """What a policy is to learn of this search: the shares of the visits, (B, A)."""
        visits = self.edge_visits[:, self.roots].T
        return visits / visits.sum(1, keepdims=True)

    def max_depth(self) -> np.ndarray:
        """Depth of each game's deepest node: (B,)."""
        return self.depth.reshape(-1, self.games).max(0)

    def walk(self) -> tuple[np.ndarray, np.ndarray]:
        """Follow the best edges from the roots to where the trees end.

        Returns:
            Nodes and actions (D, B) along the paths; a path that is shorter repeats its last node.
        """
        nodes = [self.roots]
        while True:
            after = self.follow[nodes[-1]]
            if (after == nodes[-1]).all():
                path = np.array(nodes)
                return path, self.best[path]
            nodes.append(after)

    def expand(self, model: Model, node: np.ndarray, action: np.ndarray) -> np.ndarray:
        """Ask the model where the edges (node, action) lead, and keep it; returns the nodes there.

        An end that was there before (of the game, or the depth allowed) is not asked again.
        """
        leaf = self.child[action, node]
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
        self.reward[action, node], self.discount[action, node] = step.reward, step.discount
        end = step.discount == 0
        self.raw_value[new] = np.where(end, 0, step.value)
        self.logits[:, new], self.prior[:, new] = step.logits.T, softmax(step.logits).T
        self.masked |= bool((step.logits == -np.inf).any())
        depth = self.depth[node] + 1
        self.depth[new], self.over[new] = depth, end | (depth == self.settings.max_depth)
        self.child[action, node] = leaf[fresh]
        return leaf

    def back_up(self, nodes: np.ndarray, actions: np.ndarray, leaf: np.ndarray) -> np.ndarray:
        """Add the value of the leaves to all edges and nodes above them (MuZero, equation 3).

        Returns:
            The nodes (P,) that have changed.
        """
        live = np.ones(nodes.shape, bool)
        np.not_equal(nodes[1:], nodes[:-1], out=live[1:])
        edges = actions * self.child.shape[1] + nodes
        reward, discount = self.reward.take(edges), self.discount.take(edges)
        reward[~live], discount[~live] = 0, 1
        gains = np.empty((len(nodes) + 1, self.games), np.float32)
        gains[-1] = self.raw_value[leaf]
        for d in range(len(nodes) - 1, -1, -1):
            np.multiply(discount[d], gains[d + 1], out=gains[d])
            gains[d] += reward[d]
        live = np.concatenate([live, np.ones((1, self.games), bool)])
        changed = np.concatenate([nodes, leaf[None]])[live]
        count = self.count[changed]
        self.count[changed] = count + 1
        self.value[changed] = (self.value[changed] * count + gains[live]) / (count + 1)
        live = live[:-1]
        edges = edges[live]
        self.edge_visits.reshape(-1)[edges] += 1
        after = self.value[self.child.take(edges)]
        self.edge_q.reshape(-1)[edges] = reward[live] + discount[live] * after
        return changed

    @staticmethod
    def normalized_q(visits: np.ndarray, q: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Scale values (A, P) of edges to 0..1 among themselves and the node's own.

        An edge that was never tried has the least value.

        Args:
            visits, q: of the edges (A, P). own: value of the nodes (P,).
        """
        tried = visits > 0
        safe = np.where(tried, q, own)
        low, high = np.minimum(safe.min(0), own), np.maximum(safe.max(0), own)
        return np.where(tried, q - low, 0) / np.maximum(high - low, np.float32(EPSILON))

    def choose(self, node: np.ndarray) -> None:
        """Find the best edge of nodes (P,) anew: Q + prior * c * sqrt(N) / (1 + n)."""
        settings, count = self.settings, self.count[node]
        weight = settings.c + np.log((count + settings.c_base + 1) / settings.c_base)
        visits, q, prior = self.stats[:, :, node]
        prior *= np.sqrt(count) * weight
        prior /= visits + 1
        self.take_best(node, prior + self.normalized_q(visits, q, self.value[node]))

    def take_best(self, node: np.ndarray, score: np.ndarray) -> None:
        """Keep the valid edges of the largest scores (A, P) of nodes (P,), and where they lead."""
        if self.masked:
            score[self.logits[:, node] == -np.inf] = -np.inf
        self.best[node] = best = score.argmax(0)
        after = self.child[best, node]
        ends = (after < 0) | self.over[after]
        self.follow[node] = np.where(ends, node, after)


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
    tree.choose(tree.roots)
    settings = tree.settings
    until = time.monotonic() + settings.timeout if settings.timeout else np.inf
    while tree.simulations < tree.nodes - 1 and (not tree.simulations or time.monotonic() < until):
        simulate(tree, model)
    if not np.isfinite(tree.value[tree.roots]).all():
        raise SearchError("a value within the search is not finite: the model is broken")


def simulate(tree: Tree, model: Model) -> None:
    """Play one simulation in all games."""
    nodes, actions = tree.walk()
    leaf = tree.expand(model, nodes[-1], actions[-1])
    changed = tree.back_up(nodes, actions, leaf)
    tree.simulations += 1
    tree.choose(changed)
