"""Board games: the rules against published counts, the search against plain ones."""

from __future__ import annotations

import numpy as np
import pytest

import boards
import config
from boards import cross_play, match
from boards.grid import in_a_row
from boards.players import BoardModel, Minimax, Planner, Random, make_player
from boards.replay import self_play
from planner.mcts import Settings, search


def uniform(rules):
    """A judge that knows nothing."""
    return lambda b: (np.zeros((len(b), len(rules.NAMES)), np.float32), np.zeros(len(b)))


def plies(game: str, depth: int) -> np.ndarray:
    """Play every sequence; a row a ply: sequences, those that are over, those that are won, and
    how many different boards there are."""
    rules, rows = boards.load(game), []
    at, ways = rules.start(1), np.ones(1, int)
    mark = np.random.default_rng(0).integers(-(2**62), 2**62, rules.ROWS * rules.COLS)
    for _ in range(depth):
        before, moves = np.nonzero(rules.valid(at))
        at, reward, over = rules.play(at[before], moves)
        ways = ways[before]
        keys = at.reshape(len(at), -1) @ mark  # a number a board, as good as unique
        _, first, same = np.unique(keys, return_index=True, return_inverse=True)
        rows.append((ways.sum(), ways[over].sum(), ways[reward > 0].sum(), len(first)))
        ways, at, over = np.bincount(same, ways).astype(int), at[first], over[first]
        at, ways = at[~over], ways[~over]
    return np.array(rows)


def test_tictactoe_has_255168_games_and_5478_positions():
    counts = plies("tictactoe", 9)
    assert counts[:, 1].sum() == 255_168 and counts[:, 3].sum() + 1 == 5_478
    assert counts[::2, 2].sum() == 131_184 and counts[1::2, 2].sum() == 77_904  # first, second


def test_connect_four_sequences_and_positions():
    counts = plies("connect4", 8)
    assert list(counts[:7, 0]) == [7, 49, 343, 2401, 16807, 117649, 823536]
    assert list(counts[:, 3]) == [7, 49, 238, 1120, 4263, 16422, 54859, 184275]  # OEIS A212693


def test_othello_sequences():
    assert list(plies("othello", 7)[:, 0]) == [4, 12, 56, 244, 1396, 8200, 55092]


