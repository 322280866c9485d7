"""Every option of every stage, as dataclasses, and a named preset per game.

A stage is a section here, a folder of code, and a folder in `log/<run>/`, under one name. Scripts
read the command line with runs/cli.py. Importing this module is cheap: no TensorFlow, no MPI.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from config import alphazero_presets, worldmodels_presets
from config.alphazero import Planner
from config.worldmodels import RNN, VAE, Controller, Record, Series

STAGES = {
    "record": Record,
    "vae": VAE,
    "series": Series,
    "rnn": RNN,
    "controller": Controller,
    "planner": Planner,
}
PRESETS = worldmodels_presets.PRESETS | alphazero_presets.PRESETS
GAMES = tuple(PRESETS)
LOG = Path("log")

# Which tracks are played for what, so that a score is never of a track that training has seen.
# Recording plays seeds from 0 on, a generation of evolution draws from TRAIN_SEEDS on, and
# train_alphazero.py plays from ten million on.
EVAL_SEEDS = 500_000  # the evaluations during evolution, which choose the best controller
CHOICE_SEEDS = 600_000  # controller/choose.py, which judges them again
TEST_SEEDS = 800_000  # evaluate.py
TRAIN_SEEDS = 1_000_000


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
    planner: Planner = Planner()


def preset(game: str, name: str) -> Config:
    """A named size of a game; the smaller ones change only what they name of `full`."""
    base = Config(game=game, preset=name)
    for changes in (PRESETS[game]["full"], PRESETS[game][name]):
        sections = {k: dataclasses.replace(getattr(base, k), **v) for k, v in changes.items()}
        base = dataclasses.replace(base, **sections)
    return base


def load(path: Path) -> Config:
    """Read a run's `config.json`; sections not yet there are the preset's.

    Raises:
        ValueError: it is damaged, or of another version of this toolkit; says so in one sentence.
    """
    try:
        data = json.loads(path.read_text())
        base = preset(data["game"], data["preset"])
        made = {name: data[name] for name in STAGES if name in data}
        stages = {k: dataclasses.replace(getattr(base, k), **v) for k, v in made.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged or of another version ({error})") from None
    return dataclasses.replace(base, **stages)


def frozen(section: Any) -> dict[str, Any]:
    """The options of a section that a run can never change."""
    fields = dataclasses.fields(section)
    return {f.name: getattr(section, f.name) for f in fields if not f.metadata["grow"]}
