"""The controller C: a linear map from what the agent knows to its action (World Models, 2.3).

Its parameters are one flat vector: the bias first, then the matrix (inputs, A) row by row; with
hidden units, two such layers. Here are its sizes, without TensorFlow; controller/agent.py acts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

import config
import runs

HIDDEN = 40  # tanh units of the variant with a hidden layer


class Shape(NamedTuple):
    """The form of C."""

    sizes: tuple[int, ...]  # widths from input to output
    bias: bool
    rectify: bool  # C sees max(x, 0)


def shape_of(options: config.Controller, z_size: int, hidden_size: int, outputs: int) -> Shape:
    """The form of C as a run's options say, for a game that wants `outputs` numbers of it."""
    sizes = {
        "z": z_size,
        "z-hidden": z_size,
        "zh": z_size + hidden_size,
        "zc": z_size + hidden_size,
        "zch": z_size + 2 * hidden_size,
    }
    hidden = (HIDDEN,) if options.inputs == "z-hidden" else ()
    return Shape((sizes[options.inputs], *hidden, outputs), options.bias, options.rectify)


def count_params(shape: Shape) -> int:
    """P: 867 for z and h of CarRacing, 1,088 for z, c and h of Doom without a bias."""
    pairs = zip(shape.sizes[:-1], shape.sizes[1:], strict=True)
    return sum((i + shape.bias) * o for i, o in pairs)


def random_params(rng: np.random.Generator, count: int) -> np.ndarray:
    """Parameters of the original's random agent: Cauchy, of a width drawn from U(0, 0.01)."""
    return rng.standard_cauchy(count) * rng.uniform(0, 0.01)


def save_controller(path: Path, params: np.ndarray, marks: dict[str, str], **about: float) -> None:
    """Write a run's controller.npz: parameters, the V and M that it knows, and what `about` it.

    Args:
        marks: what `runs.made_from` says.
    """
    made_from = np.frombuffer(json.dumps(marks).encode(), np.uint8)
    arrays = {"params": params, "made_from": made_from} | {k: np.array(v) for k, v in about.items()}
    runs.write_npz(path / "controller" / "controller.npz", arrays)


def load_controller(path: Path) -> np.ndarray:
    """Parameters (P,) of a run's best controller.

    Raises:
        RunError: none was trained yet, or V or M has changed since.
    """
    runs.require(path, "controller", "controller.npz")
    file = path / "controller" / "controller.npz"
    data = runs.read_npz(file)
    runs.check_made_from(path, file, json.loads(data["made_from"].tobytes()))
    return data["params"]
