"""A run's folder: open or resume it, check it, write to it safely.

`log/<run>/` holds `config.json` and one folder a stage. Files are written under a temporary name
and renamed, so a reader never sees half a file. Nothing that is loaded can run code.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

import config

# Without this, TensorFlow leaves oneDNN off on AMD CPUs: transposed convolutions are 12x slower.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

COMMANDS = {
    "record": "python -m record.extract",
    "vae": "python -m vae.train",
    "series": "python -m series.encode",
    "rnn": "python -m rnn.train",
    "controller": "python train.py",
    "planner": "python train_alphazero.py",
}


class RunError(Exception):
    """What the user can mend; its text is the one sentence that is shown."""


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


def claim(run: str, stage: str, cfg: config.Config) -> Path:
    """Open a stage's folder for writing; make it, or check that its options are the same.

    Returns the folder. Options marked `grow` may differ from what the stage was made with.

    Raises:
        RunError: the stage was made with other options.
    """
    path = folder(run)
    section = getattr(cfg, stage)
    file = path / "config.json"
    data = json.loads(file.read_text()) if file.exists() else {}
    if stage in data and (path / stage).exists():
        for name, value in config.frozen(section).items():
            was = data[stage].get(name, value)
            if was != value:
                raise RunError(
                    f"stage {stage} of {path} was made with {name}={was}, not {value}; "
                    f"choose another --run, or delete {path / stage}"
                )
    data |= {"game": cfg.game, "preset": cfg.preset, stage: dataclasses.asdict(section)}
    (path / stage).mkdir(parents=True, exist_ok=True)
    write_json(file, data)
    return path / stage


def command(path: Path, stage: str) -> str:
    """The command that makes a stage of the run at `path`."""
    try:
        game = json.loads((path / "config.json").read_text())["game"]
    except (OSError, ValueError, KeyError):
        game = path.name if path.name in config.GAMES else "<game>"
    return f"{COMMANDS[stage]} {game}" + (f" --run {path.name}" if path.name != game else "")


def require(path: Path, stage: str, *names: str) -> None:
    """Check that the files of an earlier stage are there.

    Raises:
        RunError: says which command makes them.
    """
    for name in names:
        if not (path / stage / name).exists():
            made_by = command(path, stage)
            raise RunError(f"{path} has no {stage}/{name}; make it with `{made_by}` first")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file as a whole: a temporary one beside it is renamed when the block ends well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep(path: Path) -> None:
    """Delete temporary files that a killed process left in a folder."""
    for file in [*path.rglob(".*.tmp"), *path.rglob(".*.tmp.*")]:
        file.unlink(missing_ok=True)


def write_json(path: Path, data: Any, **how: Any) -> None:
    """Write JSON in one piece."""
    with replacing(path) as file:
        file.write((json.dumps(data, **({"indent": 1} | how)) + "\n").encode())


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an uncompressed npz in one piece."""
    with replacing(path) as file:
        np.savez(file, **arrays)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read an npz, pickles refused.

    Raises:
        RunError: the file is truncated, empty or not an npz of plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except FileNotFoundError:
        raise RunError(f"no file {path}") from None
    except Exception as error:
        raise RunError(f"{path} is truncated or not an npz of ours ({error})") from None


def fingerprint(path: Path) -> str:
    """First 16 hex digits of a file's SHA-256: tells whether an artefact is still the same."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


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


def load_weights(model: Any, file: Path) -> None:
    """Fill a Keras model from a `.weights.h5`.

    Raises:
        RunError: damaged, or of a model of another form.
    """
    try:
        model.load_weights(file)
    except Exception as error:
        raise RunError(f"{file} is damaged or made with other options") from error


def start_from(model: Any, run: str, stage: str) -> None:
    """Fill a new model with the weights of a stage of another run.

    Raises:
        RunError: there are none, or they are of another form.
    """
    path, _ = find(run)
    require(path, stage, f"{stage}.weights.h5")
    load_weights(model, path / stage / f"{stage}.weights.h5")


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


class Metrics:
    """Append rows to `metrics.jsonl`; on opening, drop a torn last line and rows from `start` on.

    Args:
        path: the stage's folder.
        key: the column that counts (epoch, step, generation).
        start: first value of `key` that will be written again; None keeps all rows.
    """

    def __init__(self, path: Path, key: str = "", start: float | None = None):
        self.file = path / "metrics.jsonl"
        first = float("inf") if start is None else start
        rows = [row for row in read_metrics(self.file) if row.get(key, 0) < first]
        with replacing(self.file) as file:
            file.writelines((json.dumps(row) + "\n").encode() for row in rows)

    def write(self, **row: Any) -> None:
        """Append one row."""
        with open(self.file, "a") as file:
            file.write(json.dumps(row) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Rows of a `metrics.jsonl`; a torn last line is left out."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text().splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            rows.append(json.loads(line))
    return rows


def save_checkpoint(path: Path, variables: list[Any], **state: Any) -> None:
    """Save Keras variables in order, and JSON-able `state`, in one npz."""
    arrays = {f"v{i}": np.asarray(v) for i, v in enumerate(variables)}
    text = np.frombuffer(json.dumps(state).encode(), np.uint8)
    write_npz(path, arrays | {"state": text})


def load_checkpoint(path: Path, variables: list[Any]) -> dict[str, Any]:
    """Fill Keras variables from `save_checkpoint`; return its state.

    Raises:
        RunError: the checkpoint is damaged, or of another model.
    """
    data = read_npz(path)
    values = [data.get(f"v{i}") for i in range(len(variables))]
    for variable, value in zip(variables, values, strict=True):
        if value is None or tuple(variable.shape) != value.shape:
            raise RunError(f"{path} holds another model; delete it to train anew")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return json.loads(data["state"].tobytes())


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what native libraries print on stderr; show it if the block fails."""
    sys.stderr.flush()
    keep = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(keep, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(keep, 2)
            os.close(keep)


def tensorflow(threads: int = 0) -> Any:
    """Import TensorFlow with our settings, without its greetings, and return it.

    Args:
        threads: CPU threads of an operation; 0 is one a core.
    """
    with quiet():
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # already running: the first caller has decided
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1 if threads == 1 else 2)
        tf.config.list_logical_devices()
    return tf


def save_weights(model: Any, path: Path) -> None:
    """Save a Keras model's weights (`.weights.h5`) in one piece."""
    temporary = path.with_name(f".{os.getpid()}.tmp.{path.name}")
    try:
        model.save_weights(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
