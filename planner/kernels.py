"""Numba kernels of the search: walking down a tree, backing up a path, choosing edges anew.

Arrays are those of `planner.mcts.Tree`. A path is nodes int64 (B, D), the first `length` (B,) of
which count; the edge taken from each is its best one. Sums are of float32, in the paper's order.
"""

from __future__ import annotations

import numpy as np

from fast_carracing.kernels import jit

EPSILON = np.float32(1e-8)


@jit
def walk(follow, path, length):
    """Follow the best edges from the roots, nodes 0 to B - 1, to where the trees end."""
    for game in range(len(length)):
        node, depth = game, 0
        path[game, 0] = node
        while follow[node] != node:
            node = follow[node]
            depth += 1
            path[game, depth] = node
        length[game] = depth + 1


@jit
def back_up(path, length, leaf, best, child, reward, discount, raw, value, count, visits, q):
    """Add the value of the leaves to all edges and nodes above them (MuZero, equation 3)."""
    for game in range(len(length)):
        node = leaf[game]
        gain = raw[node]
        value[node] = (value[node] * count[node] + gain) / (count[node] + 1)
        count[node] += 1
        for depth in range(length[game] - 1, -1, -1):
            node = path[game, depth]
            action = best[node]
            gain = reward[node, action] + discount[node, action] * gain
            value[node] = (value[node] * count[node] + gain) / (count[node] + 1)
            count[node] += 1
            visits[node, action] += 1
            below = value[child[node, action]]
            q[node, action] = reward[node, action] + discount[node, action] * below


@jit
def choose(
    path, length, leaf, c, c_base, bounds, logits, prior, value, count, visits, q, child, over,
    best, follow,
):  # fmt: skip
    """Find the best edges of all nodes on the paths and of the leaves (MuZero, appendix B).

    The largest Q + prior * c * sqrt(N) / (1 + n), Q scaled to 0..1 between the least and the
    largest value of the node and its tried edges; an edge that was never tried has the least. With
    `bounds` float32 (2,) Q is scaled between these, and an edge that was never tried has the
    middle (Silver et al. 2017).
    """
    for game in range(len(length)):
        for depth in range(length[game] + 1):
            node = path[game, depth] if depth < length[game] else leaf[game]
            low = high = value[node]
            for action in range(q.shape[1]):
                if visits[node, action] > 0:
                    low, high = min(low, q[node, action]), max(high, q[node, action])
            untried = np.float32(0)
            if len(bounds):
                low, high, untried = bounds[0], bounds[1], np.float32(0.5)
            span = max(high - low, EPSILON)
            weight = np.float32(c + np.log((count[node] + c_base + 1) / c_base))
            weight *= np.sqrt(count[node])
            top, top_action = np.float32(-np.inf), 0
            for action in range(q.shape[1]):
                if logits[node, action] == -np.inf:
                    continue
                score = weight * prior[node, action] / (1 + visits[node, action])
                score += (q[node, action] - low) / span if visits[node, action] > 0 else untried
                if score > top:
                    top, top_action = score, action
            best[node] = top_action
            after = child[node, top_action]
            follow[node] = node if after < 0 or over[after] else after
