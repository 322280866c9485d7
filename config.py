"""Every option of every stage, as dataclasses, and a named preset per game.

A stage is a section here, a folder of code, and a folder in `log/<run>/`, under one name. Each
script reads its options with `parse(stage)`: the preset gives the defaults, a run that exists
gives back what it was made with, and the command line has the last word.

Importing this module is cheap: no TensorFlow, no MPI, no parsing.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import json
import math
import os
import sys
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

GAMES = ("carracing",)
LOG = Path("log")

# Which tracks are played for what, so that a score is never of a track that training has seen.
# Recording plays seeds from 0 on, and a generation of evolution draws from TRAIN_SEEDS on.
EVAL_SEEDS = 500_000  # the evaluations during evolution, which choose the best controller
TEST_SEEDS = 800_000  # evaluate.py
TRAIN_SEEDS = 1_000_000


def opt(default: Any, help: str, *, choices: tuple = (), grow: bool = False) -> Any:
    """Declare one option: its default, its help, and whether a run may change it later (`grow`)."""
    meta = {"help": help, "choices": choices, "grow": grow}
    return dataclasses.field(default=default, metadata=meta)


@dataclasses.dataclass(frozen=True)
class Record:
    """Stage 1: episodes of a simple policy."""

    episodes: int = opt(10_000, "episodes to record", grow=True)
    policy: str = opt(
        "random-network",
        "who plays: V, M and C with weights redrawn for every episode (the original), "
        "brownian or white noise, or the controller of the run named by --source",
        choices=("random-network", "brownian", "white", "controller"),
    )
    source: str = opt("", "run whose controller plays, for --policy controller")
    noise: float = opt(0.1, "standard deviation of the noise added to a controller's actions")
    engine: str = opt("fast", "who draws the game", choices=("fast", "gymnasium"))
    max_steps: int = opt(1000, "longest episode")
    workers: int = opt(0, "worker processes to start when alone (0: one a core)", grow=True)
    seed: int = opt(0, "episode i plays the track of seed + i")


@dataclasses.dataclass(frozen=True)
class VAE:
    """Stage 2: the vision model V."""

    z_size: int = opt(32, "size of the latent vector z")
    kl_tolerance: float = opt(0.5, "KL below tolerance * z_size nats a frame costs nothing")
    learning_rate: float = opt(1e-4, "Adam's learning rate", grow=True)
    final_learning_rate: float = opt(
        0.0, "reach this rate at the last epoch by a cosine (0: stay constant)", grow=True
    )
    batch_size: int = opt(100, "frames in a batch")
    epochs: int = opt(10, "passes over the recorded frames", grow=True)
    max_frames: int = opt(0, "frames of each episode drawn in an epoch (0: all of them)", grow=True)
    flip: bool = opt(False, "mirror half of the frames (ctallec)", grow=True)
    plateau: int = opt(
        0, "halve the learning rate after this many epochs without progress (0: never)", grow=True
    )
    patience: int = opt(
        0, "stop after this many epochs without progress on held-out episodes (0: never)", grow=True
    )
    holdout: float = opt(0.05, "share of the episodes kept for validation")
    precision: str = opt(
        "auto",
        "arithmetic of the convolutions; auto is bfloat16 where the CPU has AMX",
        choices=("auto", "float32", "bfloat16"),
        grow=True,
    )
    threads: int = opt(0, "CPU threads (0: every core)", grow=True)
    skip_bad: bool = opt(False, "leave out episode files that cannot be read", grow=True)
    seed: int = opt(0, "seed of weights, batches and noise")


@dataclasses.dataclass(frozen=True)
class Series:
    """Stage 3: every frame as mu and logvar."""

    batch_size: int = opt(256, "frames encoded at once", grow=True)
    threads: int = opt(0, "CPU threads (0: every core)", grow=True)
    skip_bad: bool = opt(False, "leave out episode files that cannot be read", grow=True)


@dataclasses.dataclass(frozen=True)
class RNN:
    """Stage 4: the memory model M."""

    hidden_size: int = opt(256, "LSTM units")
    mixtures: int = opt(5, "Gaussians in a mixture")
    joint: bool = opt(False, "one mixture over all of z (ctallec), not one for each dimension")
    reward_head: bool = opt(False, "also predict the reward")
    done_head: bool = opt(False, "also predict the end of the episode")
    done_weight: float = opt(10.0, "weight of the rare positive examples of the done head")
    steps: int = opt(4000, "training steps", grow=True)
    batch_size: int = opt(100, "sequences in a batch")
    sequence_length: int = opt(999, "longest training sequence, in steps")
    learning_rate: float = opt(1e-3, "Adam's learning rate", grow=True)
    min_learning_rate: float = opt(1e-5, "floor of the learning rate", grow=True)
    decay: float = opt(1.0, "factor on the learning rate a step", grow=True)
    clip: float = opt(1.0, "gradients are clipped to +- this value")
    holdout: float = opt(0.05, "share of the episodes kept for validation")
    validate_every: int = opt(100, "steps between validations, checkpoints and pictures", grow=True)
    rend_n_episodes: int = opt(4, "rows of the picture: held-out episodes", grow=True)
    rend_n_rollouts: int = opt(5, "imagined frames in a row of the picture", grow=True)
    rend_step: int = opt(10, "steps imagined between two frames of the picture", grow=True)
    temperature: float = opt(1.0, "temperature of the picture's dream", grow=True)
    threads: int = opt(0, "CPU threads (0: every core)", grow=True)
    seed: int = opt(0, "seed of weights, batches and noise")


@dataclasses.dataclass(frozen=True)
class Controller:
    """Stage 5: the controller C and what evolves it."""

    inputs: str = opt(
        "zh",
        "what C sees: z, the LSTM's h and c, or z through 40 hidden units",
        choices=("z", "zh", "zc", "zch", "z-hidden"),
    )
    z_mode: str = opt(
        "sample", "z at play: drawn from V's posterior (the original) or its mean (ctallec)",
        choices=("sample", "mean"),
    )  # fmt: skip
    optimizer: str = opt(
        "cma", "what evolves C", choices=("cma", "openes", "pepg", "ses", "ga")
    )  # fmt: skip
    population: int = opt(64, "candidates in a generation")
    episodes: int = opt(16, "episodes a candidate plays", grow=True)
    eval_every: int = opt(25, "generations between evaluations", grow=True)
    eval_episodes: int = opt(1024, "rollouts of an evaluation", grow=True)
    sigma_init: float = opt(0.1, "initial standard deviation of the weights")
    sigma_decay: float = opt(0.999, "factor on sigma a generation (openes, pepg, ses, ga)")
    weight_decay: float = opt(0.01, "fitness lost per mean squared weight")
    antithetic: bool = opt(True, "the second half of the population plays the first half's seeds")
    common_seeds: bool = opt(False, "all candidates of a generation play the same tracks")
    cap_time: bool = opt(False, "cap episodes at twice the last generation's mean length")
    retrain: bool = opt(False, "return to the best mean after an evaluation that was worse")
    target_return: float = opt(math.inf, "stop at an evaluation of this mean", grow=True)
    generations: int = opt(0, "stop after this generation (0: no limit)", grow=True)
    hours: float = opt(0.0, "stop after this many hours of evolution (0: no limit)", grow=True)
    batch_size: int = opt(32, "games a worker plays at once", grow=True)
    max_steps: int = opt(
        1000, "longest episode; shorter ones make early generations cheaper", grow=True
    )
    engine: str = opt("fast", "who draws the game", choices=("fast", "gymnasium"))
    workers: int = opt(0, "worker processes to start when alone (0: one a core)", grow=True)
    seed: int = opt(0, "seed of the optimiser and of the training tracks")


STAGES = {"record": Record, "vae": VAE, "series": Series, "rnn": RNN, "controller": Controller}


@dataclasses.dataclass(frozen=True)
class Config:
    """All options of a run."""

    game: str = "carracing"
    preset: str = "full"
    record: Record = Record()
    vae: VAE = VAE()
    series: Series = Series()
    rnn: RNN = RNN()
    controller: Controller = Controller()


# full is the paper's; the others are the same thing, smaller. Sizes are in docs/worldmodels.md.
PRESETS: dict[str, dict[str, Config]] = {
    "carracing": {
        "full": Config(),
        "small": Config(
            preset="small",
            record=Record(episodes=320, policy="brownian"),
            vae=VAE(
                learning_rate=7e-4, final_learning_rate=5e-5, epochs=5, max_frames=250, flip=True
            ),
            rnn=RNN(sequence_length=200, steps=600, decay=0.996),
            controller=Controller(
                z_mode="mean",
                episodes=4,
                eval_every=10,
                eval_episodes=64,
                common_seeds=True,
                hours=3.0,
            ),
        ),
        "demo": Config(
            preset="demo",
            record=Record(episodes=128, policy="brownian"),
            vae=VAE(
                learning_rate=1e-3, final_learning_rate=1e-4, epochs=3, max_frames=250, flip=True
            ),
            rnn=RNN(sequence_length=100, steps=400, decay=0.995),
            controller=Controller(
                z_mode="mean",
                episodes=2,
                max_steps=500,
                eval_every=8,
                eval_episodes=16,
                common_seeds=True,
                hours=0.18,
            ),
        ),
        "toy": Config(
            preset="toy",
            record=Record(episodes=4, policy="brownian", max_steps=60),
            vae=VAE(learning_rate=1e-3, batch_size=20, epochs=1, holdout=0.25),
            rnn=RNN(
                hidden_size=16,
                sequence_length=20,
                batch_size=4,
                steps=6,
                validate_every=3,
                holdout=0.25,
                rend_n_episodes=1,
                rend_n_rollouts=3,
                rend_step=2,
            ),
            controller=Controller(
                population=4,
                episodes=1,
                eval_every=1,
                eval_episodes=2,
                max_steps=20,
                generations=2,
                batch_size=4,
            ),
        ),
    }
}


# What MPI launchers call a process's rank in its environment.
RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID")


def rank() -> int:
    """This process's MPI rank, without starting MPI; only rank 0 speaks to the user."""
    return next((int(os.environ[name]) for name in RANKS if name in os.environ), 0)


