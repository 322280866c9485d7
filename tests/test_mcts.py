"""The search: the same trees as mctx and as a slow search of one game; its limits and errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.bench_mcts import Tables
from planner.gumbel import gumbel_search, halving
from planner.mcts import Root, SearchError, Settings, Step, search
from planner.show import principal_line
from tests.conftest import ROOT

GOLDEN = json.loads((ROOT / "tests" / "mctx_visits.json").read_text())


def test_visits_are_those_of_mctx():
    tables = Tables()
    root, settings = tables.root(np.arange(100)), Settings(GOLDEN["simulations"])
    assert (search(tables, root, settings).visits() == GOLDEN["puct"]).all()
    tree = gumbel_search(tables, root, settings, np.zeros((100, 4)))
    assert (tree.visits() == GOLDEN["gumbel"]).all()
    np.testing.assert_allclose(tree.policy(), GOLDEN["improved"], atol=2e-4)
    assert (tree.action() == GOLDEN["action"]).all()


class Slow:
    """One game's search, node by node, as the paper writes it."""

    def __init__(self, tables, number: int, settings: Settings):
        self.tables, self.settings = tables, settings
        self.root = self.node(number)

    def node(self, number: int) -> dict:
        value = float(self.tables.value[number])
        return {"state": number, "raw": value, "value": value, "count": 1, "edges": {}}

    def choose(self, node: dict) -> int:
        logits = self.tables.logits[node["state"]].astype(float)
        prior = np.exp(logits - logits.max())
        prior /= prior.sum()
        q = {a: e["reward"] + e["discount"] * e["to"]["value"] for a, e in node["edges"].items()}
        low, high = min([node["value"], *q.values()]), max([node["value"], *q.values()])
        weight = self.settings.c + np.log((node["count"] + 19653) / 19652)
        scores = []
        for a in range(len(prior)):
            visits = node["edges"].get(a, {"visits": 0})["visits"]
            scaled = (q[a] - low) / max(high - low, 1e-8) if visits else 0
            scores.append(scaled + prior[a] * weight * np.sqrt(node["count"]) / (1 + visits))
        return int(np.argmax(scores))

    def simulate(self) -> None:
        node, path = self.root, []
        while True:
            action = self.choose(node)
            known = node["edges"].get(action)
            path.append((node, action))
            if known and known["discount"] and len(path) != self.settings.max_depth:
                node = known["to"]
                continue
            break
        if not known:
            tables, edge = self.tables, (node["state"], action)
            leaf = self.node(int(tables.after[edge]))
            reward, discount = float(tables.reward[edge]), float(tables.discount[edge])
            if not discount:
                leaf["raw"] = leaf["value"] = 0.0
            node["edges"][action] = {
                "visits": 0,
                "reward": reward,
                "discount": discount,
                "to": leaf,
            }
            gain = leaf["raw"]
        else:
            gain = known["to"]["raw"]
        for node, action in reversed(path):
            edge = node["edges"][action]
            gain = edge["reward"] + edge["discount"] * gain
            node["value"] = (node["value"] * node["count"] + gain) / (node["count"] + 1)
            node["count"] += 1
            edge["visits"] += 1

    def visits(self) -> list[int]:
        edges = self.root["edges"]
        return [edges[a]["visits"] if a in edges else 0 for a in range(4)]


@pytest.mark.parametrize("depth", [0, 3])
def test_visits_are_those_of_a_slow_search_where_games_end(depth):
    tables = Tables(seed=1)
    tables.discount[np.random.default_rng(2).random(tables.discount.shape) < 0.3] = 0
    settings = Settings(60, max_depth=depth)
    fast = search(tables, tables.root(np.arange(30)), settings)
    same = 0
    for number in range(30):
        slow = Slow(tables, number, settings)
        for _ in range(60):
            slow.simulate()
        same += slow.visits() == fast.visits()[number].tolist()
    assert same >= 29  # sums in another order may turn a near tie
    assert not depth or fast.max_depth().max() == depth


