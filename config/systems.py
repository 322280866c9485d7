"""The systems of this toolkit: what each is made of, said once.

The command line, `config.json`, the hints of what to run first, evaluate.py and the tests read it
here. A system that moves in adds its sections and presets in a file beside this one, its `System`
below, and a field to `Config` for each section that is new.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config import alphazero, boards, worldmodels, worldmodels_presets

Sizes = dict[str, dict[str, dict[str, Any]]]  # preset: section: option: value

# A game that Gymnasium makes by its id, which may name the module that registers it first.
GYMNASIUM = re.compile(r"([\w.]+:)?[\w./-]+-v\d+")


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of a system: its section of options, and the script that it is done by.

    `opens` names further sections whose options the script offers too, as `--rnn.hidden-size`, each
    with those of its options that the script decides itself and does not offer.
    """

    options: type
    script: str
    opens: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class System:
    """What learns a game, from first to last.

    Attributes:
        stages: its steps by the name of their section, of their folder in `log/<run>/` and of their
            key in `config.json`, in the order in which they are run.
        trainer: the stage that makes what plays, and with it a run this system's.
        presets: named sizes of each of its games, as what they change; `full` is what the others
            are changes of.
        generic: the same for any Gymnasium game; none: it plays its own games alone.
        evaluator: the module whose `main` is evaluate.py's for its runs, and whose `add_options`
            says which options that has.
        in_root: its files are in the run's folder itself, not in one of the stage's.
    """

    name: str
    stages: Mapping[str, Stage]
    trainer: str
    presets: Mapping[str, Sizes]
    generic: Sizes
    evaluator: str
    in_root: bool = False

    def sizes(self, game: str) -> Sizes:
        """The presets of a game; none if this system does not play it."""
        anybody = self.generic if GYMNASIUM.fullmatch(game) else {}
        return self.presets.get(game, anybody)


WORLDMODELS = System(
    name="worldmodels",
    stages={
        "record": Stage(worldmodels.Record, "-m record.extract"),
        "vae": Stage(worldmodels.VAE, "-m vae.train"),
        "series": Stage(worldmodels.Series, "-m series.encode"),
        "rnn": Stage(worldmodels.RNN, "-m rnn.train"),
        "controller": Stage(worldmodels.Controller, "train.py"),
    },
    trainer="controller",
    presets=worldmodels_presets.PRESETS,
    generic=worldmodels_presets.GENERIC,
    evaluator="controller.evaluate",
)
ALPHAZERO = System(
    name="alphazero",
    # The controller's too: C can be evolved in these games, on the same V and M.
    stages=WORLDMODELS.stages
    | {
        "planner": Stage(
            alphazero.Planner,
            "train_alphazero.py",
            opens={
                "record": tuple(
                    field.name
                    for field in dataclasses.fields(worldmodels.Record)
                    if field.name != "view"
                ),
                "vae": ("epochs", "max_frames", "exp_replay_size", "threads", "seed"),
                "rnn": ("steps", "follow", "threads", "seed"),
            },
        )
    },
    trainer="planner",
    presets=alphazero.PRESETS,
    generic=alphazero.GENERIC,
    evaluator="planner.evaluate",
)
BOARDS = System(
    name="boards",
    stages={"boards": Stage(boards.Boards, "train_boards.py")},
    trainer="boards",
    presets=boards.PRESETS,
    generic={},
    evaluator="boards.evaluate",
    in_root=True,
)

SYSTEMS = {system.name: system for system in (WORLDMODELS, ALPHAZERO, BOARDS)}
STAGES = {name: stage for system in SYSTEMS.values() for name, stage in system.stages.items()}

# Names of options in older runs, by section: {"section": {"old": "new"}}.
RENAMED = {"planner": {"warmup": "policy_warmup", "decay": "temperature_decay"}}
# Values of options in older runs that are said otherwise today.
REREAD = {"boards": {"max_iter": {-1: 0}}}


def systems_of(stage: str) -> list[System]:
    """The systems that a stage is part of; if it is the trainer of one, that one comes first."""
    having = [system for system in SYSTEMS.values() if stage in system.stages]
    return sorted(having, key=lambda system: system.trainer != stage)


def owner(game: str, systems: list[System] | None = None) -> System:
    """The system whose presets are a game's: the first that names it, or else that plays any.

    Raises:
        ValueError: no system plays it.
    """
    systems = list(SYSTEMS.values()) if systems is None else systems
    for system in (*(s for s in systems if game in s.presets), *systems):
        if system.sizes(game):
            return system
    raise ValueError(f"no game {game!r}")


def system_of(run: Path | Mapping[str, Any]) -> System:
    """The system of a run, by its folder or by what its `config.json` holds.

    An older `config.json` does not name it: then it is that of the trainer whose options are there,
    or of the game's presets.

    Raises:
        OSError, ValueError, KeyError: there is no such file, or it is damaged.
    """
    data = json.loads((run / "config.json").read_text()) if isinstance(run, Path) else run
    if "system" in data:
        return SYSTEMS[data["system"]]
    for system in reversed(SYSTEMS.values()):
        if system.trainer in data:
            return system
    return owner(data["game"])


def run_name(game: str) -> str:
    """The name of a game's run if nothing else is said: `My-v0` for `a.module:My-v0`."""
    return re.sub(r"[^\w.-]+", "-", game.partition(":")[2] or game)
