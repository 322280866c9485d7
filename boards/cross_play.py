"""Everybody against everybody: a table of Elo.

    python -m boards.cross_play log/connect4 log/other mcts:500 random
    python -m boards.cross_play log/connect4 --gap 3 --csv scoreboard.csv

Players are those of boards.clash. With --gap N every Nth of the networks that became the best of
its run plays too. Elo starts at 1000 and moves by K = 32 a game, over the games of all matches in
a drawn order.
"""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path

import numpy as np

import boards
import runs
from boards.clash import add_options, enter
from boards.match import ELO_START, counts, match, update_elo
from boards.networks import find
from boards.players import is_word
from runs import cli

COLUMNS = ("player", "elo", "wins", "draws", "losses")


def with_networks(names: list[str], gap: int) -> list[str]:
    """Add every `gap`-th earlier network of the runs named (0: none)."""
    more: list[str] = []
    for name in names:
        if gap and not is_word(name):
            more += map(str, sorted((find(name).path / "networks").glob("*.weights.h5"))[::gap])
    return [*names, *more]


def table(players: list[str], results: dict[tuple[int, int], np.ndarray], seed: int) -> list[tuple]:
    """Rows of COLUMNS, the best first, of the results of all pairs."""
    elo = dict.fromkeys(range(len(players)), ELO_START)
    games = [(*pair, outcome) for pair, result in results.items() for outcome in result]
    for i in np.random.default_rng(seed).permutation(len(games)):
        a, b, outcome = games[i]
        elo[a], elo[b] = update_elo(elo[a], elo[b], np.array([outcome]))
    rows = []
    for i, name in enumerate(players):
        own = [r if a == i else -r for (a, b), r in results.items() if i in (a, b)]
        rows.append((name, round(elo[i]), *counts(np.concatenate(own))))
    return sorted(rows, key=lambda row: -row[1])


def main() -> None:
    parser = cli.OptionParser(__doc__)
    parser.add_argument("players", nargs="+", help="runs, networks of runs, random, mcts:500 ...")
    parser.add_argument("--game", choices=boards.GAMES, help="the game, if no player is a run")
    parser.add_argument("--gap", type=int, default=0, help="see above (0: none)")
    parser.add_argument("--csv", type=Path, help="write the table to this file too")
    add_options(parser)
    words = parser.parse_args()
    game, players = enter(with_networks(words.players, max(0, words.gap)), words)
    if len(players) < 2:
        raise runs.RunError("a table needs two players or more")
    results, names = {}, list(players)
    for a, b in itertools.combinations(range(len(names)), 2):
        rng = np.random.default_rng(words.seed)  # the same openings for all
        print(f"{names[a]} against {names[b]}", flush=True)
        pair = players[names[a]], players[names[b]]
        results[a, b] = match(boards.load(game), *pair, words.games, words.openings, rng)
    rows = table(names, results, words.seed)
    for name, elo, wins, draws, losses in rows:
        print(f"{elo:5d}  {name:30s} {wins} wins, {draws} draws, {losses} losses")
    if words.csv:
        text = io.StringIO()
        csv.writer(text).writerows([COLUMNS, *rows])
        with runs.replacing(words.csv) as file:
            file.write(text.getvalue().encode())


if __name__ == "__main__":
    cli.run(main)
