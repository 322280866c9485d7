"""A run's folder: open or resume it, and check what is in it.

`log/<run>/` holds `config.json` and one folder a stage; a board game's run has all files in itself.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from pathlib import Path

import config
from runs.errors import RunError
from runs.files import fingerprint, replacing, write_json


def folder(run: str) -> Path:
    """The folder of run `run`: a name under log/, or a path such as pretrained/carracing."""
    path = Path(run)
    if path.parts[:1] == (config.LOG.name,) or (path / "config.json").exists():
        return path
    return config.LOG / run


def find(run: str) -> tuple[Path, config.Config]:
    """Open a run that must exist.

    Raises:
        RunError: no such run (names the nearest one), or its config is damaged.
    """
    path = folder(run)
    if not (path / "config.json").exists():
        names = [p.parent.name for p in config.LOG.glob("*/config.json")]
        near = difflib.get_close_matches(path.name, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise RunError(f"no run at {path}{hint}")
    try:
        return path, config.load(path / "config.json")
    except ValueError as error:
        raise RunError(str(error)) from None


def folder_of(path: Path, stage: str) -> Path:
    """The folder of a stage of the run at `path`."""
    return path if config.systems_of(stage)[0].in_root else path / stage


def claim(run: str, stage: str, cfg: config.Config) -> Path:
    """Open a stage's folder for writing; make it, or check that its options are the same.

    Returns the folder. Options marked `free` may differ from what the stage was made with.

    Raises:
        RunError: the stage was made with other options.
    """
    path = folder(run)
    section, made = getattr(cfg, stage), folder_of(path, stage)
    file = path / "config.json"
    data = json.loads(file.read_text()) if file.exists() else {}
    if stage in data and made.exists():
        old = config.read(stage, data[stage])
        for name, value in config.frozen(section).items():
            was = old.get(name, value)
            if was != value:
                raise RunError(
                    f"stage {stage} of {path} was made with {name}={was}, not {value}; "
                    f"choose another --run, or delete {made}"
                )
    data |= {"system": cfg.system, "game": cfg.game, "preset": cfg.preset}
    made.mkdir(parents=True, exist_ok=True)
    write_json(file, data | {stage: dataclasses.asdict(section)})
    return made


def command(path: Path, stage: str) -> str:
    """The command that makes a stage of the run at `path`."""
    try:
        game = json.loads((path / "config.json").read_text())["game"]
    except (OSError, ValueError, KeyError):
        game = path.name if path.name in config.GAMES else "<game>"
    words = f"python {config.STAGES[stage].script} {game}"
    return words + (f" --run {path.name}" if path.name != config.run_name(game) else "")


def require(path: Path, stage: str, *names: str) -> None:
    """Check that the files of an earlier stage are there.

    Raises:
        RunError: says which command makes them.
    """
    for name in names:
        if not (path / stage / name).exists():
            made_by = command(path, stage)
            raise RunError(f"{path} has no {stage}/{name}; make it with `{made_by}` first")


def made_from(path: Path, *stages: str) -> dict[str, str]:
    """Fingerprints of the weights of earlier stages ("vae", "rnn"), to keep with what uses them."""
    return {stage: fingerprint(path / stage / f"{stage}.weights.h5") for stage in stages}


def check_made_from(path: Path, what: Path, marks: dict[str, str]) -> None:
    """Check that `what` was made with the V and M that are in the run now.

    Args:
        marks: what `made_from` said when it was made.

    Raises:
        RunError: names the stage that has changed since.
    """
    for stage, mark in made_from(path, *marks).items():
        if mark != marks[stage]:
            raise RunError(
                f"{what} was made with another {path / stage / stage}.weights.h5; "
                f"delete {what.parent} and make it again"
            )


def borrow(run: str, cfg: config.Config, source: str) -> config.Config:
    """Copy V, M, their metrics and the first frames of run `source` into `run`, with their options.

    Returns `cfg` with those options.

    Raises:
        RunError: `run` has a V or M already, and another; or the source lacks one.
    """
    path, (lender, lent) = folder(run), find(source)
    for file in ("vae/vae.weights.h5", "series/initial_z.npz", "rnn/rnn.weights.h5"):
        require(lender, *file.split("/"))
        mine = path / file
        if mine.exists() and fingerprint(mine) != fingerprint(lender / file):
            raise RunError(f"{mine} is not that of {lender}; choose another --run")
    if lent.game != cfg.game:
        raise RunError(f"{lender} plays {lent.game}, not {cfg.game}")
    seen = dataclasses.replace(cfg.record, view=lent.record.view)
    if seen != cfg.record:
        cfg = dataclasses.replace(cfg, record=seen)
        claim(run, "record", cfg)
    cfg = dataclasses.replace(cfg, vae=lent.vae, series=lent.series, rnn=lent.rnn)
    for stage, names in (
        ("vae", ("vae.weights.h5", "metrics.jsonl")),
        ("series", ("initial_z.npz",)),
        ("rnn", ("rnn.weights.h5", "made_from.json", "metrics.jsonl")),
    ):
        claim(run, stage, cfg)
        for file in (lender / stage / name for name in names):
            if file.exists():  # an untrained M has no metrics
                with replacing(path / stage / file.name) as copy:
                    copy.write(file.read_bytes())
    return cfg
