"""Options of `train_boards.py`, their defaults of each game, and the run that they make."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import json
import sys
from pathlib import Path

import boards
import config
import runs
from config.worldmodels import opt
from runs import cli


@dataclasses.dataclass(frozen=True)
class Options:
    """The network, its training, the search, and the games played."""

    conv_filters: int = opt(64, "filters of the first convolution", low=1)
    conv_kernel: int = opt(3, "its kernel", low=1)
    conv_stride: int = opt(1, "its stride", low=1)
    residual_num: int = opt(3, "residual blocks")
    residual_filters: int = opt(64, "filters that go into and out of a block", low=1)
    residual_kernel: int = opt(3, "kernel of a block", low=1)
    residual_bottleneck: int = opt(
        32, "filters within a block, between two 1x1 convolutions (0: none, two full convolutions)"
    )
    feature_extractor: str = opt(
        "flatten",
        "what the heads read: `agz`, few 1x1 filters each; `avgpool`, the mean of each filter; "
        "`flatten`, everything",
        choices=("agz", "avgpool", "flatten"),
    )
    dense_size: int = opt(128, "units of the dense layer before the heads", low=1)
    l2: float = opt(1e-4, "weight of the sum of the squared weights in the loss", grow=True)
    lr: float = opt(0.02, "learning rate of SGD", grow=True)
    momentum: float = opt(0.9, "Nesterov's momentum", high=0.999)

    batch_size: int = opt(256, "positions in a batch of training", grow=True, low=1)
    epochs: int = opt(1, "passes over the replay an iteration", grow=True, low=1)
    symmetries: bool = opt(True, "turn and mirror the positions at random", grow=True)

    c: float = opt(2.5, "weight of the prior in the choice of an edge (PUCT)", grow=True)
    dirichlet_noise: float = opt(
        0.3, "concentration of the noise on the root's prior in self-play", grow=True, low=1e-3
    )
    noise_ratio: float = opt(0.25, "share of that noise", grow=True, high=1)
    n_simulations: int = opt(50, "simulations of a move (0: no limit but --timeout)", grow=True)
    timeout: float = opt(0.0, "seconds of a move of all games (0: no limit)", grow=True)
    root: str = opt(
        "puct", "how the root chooses: puct, or gumbel with sequential halving for few simulations",
        choices=("puct", "gumbel"), grow=True,
    )  # fmt: skip

    exp_replay_size: int = opt(40_000, "newest positions that are kept", grow=True, low=1)

    max_iter: int = opt(-1, "stop after this iteration (-1: never)", grow=True, low=-1)
    hours: float = opt(0.0, "stop after this many hours, earlier calls included (0: never)",
        grow=True)  # fmt: skip
    min_examples: int = opt(2000, "positions before the first training", grow=True, low=1)
    policy_warmup: int = opt(
        12, "moves of a game drawn in proportion to visits, the most visited after", grow=True
    )
    n_self_plays: int = opt(100, "games of self-play an iteration, side by side", grow=True, low=1)
    drawn_starts: float = opt(
        0.0,
        "share of the games of self-play that begin with --openings drawn moves, so that moves are "
        "met which the network itself would not make",
        grow=True, high=1,
    )  # fmt: skip
    n_tournaments: int = opt(
        40, "games of new against best (0: the new network is always the best)", grow=True
    )
    update_threshold: float = opt(
        0.55, "the new network becomes the best if wins / (wins + losses) is above", grow=True,
        high=1,
    )  # fmt: skip
    openings: int = opt(
        2, "moves drawn at random before a game of a match, or of --drawn-starts", grow=True, high=8
    )
    threads: int = opt(0, "CPU threads (0: every core)", grow=True)
    seed: int = opt(0, "of weights, play and training")


DEFAULTS = {
    "tictactoe": {
        "conv_filters": 32, "residual_filters": 32, "residual_num": 1, "residual_bottleneck": 0,
        "dense_size": 64, "n_simulations": 25, "exp_replay_size": 10_000, "epochs": 2,
        "min_examples": 500, "policy_warmup": 6, "dirichlet_noise": 1.0, "openings": 1,
        "max_iter": 30,
    },
    "connect4": {
        "dirichlet_noise": 1.0, "exp_replay_size": 20_000, "batch_size": 128, "epochs": 2,
        "max_iter": 100,
    },
    "othello": {
        "policy_warmup": 20, "exp_replay_size": 100_000, "openings": 4, "feature_extractor": "agz",
    },
    "gomoku": {
        "dirichlet_noise": 0.05, "exp_replay_size": 100_000, "n_self_plays": 64, "openings": 4,
        "feature_extractor": "agz",
    },
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's folder, or one network in it."""

    path: Path
    game: str
    options: Options
    weights: Path

    @property
    def name(self) -> str:
        """What tables call it."""
        newest = self.weights.parent == self.path
        return self.path.name if newest else f"{self.path.name}/{self.weights.stem.split('.')[0]}"


