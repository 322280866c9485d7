"""The networks of a run on disk: the best so far, and each that was the best before."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import config
import runs


@dataclasses.dataclass(frozen=True)
class Network:
    """One network of a run.

    Attributes:
        path: the run's folder. options: what the run was made with. weights: the network's file.
    """

    path: Path
    game: str
    options: config.Boards
    weights: Path

    @property
    def name(self) -> str:
        """What tables call it."""
        best = self.weights.parent == self.path
        return self.path.name if best else f"{self.path.name}/{self.weights.stem.split('.')[0]}"


def find(name: str) -> Network:
    """Open the best network of a run, by its folder or name, or one of its `networks/*.weights.h5`.

    Raises:
        RunError: no such run (names the nearest one), of another system, or not trained yet.
    """
    weights = Path(name)
    by_file = weights.suffix == ".h5"
    if by_file:
        name = str(weights.parent.parent if weights.parent.name == "networks" else weights.parent)
    path, cfg = runs.find(name)
    if cfg.system != "boards":
        raise runs.RunError(f"{path} is a run of {cfg.game}, which is no board game")
    weights = weights if by_file else path / "network.weights.h5"
    if not weights.exists():
        made_by = runs.command(path, "boards")
        raise runs.RunError(f"there is no {weights}; train it with `{made_by}`")
    return Network(path, cfg.game, cfg.boards, weights)
