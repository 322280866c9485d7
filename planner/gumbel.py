"""A search for few simulations: a Gumbel root with sequential halving (Danihelka et al. 2022,
"Policy improvement by planning with Gumbel"), on the trees of planner/mcts.py.

The root tries the actions with the largest g + logit, gives all of them the same visits, halves
them by g + logit + sigma(q), and so on. Inside, the improved policy is followed without noise.
"""

from __future__ import annotations

import functools

import numpy as np

import runs
from planner.mcts import (
    EPSILON,
    Model,
    Root,
    SearchError,
    Settings,
    Tree,
    check,
    grow,
    search,
    softmax,
)

VALUE_SCALE, MAX_VISIT_INIT = 0.1, 50.0  # sigma's constants, the paper's


@functools.cache
def halving(considered: int, simulations: int) -> np.ndarray:
    """How many visits the action has that each simulation tries: int (simulations,).

    Rounds of equally many visits for `considered` actions, then half of them, down to two.
    """
    rounds = max(1, int(np.ceil(np.log2(max(considered, 2)))))
    sequence: list[int] = []
    visits, left = 0, considered
    while len(sequence) < simulations:
        for _ in range(max(1, simulations // (rounds * left))):
            sequence += [visits] * left
            visits += 1
        left = max(min(2, considered), left // 2)
    return np.array(sequence[:simulations])


class GumbelTree(Tree):
    """Trees whose edges are chosen as above.

    Args:
        gumbel: noise (B, A) of the roots; zero plays the improved policy's best action.
    """

    def __init__(self, root: Root, settings: Settings, gumbel: np.ndarray):
        super().__init__(root, softmax(root.logits), settings)
        self.gumbel = gumbel
        valid = (root.logits > -np.inf).sum(1)
        counts = np.minimum(valid, settings.considered)
        self.plan = np.stack([halving(int(n), self.nodes - 1) for n in counts])

    def sigma_q(self, node: np.ndarray) -> np.ndarray:
        """Completed and scaled values of the edges of nodes (P,): (P, A) (section 4, equation 8).

        An edge that was never tried has the mixed value of the node (appendix D, equation 33).
        """
        visits, q, prior = self.edge_visits[node], self.edge_q[node], self.prior[node]
        tried, total, tiny = visits > 0, visits.sum(1), np.finfo(np.float32).tiny
        known = np.where(tried, np.maximum(prior, tiny), 0)
        mean = (known * q).sum(1) / np.maximum(known.sum(1), tiny)
        mixed = (self.raw_value[node] + total * mean) / (total + 1)
        full = np.where(tried, q, mixed[:, None])
        low, high = full.min(1, keepdims=True), full.max(1, keepdims=True)
        scale = VALUE_SCALE * (MAX_VISIT_INIT + visits.max(1, keepdims=True))
        return (scale * (full - low) / np.maximum(high - low, EPSILON)).astype(np.float32)

    def improved(self, node: np.ndarray) -> np.ndarray:
        """The improved policy of nodes (P,), softmax(logits + sigma(q)): (P, A) (equation 7)."""
        return softmax(self.logits[node] + self.sigma_q(node))

    def root_score(self, wanted: np.ndarray) -> np.ndarray:
        """g + logit + sigma(q) of the roots' edges that have `wanted` (B,) visits, others -inf."""
        score = self.gumbel + self.logits[self.roots] + self.sigma_q(self.roots)
        return np.where(self.edge_visits[self.roots] == wanted[:, None], score, -np.inf)

    def choose(self, leaf: np.ndarray) -> None:
        node = self.changed(leaf)
        inside = node[self.depth[node] > 0]
        if len(inside):
            visits = self.edge_visits[inside]
            score = self.improved(inside) - visits / (1 + visits.sum(1, keepdims=True))
            self.take_best(inside, score)
        if self.simulations < self.plan.shape[1]:
            self.take_best(self.roots, self.root_score(self.plan[:, self.simulations]))

    def take_best(self, node: np.ndarray, score: np.ndarray) -> None:
        """Keep the valid edges of the largest scores (P, A) of nodes (P,), and where they lead."""
        score[self.logits[node] == -np.inf] = -np.inf
        self.best[node] = best = score.argmax(1)
        after = self.child[node, best]
        self.follow[node] = np.where((after < 0) | self.over[after], node, after)

    def policy(self) -> np.ndarray:
        """The roots' improved policies: (B, A)."""
        return self.improved(self.roots)

    def action(self) -> np.ndarray:
        """The move (B,): the best of the most visited actions."""
        return self.root_score(self.edge_visits[self.roots].max(1)).argmax(1)


def gumbel_search(model: Model, root: Root, settings: Settings, gumbel: np.ndarray) -> GumbelTree:
    """Plan from a batch of states with a Gumbel root; `action()` is the move.

    Args:
        gumbel: standard Gumbel noise (B, A), or zeros.

    Raises:
        SearchError: nothing can be planned here.
    """
    check(root, settings)
    tree = GumbelTree(root, settings, gumbel)
    grow(tree, model)
    return tree


def plan(
    model: Model,
    root: Root,
    settings: Settings,
    gumbel: np.ndarray | None = None,
    noise: tuple[np.ndarray, float] | None = None,
) -> Tree:
    """Plan from a batch of states with the root that the settings name.

    Args:
        gumbel: of a gumbel root, as of `gumbel_search` (default: zeros).
        noise: of a puct root, as of `planner.mcts.search`.

    Raises:
        RunError: nothing can be planned here.
    """
    try:
        if settings.root == "gumbel":
            gumbel = np.zeros(root.logits.shape) if gumbel is None else gumbel
            return gumbel_search(model, root, settings, gumbel)
        return search(model, root, settings, noise)
    except SearchError as error:
        raise runs.RunError(str(error)) from None


def drawn(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw of softmax(logits) along the last axis: the largest of logits with Gumbel noise."""
    return (logits + rng.gumbel(size=logits.shape)).argmax(-1)