def defaults(game: str) -> Options:
    """The options of a new run."""
    return Options(**DEFAULTS[game])


def saved(path: Path) -> tuple[str, Options]:
    """Read a run's `config.json`.

    Raises:
        RunError: it is damaged, or of another part of this toolkit.
    """
    file = path / "config.json"
    try:
        data = json.loads(file.read_text())
        if data["game"] in config.GAMES:
            raise runs.RunError(f"{path} is a run of {data['game']}, which is no board game")
        return data["game"], dataclasses.replace(defaults(data["game"]), **data["boards"])
    except (ValueError, KeyError, TypeError) as error:
        raise runs.RunError(
            f"{file} is damaged or of another version ({type(error).__name__}: {error})"
        ) from None


def find(name: str) -> Run:
    """Open a run that must exist: its folder or name, or one of its `networks/*.weights.h5`.

    Raises:
        RunError: no such run (names the nearest one), or nothing was trained yet.
    """
    path, weights = runs.folder(name), Path(name)
    if weights.suffix == ".h5":
        path = weights.parent.parent if weights.parent.name == "networks" else weights.parent
    if not (path / "config.json").exists():
        names = [p.parent.name for p in config.LOG.glob("*/config.json")]
        near = difflib.get_close_matches(path.name, names, n=1)
        raise runs.RunError(f"no run at {path}" + (f"; did you mean {near[0]}?" if near else ""))
    game, options = saved(path)
    weights = weights if weights.suffix == ".h5" else path / "network.weights.h5"
    if not weights.exists():
        raise runs.RunError(f"there is no {weights}; train it with `python train_boards.py {game}`")
    return Run(path, game, options, weights)


def parse(doc: str) -> tuple[Path, str, Options]:
    """Read the command line of `train_boards.py`: the game's defaults, over them what the run was
    made with, over them what is typed.

    Raises:
        RunError: the run is damaged, plays another game, or has another network.
    """
    parser = cli.OptionParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("game", choices=boards.GAMES, help="the game")
    parser.add_argument("--run", help="the run's folder in log/ (default: the game's name)")
    peek = cli.OptionParser(add_help=False, allow_abbrev=False, prog=parser.prog)
    peek.add_argument("--run")
    early, rest = peek.parse_known_args([a for a in sys.argv[1:] if a not in ("-h", "--help")])
    game = next((word for word in rest if word in boards.GAMES), boards.GAMES[0])
    path, base = runs.folder(early.run or game), defaults(game)
    if (path / "config.json").exists():
        made, base = saved(path)
        if made != game:
            raise runs.RunError(f"run {path.name} plays {made}, not {game}; choose another --run")
    cli.add_options(parser, Options, base)
    given = vars(parser.parse_args())
    changes = {name: value for name, value in given.items() if name not in ("game", "run")}
    cli.check_ranges(parser, Options, changes)
    options = dataclasses.replace(base, **changes)
    check(path, game, base, options)
    return path, game, options


def check(path: Path, game: str, base: Options, options: Options) -> None:
    """Refuse options that cannot be, or that differ from what the run was made with.

    Raises:
        RunError: says which.
    """
    was = config.frozen(base)
    for name, value in config.frozen(options).items():
        if (path / "config.json").exists() and value != was[name]:
            raise runs.RunError(
                f"{path} was made with {name}={was[name]}, not {value}; choose another --run"
            )
    if not options.n_simulations and not options.timeout:
        raise runs.RunError("a search needs --n-simulations or --timeout")
    most = boards.load(game).OPENINGS
    if options.openings > most:
        raise runs.RunError(f"--openings is {options.openings}; {game} allows at most {most}")
