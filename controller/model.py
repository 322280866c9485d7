"""The controller C: a linear map from what the agent knows to its action (World Models, 2.3).

Its parameters are one flat vector: the bias first, then the matrix (inputs, A) row by row; with
hidden units, two such layers. Here are its sizes, without TensorFlow; controller/agent.py acts.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import runs

HIDDEN = 40  # tanh units of the variant with a hidden layer


def input_size(inputs: str, z_size: int, hidden_size: int) -> int:
    """Numbers that C sees: z, and of the LSTM h, c or both."""
    sizes = {
        "z": z_size,
        "z-hidden": z_size,
        "zh": z_size + hidden_size,
        "zc": z_size + hidden_size,
        "zch": z_size + 2 * hidden_size,
    }
    return sizes[inputs]


def layer_sizes(inputs: str, z_size: int, hidden_size: int, action_size: int) -> list[int]:
    """Widths from input to action."""
    first = input_size(inputs, z_size, hidden_size)
    return [first, HIDDEN, action_size] if inputs == "z-hidden" else [first, action_size]


def count_params(sizes: list[int]) -> int:
    """P: 867 for z and h of CarRacing."""
    return sum((i + 1) * o for i, o in zip(sizes[:-1], sizes[1:], strict=True))


def random_params(rng: np.random.Generator, count: int) -> np.ndarray:
    """Parameters of the original's random agent: Cauchy, of a width drawn from U(0, 0.01)."""
    return rng.standard_cauchy(count) * rng.uniform(0, 0.01)


def save_controller(path: Path, params: np.ndarray, marks: dict[str, str], **about: float) -> None:
    """Write a run's controller.npz: its parameters, the V and M that it knows, and what `about` it.

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
