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


def run_of(words: list[str]) -> str:
    """Find the run that a command line names, whichever options stand before it.

    Without a run, --help explains the options of all systems.
    """
    options = {name: options_of(system) for name, system in config.SYSTEMS.items()}
    told = "\n".join(f"a run of {name}, {o.format_help()}" for name, o in options.items())
    more = {"usage": "%(prog)s run [--option value ...]", "conflict_handler": "resolve"}
    parser = cli.OptionParser(__doc__, parents=options.values(), epilog=told, **more)
    parser.add_argument("run", nargs="?")
    asks = {"-h", "--help"} & set(words)
    run = parser.parse_known_args([word for word in words if word not in asks])[0].run
    if run is None:
        parser = cli.OptionParser(__doc__, epilog=told, usage=more["usage"])
        parser.add_argument("run", help="a run's folder, such as log/carracing")
        parser.parse_args(["--help"] if asks else [])
    return run


def main() -> None:
    _, cfg = runs.find(run_of(sys.argv[1:]))
    importlib.import_module(config.SYSTEMS[cfg.system].evaluator).main()


if __name__ == "__main__":
    cli.run(main)
