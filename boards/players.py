"""Who plays: by chance, by a search (over a network, or plain), or perfectly."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Protocol

import numpy as np

import runs
from boards import load
from boards.networks import Network
from config import Boards
from planner.gumbel import drawn as drawn_by
from planner.gumbel import plan
from planner.mcts import Root, Settings, Step

PLAIN_SIMULATIONS, PLAIN_C = 500, 1.25  # of a plain search; see docs/boards.md
BOUNDS = (-1.0, 1.0)  # lost, won; on a scale of each node's own, all that were tried may be lost

Look = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # boards to logits and value


class Player(Protocol):
    """Who makes moves."""

    def choose(self, boards: np.ndarray) -> np.ndarray:
        """Moves int (B,) on boards (B, R, C) that are not over."""


class BoardModel:
    """The rules as the model of a search: a state is a board, and turns alternate."""

    def __init__(self, rules: ModuleType, look: Look):
        self.rules, self.look = rules, look

    def root(self, boards: np.ndarray) -> Root:
        """Where a search starts."""
        logits, value = self.look(boards)
        return Root(boards, np.where(self.rules.valid(boards), logits, -np.inf), value)

    def step(self, states: np.ndarray, actions: np.ndarray) -> Step:
        """Make moves; what comes after counts for the other player. See planner/mcts.py."""
        after, reward, over = self.rules.play(states, actions)
        logits = np.zeros((len(after), len(self.rules.NAMES)), np.float32)
        value = np.zeros(len(after), np.float32)
        if not over.all():
            _, logits[~over], value[~over] = self.root(after[~over])
        return Step(after, reward, over.astype(np.float32) - 1, logits, value)


def draw(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One column of each row (B, A), with chances in proportion to `weights`."""
    with np.errstate(divide="ignore"):
        return drawn_by(np.log(weights), rng)


class Planner:
    """Plays the most visited move of a search."""

    def __init__(self, rules: ModuleType, look: Look, settings: Settings):
        self.model, self.settings = BoardModel(rules, look), settings

    def choose(self, boards: np.ndarray) -> np.ndarray:
        return self.plan(boards)[0]

    def plan(
        self,
        boards: np.ndarray,
        noise: tuple[float, float] | None = None,
        rng: np.random.Generator | None = None,
        drawn: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Search every board.

        Args:
            noise: concentration and share of the Dirichlet noise on a puct root; None: none.
            drawn: draw the moves in proportion to their visits, or else play the most visited;
                a gumbel root draws by its own noise.

        Returns:
            Moves (B,), and what a policy is to learn of the search (B, A).

        Raises:
            RunError: the network is broken.
        """
        root = self.model.root(boards)
        gumbel, is_gumbel = None, self.settings.root == "gumbel"
        if drawn and is_gumbel:
            gumbel = rng.gumbel(size=root.logits.shape)
        if noise is not None and not is_gumbel:
            alpha = np.full(root.logits.shape[1], noise[0])
            noise = rng.dirichlet(alpha, len(boards)), noise[1]
        tree = plan(self.model, root, self.settings, gumbel, noise)
        policy = tree.policy()
        return draw(policy, rng) if drawn and not is_gumbel else tree.action(), policy


class Rollouts:
    """Judges boards by playing them to their ends at random, for a plain search."""

    def __init__(self, rules: ModuleType, rng: np.random.Generator):
        self.rules, self.rng = rules, rng

    def __call__(self, boards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, sign = np.zeros(len(boards), np.float32), 1
        at = np.arange(len(boards))
        while len(at):
            moves = draw(self.rules.valid(boards), self.rng)
            boards, reward, over = self.rules.play(boards, moves)
            value[at], sign = sign * reward, -sign
            at, boards = at[~over], boards[~over]
        return np.zeros((len(value), len(self.rules.NAMES)), np.float32), value


class Random:
    """Plays any valid move."""

    def __init__(self, rules: ModuleType, rng: np.random.Generator):
        self.rules, self.rng = rules, rng

    def choose(self, boards: np.ndarray) -> np.ndarray:
        return draw(self.rules.valid(boards), self.rng)


def opened(rules: ModuleType, games: int, moves: int, rng: np.random.Generator) -> np.ndarray:
    """Boards (games, R, C) after so many moves drawn at random."""
    boards, chance = rules.start(games), Random(rules, rng)
    for _ in range(moves):
        boards = rules.play(boards, chance.choose(boards))[0]
    return boards


class Minimax:
    """Plays any of the best moves, as a search to the end of every line says. Small games only."""

    def __init__(self, rules: ModuleType, rng: np.random.Generator):
        self.rules, self.rng = rules, rng
        self.value = functools.cache(self.solve)

    def values(self, board: np.ndarray) -> np.ndarray:
        """Values of the moves on a board (R, C): (A,), -inf where not valid."""
        worth = np.full(len(self.rules.NAMES), -np.inf)
        (moves,) = np.nonzero(self.rules.valid(board[None])[0])
        boards = np.repeat(board[None], len(moves), 0)
        after, reward, over = self.rules.play(boards, moves)
        rest = [0 if end else -self.value(b.tobytes()) for b, end in zip(after, over, strict=True)]
        worth[moves] = reward + rest
        return worth

    def solve(self, board: bytes) -> float:
        """Value of a board for who is to move."""
        cells = np.frombuffer(board, np.int8).reshape(self.rules.ROWS, self.rules.COLS)
        return self.values(cells).max()

    def choose(self, boards: np.ndarray) -> np.ndarray:
        worth = np.stack([self.values(board) for board in boards])
        return draw(worth == worth.max(1, keepdims=True), self.rng)


def settings_of(options: Boards, **changes) -> Settings:
    """The constants of a search."""
    words = {"c": options.c, "bounds": BOUNDS, "timeout": options.timeout, "root": options.root}
    return Settings(**({"simulations": options.n_simulations} | words | changes))


def load_player(run: Network, **changes) -> Planner:
    """The network of a run with its search.

    Args:
        changes: of the search's settings.

    Raises:
        RunError: the weights are damaged or of another network.
    """
    runs.tensorflow(run.options.threads)
    from boards.model import Judge, make_network

    rules = load(run.game)
    network = make_network(rules, run.options)
    runs.load_weights(network, run.weights)
    return Planner(rules, Judge(rules, network), settings_of(run.options, **changes))


def is_word(name: str) -> bool:
    """Whether a player is meant that needs no run."""
    return name.partition(":")[0] in ("random", "mcts", "minimax")


def make_player(word: str, game: str, rng: np.random.Generator) -> Player:
    """The player `random`, `mcts`, `mcts:<simulations>` or `minimax`.

    Raises:
        RunError: none of these, or minimax in a large game.
    """
    kind, _, number = word.partition(":")
    rules = load(game)
    if word == "random":
        return Random(rules, rng)
    if word == "minimax":
        if game != "tictactoe":
            raise runs.RunError(f"minimax plays tictactoe alone: {game} has too many positions")
        return Minimax(rules, rng)
    if kind == "mcts" and (not number or number.isdecimal() and int(number)):
        settings = Settings(simulations=int(number or PLAIN_SIMULATIONS), c=PLAIN_C, bounds=BOUNDS)
        return Planner(rules, Rollouts(rules, rng), settings)
    raise runs.RunError(f"no player {word}: write random, mcts, mcts:<simulations> or minimax")
