"""Copy what it takes to play a run, small enough to pass on: no episodes, series or checkpoints.

    python -m report.ship log/binpacking pretrained/binpacking
    python evaluate.py pretrained/binpacking --baselines

Weights are rounded to half precision, which halves the files; evaluate the copy, not the run.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

import runs
from runs import cli

KEPT = (
    "config.json",
    "vae/metrics.jsonl",
    "rnn/metrics.jsonl",
    "controller/*.json",
    "controller/metrics.jsonl",
    "choice.json",
    "planner/state.json",
    "planner/metrics.jsonl",
    "planner/progress.png",
    "curve.json",
    "curve.png",
)


def halve(source: Path, target: Path) -> None:
    """Copy a `.weights.h5` with its float32 arrays in half precision; Keras widens them again."""
    import h5py

    with h5py.File(source) as old, h5py.File(target, "w") as new:
        new.attrs.update(old.attrs)

        def copy(name: str, item) -> None:
            if isinstance(item, h5py.Group):
                new.require_group(name).attrs.update(item.attrs)
                return
            values = item[()]
            if getattr(values, "dtype", None) == np.float32:
                values = values.astype(np.float16)
            new.create_dataset(name, data=values).attrs.update(item.attrs)

        old.visititems(copy)


def mark(file: Path, marks: dict[str, str]) -> None:
    """Say in an npz which V and M it belongs to now."""
    data = runs.read_npz(file)
    if "made_from" in data:
        data["made_from"] = np.frombuffer(json.dumps(marks).encode(), np.uint8)
    if "vae" in data:
        data["vae"] = np.frombuffer(marks["vae"].encode(), np.uint8)
    runs.write_npz(file, data)


def ship(source: Path, target: Path) -> None:
    """Copy a run; see the module's head.

    Raises:
        RunError: the target exists, or the source lacks V, M or their series.
    """
    if target.exists():
        raise runs.RunError(f"{target} is there already; delete it first")
    weights = ("vae/vae.weights.h5", "rnn/rnn.weights.h5")
    for file in (*weights, "series/initial_z.npz"):
        runs.require(source, *file.split("/"))
    for pattern in (*KEPT, "series/initial_z.npz", "controller/controller.npz"):
        for file in source.glob(pattern):
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    for file in weights:
        (target / file).parent.mkdir(exist_ok=True)
        halve(source / file, target / file)
    marks = runs.made_from(target, "vae", "rnn")
    runs.write_json(target / "rnn" / "made_from.json", {"vae": marks["vae"]})
    for file in target.glob("*/*.npz"):
        mark(file, marks)


def main() -> None:
    parser = cli.OptionParser(__doc__)
    parser.add_argument("run", help="a run's folder, such as log/binpacking")
    parser.add_argument("target", help="a new folder, such as pretrained/binpacking")
    args = parser.parse_args()
    source, target = runs.find(args.run)[0], Path(args.target)
    ship(source, target)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    print(f"written {target}, {size / 1e6:.1f} MB; now `python evaluate.py {target} --baselines`")


if __name__ == "__main__":
    cli.run(main)
