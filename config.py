"""Every option of every stage, as dataclasses, and a named preset per game.

A stage is a section here, a folder of code, and a folder in `log/<run>/`, under one name. Scripts
read the command line with cli.py. Importing this module is cheap: no TensorFlow, no MPI.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

GAMES = ("carracing",)
LOG = Path("log")

# Which tracks are played for what, so that a score is never of a track that training has seen.
# Recording plays seeds from 0 on, and a generation of evolution draws from TRAIN_SEEDS on.
EVAL_SEEDS = 500_000  # the evaluations during evolution, which choose the best controller
TEST_SEEDS = 800_000  # evaluate.py
TRAIN_SEEDS = 1_000_000


def opt(
    default: Any,
    help: str,
    *,
    choices: tuple = (),
    grow: bool = False,
    low: float = 0,
    high: float = math.inf,
) -> Any:
    """Declare one option: its default, its help, its range if it is a number, and whether a run
    may change it later (`grow`)."""
    meta = {"help": help, "choices": choices, "grow": grow, "low": low, "high": high}
    return dataclasses.field(default=default, metadata=meta)


@dataclasses.dataclass(frozen=True)
class Record:
    """Stage 1: episodes of a simple policy."""

    episodes: int = opt(10_000, "episodes to record", grow=True, low=1)
    policy: str = opt(
        "random-network",
        "who plays: V, M and C with weights redrawn for every episode (the original), "
        "brownian or white noise, or the controller of the run named by --source",
        choices=("random-network", "brownian", "white", "controller"),
    )
    source: str = opt("", "run whose controller plays, for --policy controller")
    noise: float = opt(0.1, "standard deviation of the noise added to a controller's actions")
    engine: str = opt("fast", "who draws the game", choices=("fast", "gymnasium"))
    max_steps: int = opt(1000, "longest episode", low=1)
    workers: int = opt(0, "worker processes to start when alone (0: one a core)", grow=True)
    seed: int = opt(0, "episode i plays the track of seed + i")


@dataclasses.dataclass(frozen=True)
class VAE:
    """Stage 2: the vision model V."""

    z_size: int = opt(32, "size of the latent vector z", low=1)
    kl_tolerance: float = opt(0.5, "KL below tolerance * z_size nats a frame costs nothing")
    learning_rate: float = opt(1e-4, "Adam's learning rate", grow=True)
    final_learning_rate: float = opt(
        0.0, "reach this rate at the last epoch by a cosine (0: stay constant)", grow=True
    )
    batch_size: int = opt(100, "frames in a batch", low=1)
    epochs: int = opt(10, "passes over the recorded frames", grow=True, low=1)
    max_frames: int = opt(0, "frames of each episode drawn in an epoch (0: all of them)", grow=True)
    flip: bool = opt(False, "mirror half of the frames (ctallec)", grow=True)
    plateau: int = opt(
        0, "halve the learning rate after this many epochs without progress (0: never)", grow=True
    )
    patience: int = opt(
        0, "stop after this many epochs without progress on held-out episodes (0: never)", grow=True
    )
    holdout: float = opt(0.05, "share of the episodes kept for validation", high=0.5)
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

    batch_size: int = opt(256, "frames encoded at once", grow=True, low=1)
    threads: int = opt(0, "CPU threads (0: every core)", grow=True)
    skip_bad: bool = opt(False, "leave out episode files that cannot be read", grow=True)


@dataclasses.dataclass(frozen=True)
class RNN:
    """Stage 4: the memory model M."""

    hidden_size: int = opt(256, "LSTM units", low=1)
    mixtures: int = opt(5, "Gaussians in a mixture", low=1)
    joint: bool = opt(False, "one mixture over all of z (ctallec), not one for each dimension")
    reward_head: bool = opt(False, "also predict the reward")
    done_head: bool = opt(False, "also predict the end of the episode")
    done_weight: float = opt(10.0, "weight of the rare positive examples of the done head")
    steps: int = opt(4000, "training steps", grow=True, low=1)
    batch_size: int = opt(100, "sequences in a batch", low=1)
    sequence_length: int = opt(999, "longest training sequence, in steps", low=2)
    learning_rate: float = opt(1e-3, "Adam's learning rate", grow=True)
    min_learning_rate: float = opt(1e-5, "floor of the learning rate", grow=True)
    decay: float = opt(1.0, "factor on the learning rate a step", grow=True)
    clip: float = opt(1.0, "gradients are clipped to +- this value")
    holdout: float = opt(0.05, "share of the episodes kept for validation", high=0.5)
    validate_every: int = opt(
        100, "steps between validations, checkpoints and pictures", grow=True, low=1
    )
    rend_n_episodes: int = opt(4, "rows of the picture: held-out episodes", grow=True, low=1)
    rend_n_rollouts: int = opt(5, "imagined frames in a row of the picture", grow=True, low=1)
    rend_step: int = opt(10, "steps imagined between two frames of the picture", grow=True, low=1)
    temperature: float = opt(1.0, "temperature of the picture's dream", grow=True, low=0.01)
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
    population: int = opt(64, "candidates in a generation", low=3)
    episodes: int = opt(16, "episodes a candidate plays", grow=True, low=1)
    eval_every: int = opt(25, "generations between evaluations", grow=True, low=1)
    eval_episodes: int = opt(1024, "rollouts of an evaluation", grow=True, low=1)
    sigma_init: float = opt(0.1, "initial standard deviation of the weights", low=1e-6)
    sigma_decay: float = opt(0.999, "factor on sigma a generation (openes, pepg, ses, ga)")
    weight_decay: float = opt(0.01, "fitness lost per mean squared weight")
    antithetic: bool = opt(
        True,
        "the second half of the population plays the first half's tracks; with openes, pepg and "
        "ses it is also its mirror image",
    )
    common_seeds: bool = opt(False, "all candidates of a generation play the same tracks")
    cap_time: bool = opt(False, "cap episodes at twice the last generation's mean length")
    retrain: bool = opt(False, "return to the best mean after an evaluation that was worse")
    target_return: float = opt(
        math.inf, "stop at an evaluation of this mean", grow=True, low=-math.inf
    )
    generations: int = opt(0, "stop after this generation (0: no limit)", grow=True)
    hours: float = opt(0.0, "stop after this many hours of evolution (0: no limit)", grow=True)
    batch_size: int = opt(32, "games a worker plays at once", grow=True, low=1)
    max_steps: int = opt(
        1000, "longest episode; shorter ones make early generations cheaper", grow=True, low=1
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


def load(path: Path) -> Config:
    """Read a run's `config.json`; sections not yet there are the preset's.

    Raises:
        ValueError: it is damaged, or of another version of this toolkit; says so in one sentence.
    """
    try:
        data = json.loads(path.read_text())
        base = PRESETS[data["game"]][data["preset"]]
        made = {name: data[name] for name in STAGES if name in data}
        stages = {k: dataclasses.replace(getattr(base, k), **v) for k, v in made.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged or of another version ({error})") from None
    return dataclasses.replace(base, **stages)


def frozen(section: Any) -> dict[str, Any]:
    """The options of a section that a run can never change."""
    fields = dataclasses.fields(section)
    return {f.name: getattr(section, f.name) for f in fields if not f.metadata["grow"]}
