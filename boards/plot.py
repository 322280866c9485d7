"""A picture of a run: Elo and losses by iteration, in its folder.

python -m boards.plot log/connect4
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cli
import runs
from boards import options


def draw(path: Path) -> None:
    """Write training.png of a run's folder.

    Raises:
        RunError: no iteration is done.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from controller.plot import save

    rows = runs.read_metrics(path / "metrics.jsonl")
    if not rows:
        raise runs.RunError(f"{path} has no iteration to plot")
    x = [row["iteration"] for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(16, 5))
    left.plot(x, [row["elo"] for row in rows], label="the best network")
    matches = [row for row in rows if "challenger_elo" in row]
    for accepted, mark in ((True, "o"), (False, "x")):
        chosen = [row for row in matches if row["accepted"] == accepted]
        left.plot(
            [row["iteration"] for row in chosen], [row["challenger_elo"] for row in chosen], mark,
            label=f"the new network, {'accepted' if accepted else 'rejected'}",
        )  # fmt: skip
    left.set(xlabel="iteration", ylabel="Elo, by matches with the best before", title=path.name)
    for name, label in (("policy_loss", "cross-entropy, policy"), ("value_loss", "squared error")):
        right.plot(x, [row[name] for row in rows], label=label)
    right.set(xlabel="iteration", title="losses")
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    save(figure, path / "training.png")


def main() -> None:
    parser = cli.OptionParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", help="a run's folder, such as log/connect4")
    draw(options.find(parser.parse_args().run).path)


if __name__ == "__main__":
    cli.run(main)
