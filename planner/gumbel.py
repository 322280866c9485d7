"""A search for few simulations: a Gumbel root with sequential halving (Danihelka et al. 2022,
"Policy improvement by planning with Gumbel"), on the trees of planner/mcts.py.

The root tries the actions with the largest g + logit, gives all of them the same visits, halves
them by g + logit + sigma(q), and so on. Inside, the improved policy is followed without noise.
"""

from __future__ import annotations

import functools

import numpy as np

from planner.mcts import EPSILON, Model, Root, Settings, Tree, check, grow, softmax

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
        """Completed and scaled values of the edges of nodes (P,): (A, P) (section 4, equation 8).

        An edge that was never tried has the mixed value of the node (appendix D, equation 33).
        """
        visits, q, prior = self.stats[:, :, node]
        tried, total, tiny = visits > 0, visits.sum(0), np.finfo(np.float32).tiny
        known = np.where(tried, np.maximum(prior, tiny), 0)
        mean = (known * q).sum(0) / np.maximum(known.sum(0), tiny)
        mixed = (self.raw_value[node] + total * mean) / (total + 1)
        full = np.where(tried, q, mixed)
        low, high = full.min(0), full.max(0)
        scale = VALUE_SCALE * (MAX_VISIT_INIT + visits.max(0))
        return (scale * (full - low) / np.maximum(high - low, EPSILON)).astype(np.float32)

    def improved(self, node: np.ndarray) -> np.ndarray:
        """The improved policy of nodes (P,), softmax(logits + sigma(q)): (A, P) (equation 7)."""
        return softmax((self.logits[:, node] + self.sigma_q(node)).T).T

    def root_score(self, wanted: np.ndarray) -> np.ndarray:
        """g + logit + sigma(q) of the roots' edges that have `wanted` (B,) visits, others -inf.

        (A, B)
        """
        logits = self.logits[:, self.roots]
        score = self.gumbel.T + logits + self.sigma_q(self.roots)
        return np.where(self.edge_visits[:, self.roots] == wanted, score, -np.inf)

    def choose(self, node: np.ndarray) -> None:
        inside = node[self.depth[node] > 0]
        if len(inside):
            visits = self.edge_visits[:, inside]
            self.take_best(inside, self.improved(inside) - visits / (1 + visits.sum(0)))
        if self.simulations < self.plan.shape[1]:
            self.take_best(self.roots, self.root_score(self.plan[:, self.simulations]))

    def policy(self) -> np.ndarray:
        """The roots' improved policies: (B, A)."""
        return self.improved(self.roots).T

    def action(self) -> np.ndarray:
        """The move (B,): the best of the most visited actions."""
        return self.root_score(self.edge_visits[:, self.roots].max(0)).argmax(0)


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
