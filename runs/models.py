"""Models on disk: weights, checkpoints, and TensorFlow with our settings."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from runs.errors import RunError
from runs.files import read_npz, write_npz
from runs.folders import find, require

# Without this, TensorFlow leaves oneDNN off on AMD CPUs: transposed convolutions are 12x slower.
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
