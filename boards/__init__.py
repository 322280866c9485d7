"""Board games for two, with perfect rules: one module each, all with the same words.

start(n)              n boards before the first move
valid(boards)         bool (n, A): the moves that whoever is to move may make
play(boards, actions) the boards as the other player sees them, the reward of who moved float32
                      (n,) (1: won, -1: lost, 0: else), and whether the game is over bool (n,);
                      the moves must be valid, and a draw is over with reward 0
text(board)           a picture for the terminal: X is to move, O is the other
NAMES                 what a move is called when it is typed, A of them
SYMMETRIES            pairs of permutations, of cells and of moves, that leave the rules the same
OPENINGS              how many moves may be drawn before a match begins: none of them ends a game

Boards are int8 (n, rows, cols), seen by the player who is to move: 1 own, -1 the other's, 0 empty.
They are all there is to know of a position.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from config.boards import PRESETS

GAMES = tuple(PRESETS)


def load(game: str) -> ModuleType:
    """The rules of a game."""
    return importlib.import_module(f"boards.{game}")