def slow_othello(board: list[int], cell: int) -> list[int]:
    """Cells that a disc on `cell` turns, by walking."""
    turned = []
    for down, right in ((a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b):
        r, c, run = cell // 8 + down, cell % 8 + right, []
        while 0 <= r < 8 and 0 <= c < 8 and board[8 * r + c] == -1:
            run.append(8 * r + c)
            r, c = r + down, c + right
        if 0 <= r < 8 and 0 <= c < 8 and board[8 * r + c] == 1:
            turned += run
    return [] if board[cell] else turned


def test_othello_turns_passes_and_ends_as_a_slow_player_says():
    rules, rng = boards.load("othello"), np.random.default_rng(0)
    at, passes = rules.start(20), 0
    while len(at):
        valid, moves = rules.valid(at), Random(rules, rng).choose(at)
        after, reward, over = rules.play(at, moves)
        for i in range(0, len(at), 5):
            board = at[i].reshape(-1).tolist()
            turned = [slow_othello(board, cell) for cell in range(64)]
            can = [bool(cells) for cells in turned]
            assert valid[i].tolist() == [*can, not any(can)]
            for cell in [moves[i], *turned[moves[i]]] if moves[i] < 64 else []:
                board[cell] = 1
            assert (-after[i]).reshape(-1).tolist() == board
            sides = (board, [-x for x in board])
            stuck = not any(slow_othello(side, cell) for side in sides for cell in range(64))
            assert over[i] == stuck and reward[i] == np.sign(sum(board)) * stuck
        passes += int((moves == 64).sum())
        at = after[~over]
    assert passes


@pytest.mark.parametrize(("shape", "length"), [((15, 15), 5), ((6, 7), 4), ((3, 3), 3)])
def test_lines_as_a_slow_checker_finds_them(shape, length):
    marks = np.random.default_rng(0).random((200, *shape)) < (0.3 if length > 3 else 0.5)
    rows, cols = shape

    def has(grid) -> bool:
        steps = ((0, 1), (1, 0), (1, 1), (1, -1))
        lines = (
            [(r + k * d, c + k * e) for k in range(length)]
            for r in range(rows) for c in range(cols) for d, e in steps
        )  # fmt: skip
        return any(all(0 <= r < rows and 0 <= c < cols and grid[r, c] for r, c in x) for x in lines)

    found = in_a_row(marks, length)
    assert found.tolist() == [has(grid) for grid in marks] and 0 < found.sum() < 200


@pytest.mark.parametrize("game", boards.GAMES)
def test_symmetries_commute_with_the_rules(game):
    rules, rng = boards.load(game), np.random.default_rng(0)
    at = rules.start(6)
    for _ in range(20 if game != "tictactoe" else 4):
        moves = Random(rules, rng).choose(at)
        for cells, moved in zip(*rules.SYMMETRIES, strict=True):
            turned = at.reshape(6, -1)[:, cells].reshape(at.shape)
            assert (rules.valid(turned) == rules.valid(at)[:, moved]).all()
            same = rules.play(turned, np.argsort(moved)[moves])
            for ours, theirs in zip(same[1:], rules.play(at, moves)[1:], strict=True):
                np.testing.assert_array_equal(ours, theirs)
            after = rules.play(at, moves)[0].reshape(6, -1)[:, cells]
            assert (same[0].reshape(6, -1) == after).all()
        at = rules.play(at, moves)[0]


class SlowNode:
    """A node of one tree of two players; values are from the view of who is to move."""

    def __init__(self, rules, board: np.ndarray, judge, settings: Settings):
        self.rules, self.board, self.judge, self.settings = rules, board, judge, settings
        logits, value = judge(board[None])
        self.legal = rules.valid(board[None])[0]
        prior = np.exp(logits[0]) * self.legal
        self.prior, self.value, self.count = prior / prior.sum(), float(value[0]), 1
        self.visits, self.q, self.child = np.zeros(len(prior)), np.zeros(len(prior)), {}

    def visit(self) -> float:
        """Play one simulation; returns its outcome."""
        tried, settings = self.visits > 0, self.settings
        known = [self.value, *self.q[tried]]
        low, high = settings.bounds or (min(known), max(known))
        untried = (low + high) / 2 if settings.bounds else low
        q = (np.where(tried, self.q, untried) - low) / max(high - low, 1e-8)
        weight = settings.c + np.log((self.count + settings.c_base + 1) / settings.c_base)
        score = q + self.prior * weight * np.sqrt(self.count) / (1 + self.visits)
        move = int(np.where(self.legal, score, -np.inf).argmax())
        after, (reward,), (over,) = self.rules.play(self.board[None], np.array([move]))
        if over:
            gain = self.q[move] = reward
        elif move in self.child:
            gain = -self.child[move].visit()
            self.q[move] = -self.child[move].value
        else:
            self.child[move] = SlowNode(self.rules, after[0], self.judge, settings)
            gain = self.q[move] = -self.child[move].value
        self.visits[move] += 1
        self.value = (self.value * self.count + gain) / (self.count + 1)
        self.count += 1
        return gain


@pytest.mark.parametrize("bounds", [(), (-1.0, 1.0)])
def test_the_search_of_two_players_is_that_of_a_slow_one(bounds):
    rules, settings = boards.load("connect4"), Settings(simulations=150, c=2.0, bounds=bounds)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(42, 8)).astype(np.float32)

    def judge(b):
        out = b.reshape(len(b), -1).astype(np.float32) @ weights
        return out[:, :7] / 4, np.tanh(out[:, 7] / 4)

    at = rules.start(6)
    for i in range(12):
        at[i % 6 :] = rules.play(at[i % 6 :], Random(rules, rng).choose(at[i % 6 :]))[0]
    model = BoardModel(rules, judge)
    visits = search(model, model.root(at), settings).visits()
    slow = [SlowNode(rules, board, judge, settings) for board in at]
    for _ in range(settings.simulations):
        for tree in slow:
            tree.visit()
    theirs = np.stack([tree.visits for tree in slow])
    assert (visits == theirs).mean() > 0.9  # but for ties of rounded numbers
    assert (visits.argmax(1) == theirs.argmax(1)).all()


