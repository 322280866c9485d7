"""How strong the best network of a board run is: matches with players that learned nothing.

    python evaluate.py log/connect4                         against random play and a plain search
    python evaluate.py log/connect4 --n-simulations 400     with a longer search
    python evaluate.py log/connect4 --against mcts:2000     against a longer one
    python evaluate.py log/connect4 --play                  play against it in the terminal
    python -m boards.clash log/connect4 log/other           a match with anybody else

A game that is won counts 1, a drawn one a half; the score is that against the last opponent.
Written to result.json in the run's folder. A shorter evaluation does not replace a longer one, and
other opponents, openings, another search or another seed go to result-<what>.json.
"""

from __future__ import annotations

import argparse

import numpy as np

import boards
import config
import runs
from boards import clash
from boards.human_play import play_games
from boards.match import counts, match
from boards.networks import Network, find
from boards.players import PLAIN_SIMULATIONS, Planner, load_player
from runs import cli, workers
from runs.scores import Clock, made_by, summary, table, write_result

OPPONENTS = ["random", f"mcts:{PLAIN_SIMULATIONS}"]
DECIMALS = 3  # of a share of points


def play(run: Network, words: argparse.Namespace) -> tuple[Planner, dict[str, dict]]:
    """Play a match with each opponent; returns who played, and the summaries of its points.

    Raises:
        RunError: there is no such opponent, or no such match.
    """
    game, players = clash.enter([words.run, *words.against], words)
    player, *others = players.values()
    rows = {}
    for name, other in zip(list(players)[1:], others, strict=True):
        rng = np.random.default_rng(words.seed)  # the same openings for all
        lengths = np.zeros(words.games, int)
        sides = player, other, words.games, words.openings, rng
        result = match(boards.load(game), *sides, lengths=lengths)
        print(f"{run.name} against {name}, {game}: {clash.summary(result)}", flush=True)
        ends = dict(zip(("wins", "draws", "losses"), counts(result), strict=True))
        rows[name] = summary((result + 1) / 2, lengths, DECIMALS) | ends
    return player, rows


def changed(run: Network, words: argparse.Namespace) -> list[str]:
    """Parts of a result's name: what is not as in training, or as it usually is."""
    typed = {n: getattr(words, n) for n in ("openings", "n_simulations", "timeout", "seed")}
    usual = {"openings": config.preset(run.game, "full").boards.openings, "seed": 0}
    parts = [word.replace(":", "-") for word in words.against if words.against != OPPONENTS]
    return parts + [
        f"{name.removeprefix('n_')}-{value:g}"
        for name, value in typed.items()
        if value not in (None, usual.get(name, getattr(run.options, name)))
    ]


def score(run: Network, words: argparse.Namespace) -> None:
    """Play against all opponents, print the table and write result.json."""
    clock, parts = Clock(), changed(run, words)
    player, rows = play(run, words)
    result = made_by("boards", run.game, "rules", [words.seed] * 2, ())
    result |= rows[words.against[-1]] | {
        "opponents": rows,
        "openings": words.openings,
        "simulations": player.settings.simulations,
        "models": {"network": runs.fingerprint(run.weights)},
    }
    result |= clock.hours() | {"baselines": {}}
    print(table({f"against {name}": row for name, row in rows.items()}, DECIMALS))
    print(f"written to {write_result(run.path, result, parts)}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of evaluate.py for a board run."""
    clash.add_options(parser)
    parser.add_argument(
        "--against",
        action="append",
        metavar="PLAYER",
        help="random, mcts:<simulations>, minimax or a run; may be said more than once (default: "
        f"{' and '.join(OPPONENTS)})",
    )
    parser.add_argument("--play", action="store_true", help="play against it in the terminal")


def main() -> None:
    """Answer evaluate.py for a run of train_boards.py.

    Raises:
        RunError: what the options say cannot be played.
    """
    parser = cli.OptionParser(__doc__)
    parser.add_argument("run", help="a board run, such as log/connect4")
    add_options(parser)
    parser.set_defaults(game=None)  # the run says it
    words = parser.parse_args()
    words.against = words.against or OPPONENTS
    workers.alone("evaluating a board run")
    run = find(words.run)
    if words.play:
        player = load_player(run, **clash.changes_of(words))
        play_games(boards.load(run.game), player, 1)
    else:
        score(run, words)
