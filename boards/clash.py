"""A match of two players.

    python -m boards.clash log/connect4 mcts:500
    python -m boards.clash log/connect4 log/connect4/networks/0004.weights.h5 --games 200
    python -m boards.clash log/tictactoe every          against every line of replies there is
    python -m boards.clash mcts:1000 random --game othello

A player is a run, one of its networks, `random`, `mcts` or `mcts:<simulations>` (a plain search:
no network, positions judged by one random game each), or `minimax` (tic-tac-toe). Games begin with
a few drawn moves, the same twice, so that each player begins once.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

import numpy as np

import boards
import config
import runs
from boards.match import counts, every_line, match, win_rate
from boards.networks import Network, find
from boards.players import Player, is_word, load_player, make_player
from runs import cli


def add_options(parser: argparse.ArgumentParser) -> None:
    """What every match can be told."""
    parser.add_argument(
        "--games", "--episodes", type=int, default=100, help="games, an even number (100)"
    )
    parser.add_argument("--openings", type=int, help="moves drawn before a game (the game's)")
    parser.add_argument("--n-simulations", type=int, help="simulations a move (as trained)")
    parser.add_argument("--timeout", type=float, help="seconds a move (as trained)")
    parser.add_argument("--seed", type=int, default=0, help="of the drawn moves (0)")


def changes_of(words: argparse.Namespace) -> dict[str, Any]:
    """The settings of the runs' searches that were typed.

    Raises:
        RunError: one of them cannot be.
    """
    typed = {"simulations": words.n_simulations, "timeout": words.timeout}
    typed = {name: value for name, value in typed.items() if value is not None}
    if any(value < 0 for value in typed.values()):
        raise runs.RunError("--n-simulations and --timeout must be at least 0")
    return typed


def enter(names: list[str], words: argparse.Namespace) -> tuple[str, dict[str, Player]]:
    """Find the game of the players named, and make them.

    Raises:
        RunError: they play different games, or nobody says which; or one cannot be made.
    """
    entries: dict[str, Network | str] = {}
    for name in names:
        run = name if is_word(name) else find(name)
        label = name if isinstance(run, str) else run.name
        entries[name if label in entries else label] = run
    games = {run.game: name for name, run in entries.items() if isinstance(run, Network)}
    games |= {words.game: "--game"} if words.game else {}
    if len(games) > 1:
        said = " and ".join(f"{name} says {game}" for game, name in games.items())
        raise runs.RunError(f"a match is of one game, but {said}")
    if not games:
        raise runs.RunError("no player is a run; name the game with --game")
    (game,) = games
    if words.games < 2 or words.games % 2:
        raise runs.RunError(f"--games is {words.games}; it must be even, so that each begins half")
    if words.openings is None:
        words.openings = config.preset(game, "full").boards.openings
    most = boards.load(game).OPENINGS
    if not 0 <= words.openings <= most:
        raise runs.RunError(f"--openings is {words.openings}; {game} allows 0 to {most}")
    players = {}
    for i, (label, run) in enumerate(entries.items()):
        rng = np.random.default_rng([words.seed, i])
        by_word = isinstance(run, str)
        players[label] = (
            make_player(run, game, rng) if by_word else load_player(run, **changes_of(words))
        )
    return game, players


def summary(result: np.ndarray) -> str:
    """A match in words: the score with its standard error, and as Elo."""
    wins, draws, losses = counts(result)
    points = (result + 1) / 2
    score, error = points.mean(), points.std() / math.sqrt(len(points))
    elo = "more than 800 Elo apart" if score in (0, 1) else (
        f"{-400 * math.log10(1 / score - 1):+.0f} Elo"
    )  # fmt: skip
    return (
        f"{wins} wins, {draws} draws, {losses} losses · score {score:.1%} ± {error:.1%} · "
        f"wins / (wins + losses) {win_rate(result):.1%} · {elo}"
    )


def every(name: str, words: argparse.Namespace) -> None:
    """Play every line of replies against one player, on both sides, and print the outcome.

    Raises:
        RunError: the game has too many.
    """
    game, players = enter([name], words)
    if game != "tictactoe":
        raise runs.RunError(f"{game} has too many lines to play them all")
    ((label, player),) = players.items()
    for first in (True, False):
        wins, draws, losses = every_line(boards.load(game), player, first)
        print(
            f"{label}, {'first' if first else 'second'} to move, against every reply: "
            f"{wins} lines won, {draws} drawn, {losses} lost"
        )


def main() -> None:
    parser = cli.OptionParser(__doc__)
    parser.add_argument("a", help="a player, see above")
    parser.add_argument("b", help="another, or `every`")
    parser.add_argument("--game", choices=boards.GAMES, help="the game, if no player is a run")
    parser.add_argument("--render", action="store_true", help="show the first game, a as X")
    add_options(parser)
    words = parser.parse_args()
    if words.b == "every":
        every(words.a, words)
        return
    game, players = enter([words.a, words.b], words)
    if len(players) < 2:
        raise runs.RunError(f"{words.a} cannot play itself: it would take itself for two")
    (a, first), (b, second) = players.items()
    start, rng = time.monotonic(), np.random.default_rng(words.seed)
    result = match(
        boards.load(game), first, second, words.games, words.openings, rng, words.render
    )  # fmt: skip
    print(f"{a} against {b}, {game}: {summary(result)} · {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    cli.run(main)