def outcomes(rules, at: np.ndarray, depth: int) -> np.ndarray:
    """Values (B, A) of all moves as a full search of `depth` plies sees them; -2: not valid."""
    rows, moves = np.nonzero(rules.valid(at))
    after, reward, over = rules.play(at[rows], moves)
    gain = reward.astype(int)
    if depth > 1:
        gain[~over] -= outcomes(rules, after[~over], depth - 1).max(1)
    table = np.full((len(at), len(rules.NAMES)), -2)
    table[rows, moves] = gain
    return table


def leaning(rules):
    """A judge that wants the first move, seven times as much as any other."""
    logits = np.float32([2] + [0] * (len(rules.NAMES) - 1))
    return lambda b: (np.tile(logits, (len(b), 1)), np.zeros(len(b)))


@pytest.mark.parametrize("judge", [uniform, leaning])
def test_a_search_wins_and_blocks_in_connect_four(judge):
    rules, rng = boards.load("connect4"), np.random.default_rng(0)
    at, seen = rules.start(60), []
    for _ in range(12):
        at, _, over = rules.play(at, Random(rules, rng).choose(at))
        at = at[~over]
        seen.append(at[:12])
    at = np.concatenate(seen)
    soon, late = outcomes(rules, at, 2), outcomes(rules, at, 4)
    win = soon.max(1) == 1
    block = ~win & (soon == -1).any(1) & (late.max(1) > -1)
    assert win.sum() > 10 and block.sum() > 10
    player = Planner(rules, judge(rules), Settings(simulations=200, bounds=(-1.0, 1.0)))
    chosen = soon[np.arange(len(at)), player.choose(at)]
    assert (chosen[win] == 1).all() and (chosen[block] == 0).all()


def test_perfect_and_plain_players():
    rules, rng = boards.load("tictactoe"), np.random.default_rng(0)
    perfect, again = (Minimax(rules, rng) for _ in range(2))
    assert perfect.solve(rules.start(1).tobytes()) == 0
    assert match.counts(match.match(rules, perfect, again, 20, 0, rng)) == (0, 20, 0)
    blind = Planner(rules, uniform(rules), Settings(simulations=600, bounds=(-1.0, 1.0)))
    assert match.every_line(rules, blind, first=True)[2] == 0
    plain = make_player("mcts:200", "tictactoe", rng)
    assert match.counts(match.match(rules, perfect, plain, 20, 0, rng))[2] == 0
    result = match.match(rules, plain, make_player("random", "tictactoe", rng), 20, 0, rng)
    assert match.win_rate(result) > 0.9


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_self_play_says_who_won(share):
    rules = boards.load("tictactoe")
    chosen = config.Boards(n_self_plays=10, policy_warmup=9, drawn_starts=share, openings=1)
    player = Planner(rules, uniform(rules), Settings(simulations=8))
    seen, facts = self_play(rules, player, chosen, np.random.default_rng(0))
    stones = (seen["boards"] != 0).sum((1, 2))
    strange = round(10 * share)
    assert stones[:10].tolist() == [1] * strange + [0] * (10 - strange)
    assert facts["plies"] * 10 == len(stones)
    began = np.where(stones[:10] == 0, seen["value"][:10], -seen["value"][:10])
    assert facts["first_won"] == np.mean(began > 0)
    np.testing.assert_allclose(seen["policy"].sum(1), 1, atol=0.01)
    assert (seen["policy"][~rules.valid(seen["boards"])] == 0).all()
    minimax = Minimax(rules, np.random.default_rng(0))
    last = stones == 8  # one move is left: its outcome is known
    known = [minimax.solve(board.tobytes()) for board in seen["boards"][last]]
    assert seen["value"][last].tolist() == known and last.any()


def test_elo_of_equals_and_of_a_stronger_one():
    assert match.update_elo(1000, 1000, np.array([1]))[0] == 1016
    a, b = match.update_elo(1000, 1000, np.array([1, -1, 0, 1, 1]))
    assert a > b and a + b == pytest.approx(2000)
    results = {(0, 1): np.ones(10, int), (0, 2): np.ones(10, int), (1, 2): np.ones(10, int)}
    assert [row[0] for row in cross_play.table(["a", "b", "c"], results, 0)] == ["a", "b", "c"]
