"""How strong the best network of a board run is: matches with players that learned nothing.

    python evaluate.py log/connect4                         against random play and a plain search
    python evaluate.py log/connect4 --n-simulations 400     with a longer search
    python -m boards.clash log/connect4 log/other           a match with anybody else
    python -m boards.human_play log/connect4                play against it

Written to result.json in the run's folder. A shorter evaluation does not replace a longer one, and
other openings, another search or another seed go to result-<what>.json.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import boards
import config
import runs
from boards.clash import add_options, enter, summary
from boards.match import counts, match
from boards.networks import find
from boards.players import PLAIN_SIMULATIONS
from controller.scores import write_result
from runs import cli, workers

OPPONENTS = ("random", f"mcts:{PLAIN_SIMULATIONS}")


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
    workers.alone("evaluating a board run")
    run, start = find(words.run), time.monotonic()
    typed = {n: getattr(words, n) for n in ("openings", "n_simulations", "timeout", "seed")}
    game, players = enter([words.run, *OPPONENTS], words)
    player, *others = players.values()
    rows = {}
    for name, other in zip(OPPONENTS, others, strict=True):
        rng = np.random.default_rng(words.seed)  # the same openings for all
        result = match(boards.load(game), player, other, words.games, words.openings, rng)
        print(f"{run.name} against {name}, {game}: {summary(result)}", flush=True)
        points = (result + 1) / 2
        mean, std = round(float(points.mean()), 4), round(float(points.std()), 4)
        wins = dict(zip(("wins", "draws", "losses"), counts(result), strict=True))
        rows[name] = {"mean": mean, "std": std, **wins}
    usual = {"openings": config.preset(game, "full").boards.openings, "seed": 0}
    changed = [
        f"{name.removeprefix('n_')}-{value:g}"
        for name, value in typed.items()
        if value not in (None, usual.get(name, getattr(run.options, name)))
    ]
    result = {
        **rows,
        "episodes": words.games,
        "openings": words.openings,
        "simulations": player.settings.simulations,
        "seed": words.seed,
        "models": {"network": runs.fingerprint(run.weights)},
        "command": " ".join(["python", *sys.argv]),
        "wall_hours": round((time.monotonic() - start) / 3600, 4),
    }
    print(f"written to {write_result(run.path, result, changed)}")
