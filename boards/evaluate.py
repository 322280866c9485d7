"""How strong a board run's best network is: matches with players that learned nothing.

    python evaluate.py log/connect4                       against random play and plain searches
    python evaluate.py log/connect4 --n-simulations 400   with a longer search
    python -m boards.clash log/connect4 log/other         any other match

Written to result.json in the run's folder. A shorter evaluation does not replace a longer one.
"""

from __future__ import annotations

import runs
from boards.networks import find
from runs import cli


def main() -> None:
    """Answer evaluate.py for a run of train_boards.py."""
    parser = cli.OptionParser(__doc__)
    parser.add_argument("run", help="a board run, such as log/connect4")
    run = find(parser.parse_known_args()[0].run)
    raise runs.RunError(
        f"{run.path} plays matches: `python -m boards.clash {run.path} mcts:500`, or "
        f"`python -m boards.human_play {run.path}`"
    )