def test_many_simulations_find_the_best_way():
    """A chain of choices where only one line of actions pays, five steps on."""

    class Lock:
        code = np.array([2, 0, 1, 2, 1])

        def step(self, states, actions):
            at = states[:, 0]
            right = actions == self.code[np.minimum(at, 4)]
            won = right & (at == 4)
            ahead = (at + 1)[:, None]
            discount = np.where(right & ~won, 0.9, 0).astype(np.float32)
            zeros = np.zeros((len(at), 3), np.float32)
            return Step(ahead, won.astype(np.float32), discount, zeros, zeros[:, 0])

    zeros = np.zeros((2, 3), np.float32)
    tree = search(Lock(), Root(np.zeros((2, 1), int), zeros, zeros[:, 0]), Settings(400))
    assert principal_line(tree)[1][:5] == Lock.code.tolist()
    assert tree.edge_q[:2, 2].max() <= 0.9**4


def test_an_invalid_action_is_never_tried():
    tables = Tables()
    tables.logits[np.random.default_rng(0).random(tables.logits.shape) < 0.4] = -np.inf
    tables.logits[:, 0] = 0
    numbers = np.arange(50)
    root = tables.root(numbers)
    noise = np.full((50, 4), 0.25), 0.5
    gumbel = np.random.default_rng(1).gumbel(size=(50, 4))
    for tree in (
        search(tables, root, Settings(40), noise),
        gumbel_search(tables, root, Settings(40), gumbel),
    ):
        tried = tree.edge_visits > 0
        assert not tried[tree.logits == -np.inf].any()
        assert (tree.visits().sum(1) == 40).all()


def test_noise_is_mixed_into_the_root_alone():
    tables = Tables()
    root = tables.root(np.arange(5))
    drawn = np.random.default_rng(0).dirichlet(np.full(4, 0.3), 5)
    plain, noisy = (search(tables, root, Settings(3), n) for n in (None, (drawn, 0.25)))
    expected = 0.75 * plain.prior[:5] + 0.25 * drawn
    np.testing.assert_allclose(noisy.prior[:5], expected, atol=1e-6)


def test_games_do_not_depend_on_those_beside_them():
    tables = Tables()
    alone = search(tables, tables.root(np.array([7])), Settings(50)).visits()
    beside = search(tables, tables.root(np.arange(20)), Settings(50)).visits()
    assert (alone[0] == beside[7]).all()


def test_halving_gives_every_round_the_same_visits():
    assert halving(4, 8).tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert halving(1, 3).tolist() == [0, 1, 2]
    assert len(halving(16, 2)) == 2 and len(halving(16, 200)) == 200


def test_a_timeout_ends_a_search_early_but_never_before_one_simulation():
    tables = Tables()
    tree = search(tables, tables.root(np.arange(4)), Settings(0, timeout=1e-9))
    assert tree.simulations == 1 and (tree.visits().sum(1) == 1).all()
    assert search(tables, tables.root(np.arange(4)), Settings(5, timeout=60)).simulations == 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda root: root.logits.__setitem__((1, 2), np.nan), "policy of the root"),
        (lambda root: root.logits.__setitem__((0, 1), np.inf), "policy of the root"),
        (lambda root: root.value.__setitem__(0, np.nan), "value of the root"),
        (lambda root: root.logits.__setitem__(2, -np.inf), "game is over"),
    ],
)
def test_a_root_that_cannot_be_planned_from_is_one_sentence(change, says):
    tables = Tables()
    root = tables.root(np.arange(3))
    change(root)
    with pytest.raises(SearchError, match=says):
        search(tables, root, Settings(5))


def test_no_limit_and_a_broken_model_are_one_sentence():
    tables = Tables()
    with pytest.raises(SearchError, match="n_simulations or a timeout"):
        search(tables, tables.root(np.arange(3)), Settings(0))
    tables.value[:] = np.where(np.arange(2000) < 3, tables.value, np.nan)
    with pytest.raises(SearchError, match="model is broken"):
        search(tables, tables.root(np.arange(3)), Settings(5))
