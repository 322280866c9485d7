"""Play a trained agent: its score in the genuine game, a video, a window, or the keyboard.

    python evaluate.py log/carracing                    100 episodes that training never saw
    python evaluate.py log/carracing --baselines        beside players that have learned nothing
    python evaluate.py log/carracing --video            drive.mp4 of one episode
    python evaluate.py log/carracing --render           watch it in a window
    python evaluate.py log/carracing --play             drive yourself
    python evaluate.py log/carracing --dream --video    dream.mp4: the game, and the dream beside it
    python evaluate.py log/carracing --dream --play     drive inside M
    python evaluate.py log/breakout --show-tree 20      what a search thought of a move
    python evaluate.py pretrained/connect4              matches with random play and a plain search

What there is to choose depends on what the run learned with: `python evaluate.py <run> --help`
explains the options of that run. Every score goes to a result.json in the run's folder.
"""

from __future__ import annotations

import argparse
import importlib
import sys

import config
import runs
from runs import cli


def options_of(system: config.System) -> cli.OptionParser:
    """The options of evaluate.py for the runs of one system."""
    parser = cli.OptionParser(usage=argparse.SUPPRESS, add_help=False)
    importlib.import_module(system.evaluator).add_options(parser)
    return parser


def parse(words: list[str]) -> str:
    """Find the run that a command line names, whichever options stand before it.

    Without a run, --help explains the options of all systems.
    """
    systems = config.SYSTEMS.values()
    parser = cli.OptionParser(
        parents=[options_of(system) for system in systems],
        conflict_handler="resolve",
        add_help=False,
    )
    parser.add_argument("run", nargs="?")
    asks = {"-h", "--help"} & set(words)
    run = parser.parse_known_args([word for word in words if word not in asks])[0].run
    if run is None and asks:
        print(__doc__)
        for system in systems:
            print(f"a run of {system.name}:\n{options_of(system).format_help()}")
        sys.exit()
    if run is None:
        parser.error("name a run, such as log/carracing or pretrained/carracing")
    return run


def main() -> None:
    _, cfg = runs.find(parse(sys.argv[1:]))
    importlib.import_module(config.SYSTEMS[cfg.system].evaluator).main()


if __name__ == "__main__":
    cli.run(main)