class OptionParser(argparse.ArgumentParser):
    """argparse whose errors are one sentence, with the nearest name for an unknown option."""

    def error(self, message: str) -> NoReturn:
        word = message.split(":", 1)[-1].split()
        if message.startswith("unrecognized arguments") and word and word[0].startswith("-"):
            name = word[0].split("=")[0]
            near = difflib.get_close_matches(name, self._option_string_actions, n=1, cutoff=0.5)
            message = f"unknown option {name}" + (f"; did you mean {near[0]}?" if near else "")
        elif "invalid choice" in message:
            bad = message.split("invalid choice:", 1)[1].split("(")[0].strip().strip("'")
            options = message.split("choose from", 1)[1].strip(" )").replace("'", "")
            near = difflib.get_close_matches(bad, options.split(", "), n=1, cutoff=0.4)
            name = message.split("argument", 1)[1].split(":")[0].strip()
            message = f"unknown {name} {bad!r}; choose from {options}"
            message += f" (did you mean {near[0]}?)" if near else ""
        self.exit(2, "" if rank() else f"{self.prog}: error: {message}\n")


def add_options(parser: argparse.ArgumentParser, section: type, defaults: Any) -> None:
    """Add one `--option` for each field of the dataclass `section`."""
    hints = get_type_hints(section)
    for field in dataclasses.fields(section):
        kind = hints[field.name]
        default = getattr(defaults, field.name)
        more: dict[str, Any] = {"type": kind}
        if kind is bool:
            more = {"action": argparse.BooleanOptionalAction}
        elif field.metadata["choices"]:
            more = {"choices": field.metadata["choices"]}
        text = f"{field.metadata['help']} (default: {default})".replace("%", "%%")
        name = "--" + field.name.replace("_", "-")
        parser.add_argument(name, dest=field.name, default=argparse.SUPPRESS, help=text, **more)


