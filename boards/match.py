"""Matches: two players, each opening twice with the sides changed, and Elo."""

from __future__ import annotations

from types import ModuleType

import numpy as np

import runs
from boards.players import Player, opened

ELO_START, ELO_K = 1000.0, 32.0


def match(
    rules: ModuleType,
    a: Player,
    b: Player,
    games: int,
    openings: int,
    rng: np.random.Generator,
    show: bool = False,
    lengths: np.ndarray | None = None,
) -> np.ndarray:
    """Play an even number of games side by side.

    Games 2i and 2i + 1 begin with the same `openings` moves drawn at random; then a is to move in
    the one, and b in the other.

    Args:
        show: print the boards of the first game, a as X.
        lengths: int (games,), to be filled with the moves of each game, drawn ones included.

    Returns:
        1 where a has won, -1 where b has, 0 for a draw: int (games,).
    """
    boards = np.repeat(opened(rules, games // 2, openings, rng), 2, 0)
    result, alive = np.zeros(games, int), np.ones(games, bool)
    lengths = np.zeros(games, int) if lengths is None else lengths
    lengths[:], turn_of_a = openings, np.arange(games) % 2 == 0
    progress = runs.Progress(games, "games")
    while alive.any():
        before = alive.sum()
        for player, turn in ((a, turn_of_a), (b, ~turn_of_a)):
            (at,) = np.nonzero(alive & turn)
            if not len(at):
                continue
            boards[at], reward, over = rules.play(boards[at], player.choose(boards[at]))
            result[at] = np.where(turn_of_a[at], reward, -reward)
            lengths[at] += 1
            alive[at] = ~over
            if show and at[0] == 0:
                print(rules.text(-boards[0] if turn_of_a[0] else boards[0]) + "\n")
        turn_of_a = ~turn_of_a
        if before > alive.sum():
            progress.add(int(before - alive.sum()))
    return result


def counts(result: np.ndarray) -> tuple[int, int, int]:
    """Wins, draws and losses of a."""
    return tuple(int((result == kind).sum()) for kind in (1, 0, -1))


def win_rate(result: np.ndarray) -> float:
    """wins / (wins + losses), draws ignored; one half if there is nothing but draws."""
    wins, _, losses = counts(result)
    return wins / (wins + losses) if wins + losses else 0.5


def update_elo(a: float, b: float, result: np.ndarray) -> tuple[float, float]:
    """Ratings of a and b after a match, game by game; a draw is half a win."""
    for outcome in result:
        expected = 1 / (1 + 10 ** ((b - a) / 400))
        gain = ELO_K * ((outcome + 1) / 2 - expected)
        a, b = a + gain, b - gain
    return a, b


def every_line(rules: ModuleType, player: Player, first: bool) -> tuple[int, int, int]:
    """Play against every reply there is; small games only, and a player without chance.

    Returns:
        Lines that the player wins, draws and loses.
    """
    boards, mine, lines = rules.start(1), first, np.zeros(3, int)
    while len(boards):
        moves = player.choose(boards) if mine else None
        if not mine:
            rows, moves = np.nonzero(rules.valid(boards))
            boards = boards[rows]
        boards, reward, over = rules.play(boards, moves)
        for outcome in reward[over]:
            lines[1 - int(outcome if mine else -outcome)] += 1
        boards, mine = boards[~over], not mine
    return tuple(lines.tolist())
