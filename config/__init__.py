"""Every option of every stage, as dataclasses, and a named preset per game.

A stage is a section here, a folder of code, and a folder in `log/<run>/`, under one name. Which
stages a system is made of is said in config/systems.py. Scripts read the command line with
runs/cli.py. Importing this module is cheap: no TensorFlow, no MPI.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from config.alphazero import Planner
from config.boards import Boards
from config.options import current, frozen
from config.systems import (
    RENAMED,
    REREAD,
    STAGES,
    SYSTEMS,
    System,
    owner,
    run_name,
    system_of,
    systems_of,
)
from config.worldmodels import RNN, VAE, Controller, Record, Series

__all__ = [
    "RNN",
    "STAGES",
    "SYSTEMS",
    "VAE",
    "Boards",
    "Config",
    "Controller",
    "Planner",
    "Record",
    "Series",
    "System",
    "frozen",
    "load",
    "owner",
    "preset",
    "read",
    "run_name",
    "system_of",
    "systems_of",
]

# The games that are seen; those of boards/ have no frames.
GAMES = tuple(g for name in ("worldmodels", "alphazero") for g in SYSTEMS[name].presets)
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
    """All options of a run: one field a section."""

    game: str = "carracing"
    preset: str = "full"
    system: str = "worldmodels"
    record: Record = Record()
    vae: VAE = VAE()
    series: Series = Series()
    rnn: RNN = RNN()
    controller: Controller = Controller()
    planner: Planner = Planner()
    boards: Boards = Boards()


def preset(game: str, name: str, system: str = "") -> Config:
    """A named size of a game; the smaller ones change only what they name of `full`.

    Args:
        system: whose run it is; if it has no presets of the game, or none is named, they are those
            of the system that has.

    Raises:
        ValueError: there is no such game or preset.
    """
    mine = SYSTEMS[system] if system else owner(game)
    sizes = mine.sizes(game) or owner(game).sizes(game)
    if name not in sizes:
        raise ValueError(f"{game} has no preset {name!r}")
    base = Config(game=game, preset=name, system=mine.name)
    for changes in (sizes["full"], sizes[name]):
        sections = {k: dataclasses.replace(getattr(base, k), **v) for k, v in changes.items()}
        base = dataclasses.replace(base, **sections)
    return base


def read(stage: str, data: dict[str, Any]) -> dict[str, Any]:
    """The options of a section of `config.json`, under their names and with the values of today."""
    values = current(data, RENAMED.get(stage, {}))
    for name, said in REREAD.get(stage, {}).items():
        if name in values:
            values[name] = said.get(values[name], values[name])
    return values


def load(path: Path) -> Config:
    """Read a run's `config.json`; sections not yet there are the preset's.

    Raises:
        ValueError: it is damaged, or of another version of this toolkit; says so in one sentence.
    """
    try:
        data = json.loads(path.read_text())
        system = system_of(data)
        if "boards" in data:
            data = {"preset": "full"} | data  # older ones do not name it
        base = preset(data["game"], data["preset"], system.name)
        made = {name: read(name, data[name]) for name in STAGES if name in data}
        stages = {k: dataclasses.replace(getattr(base, k), **v) for k, v in made.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged or of another version ({error})") from None
    return dataclasses.replace(base, **stages)