def parse(stage: str, doc: str, argv: list[str] | None = None) -> tuple[str, Config]:
    """Read a stage's command line.

    Returns the run's name and its options: the preset's, over them what `log/<run>/config.json`
    says the run was made with, over them the command line. Exits with one sentence on an error.
    """
    argv = sys.argv[1:] if argv is None else argv
    formatter = argparse.RawDescriptionHelpFormatter
    parser = OptionParser(description=doc, formatter_class=formatter, allow_abbrev=False)
    presets = sorted({name for game in PRESETS.values() for name in game})
    parser.add_argument("game", choices=GAMES, help="the game")
    parser.add_argument("--run", help="the run's folder in log/ (default: the game's name)")
    parser.add_argument("--preset", choices=presets, help="sizes of a new run (default: full)")
    options = parser.add_argument_group(f"options of stage {stage}")

    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument("game", nargs="?")
    peek.add_argument("--run")
    peek.add_argument("--preset")
    try:
        early, _ = peek.parse_known_args([a for a in argv if a not in ("-h", "--help")])
    except SystemExit:
        early = argparse.Namespace(game=None, run=None, preset=None)
    game = early.game if early.game in GAMES else GAMES[0]
    run = early.run or game
    base = known(run, game, early.preset, parser)
    add_options(options, STAGES[stage], getattr(base, stage))
    given = vars(parser.parse_args(argv))
    changes = {k: v for k, v in given.items() if k not in ("game", "run", "preset")}
    section = dataclasses.replace(getattr(base, stage), **changes)
    return run, dataclasses.replace(base, **{stage: section})


def known(run: str, game: str, preset: str | None, parser: argparse.ArgumentParser) -> Config:
    """The options of a run that exists, or of a preset for one that does not."""
    path = LOG / run / "config.json"
    if not path.exists():
        return PRESETS[game].get(preset or "full") or Config(game=game)
    saved = load(path)
    if saved.game != game:
        parser.error(f"run {run} plays {saved.game}, not {game}; choose another --run")
    if preset and saved.preset != preset:
        parser.error(f"run {run} has preset {saved.preset}, not {preset}; choose another --run")
    return saved


def load(path: Path) -> Config:
    """Read a run's `config.json`; sections not yet there are the preset's."""
    data = json.loads(path.read_text())
    base = PRESETS[data["game"]][data["preset"]]
    stages = {
        name: dataclasses.replace(getattr(base, name), **data[name])
        for name in STAGES
        if name in data
    }
    return dataclasses.replace(base, **stages)


def frozen(section: Any) -> dict[str, Any]:
    """The options of a section that a run can never change."""
    fields = dataclasses.fields(section)
    return {f.name: getattr(section, f.name) for f in fields if not f.metadata["grow"]}
