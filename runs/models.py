"""Models on disk: weights, checkpoints, and TensorFlow with our settings."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from runs.errors import RunError
from runs.files import read_npz, write_npz
from runs.folders import find, require

# Set when this is imported, since TensorFlow reads them when it is, which a notebook or another
# library may do before it asks us. Without the first it leaves oneDNN off on AMD CPUs: transposed
# convolutions are 12x slower.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


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


def save_weights(model: Any, path: Path) -> None:
    """Save a Keras model's weights (`.weights.h5`) in one piece."""
    temporary = path.with_name(f".{os.getpid()}.tmp.{path.name}")
    try:
        model.save_weights(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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


def names_of(variables: list[Any]) -> list[str]:
    """Names of variables in a checkpoint, each once: their paths, without the numbers that Keras
    gives to the layers of a process (`dense_7`), which differ from start to start."""
    names, counts = [], collections.Counter()
    for variable in variables:
        path = getattr(variable, "path", variable.name.removesuffix(":0"))
        name = re.sub(r"_\d+(?=[/_]|$)", "", path)
        counts[name] += 1
        names.append(name if counts[name] == 1 else f"{name}#{counts[name]}")
    return names


def save_checkpoint(path: Path, variables: list[Any], **state: Any) -> None:
    """Save variables by their names, and JSON-able `state`, in one npz."""
    arrays = {n: np.asarray(v) for n, v in zip(names_of(variables), variables, strict=True)}
    text = np.frombuffer(json.dumps(state).encode(), np.uint8)
    write_npz(path, arrays | {"state": text})


def load_checkpoint(path: Path, variables: list[Any]) -> dict[str, Any]:
    """Fill variables from `save_checkpoint`; return its state.

    Raises:
        RunError: the checkpoint is damaged, or of another model.
    """
    data = read_npz(path)
    names = names_of(variables)
    if "v0" in data:  # made before variables had names
        names = [f"v{i}" for i in range(len(variables))]
    values = [data.get(name) for name in names]
    for variable, value in zip(variables, values, strict=True):
        if value is None or tuple(variable.shape) != value.shape:
            raise RunError(f"{path} holds another model; delete it to train anew")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return json.loads(data["state"].tobytes())
