"""Play against a run in the terminal.

    python -m boards.human_play log/connect4
    python -m boards.human_play log/othello --second --n-simulations 400

You are X. A move is typed as the board names it: a column (4), or a cell (d3); `pass` where that is
all there is (othello), `quit` to stop.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

import boards
from boards.clash import changes_of
from boards.networks import find
from boards.players import Planner, load_player
from runs import cli


def ask(rules: ModuleType, board: np.ndarray) -> int | None:
    """Read a valid move (None: quit); says what is wrong with others."""
    valid = rules.valid(board[None])[0]
    can = " ".join(name for name, ok in zip(rules.NAMES, valid, strict=True) if ok)
    while True:
        try:
            word = input("your move: ").strip().lower()
        except EOFError:
            return None
        if word in ("quit", "q"):
            return None
        if word in rules.NAMES and valid[rules.NAMES.index(word)]:
            return rules.NAMES.index(word)
        wrong = "is not possible here" if word in rules.NAMES else "is no move"
        print(f"{word or 'nothing'} {wrong}; choose from {can}")


def play_game(rules: ModuleType, player: Planner, human: bool) -> int | None:
    """Play a game; `human` says whether the human begins.

    Returns:
        1 if the human wins, -1 if not, 0 for a draw; None if the human stopped.
    """
    board = rules.start(1)
    while True:
        if human:
            print(rules.text(board[0]))
            move = ask(rules, board[0])
            if move is None:
                return None
        else:
            (move,) = player.choose(board)
            print(f"the agent plays {rules.NAMES[move]}")
        board, (reward,), (over,) = rules.play(board, np.array([move]))
        if over:
            print(rules.text(-board[0] if human else board[0]))
            return int(reward if human else -reward)
        human = not human


def play_games(rules: ModuleType, player: Planner, games: int, second: bool = False) -> None:
    """Play some games, the sides changed after each, and print how they end.

    Args:
        second: the agent begins the first.
    """
    for game in range(games):
        outcome = play_game(rules, player, second == bool(game % 2))
        if outcome is None:
            print("\nstopped")
            return
        print({1: "you win", -1: "the agent wins", 0: "a draw"}[outcome])


def main() -> None:
    parser = cli.OptionParser(__doc__)
    parser.add_argument("run", help="a run's folder, or one of its networks")
    parser.add_argument("--second", action="store_true", help="the agent begins")
    parser.add_argument("-n", "--games", type=int, default=1, help="games, sides change (1)")
    parser.add_argument("--n-simulations", type=int, help="simulations a move (as trained)")
    parser.add_argument("--timeout", type=float, help="seconds a move (as trained)")
    words = parser.parse_args()
    run = find(words.run)
    player = load_player(run, **changes_of(words))
    play_games(boards.load(run.game), player, words.games, words.second)


if __name__ == "__main__":
    cli.run(main)
