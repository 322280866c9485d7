"""The picture of a run: Elo and losses by iteration."""

from __future__ import annotations

from pathlib import Path

import runs


def draw(path: Path) -> None:
    """Write training.png of a run's folder, if any iteration is done."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from runs.figures import save

    rows = runs.read_metrics(path / "metrics.jsonl")
    figure, (left, right) = plt.subplots(1, 2, figsize=(16, 5))
    left.plot([r["iteration"] for r in rows], [r["elo"] for r in rows], label="the best network")
    for accepted, mark in ((True, "o"), (False, "x")):
        chosen = [r for r in rows if "challenger_elo" in r and r["accepted"] == accepted]
        x, y = [r["iteration"] for r in chosen], [r["challenger_elo"] for r in chosen]
        left.plot(x, y, mark, label=f"the new network, {'accepted' if accepted else 'rejected'}")
    left.set(xlabel="iteration", ylabel="Elo, by matches with the best before", title=path.name)
    for name, label in (("policy_loss", "cross-entropy, policy"), ("value_loss", "squared error")):
        right.plot([r["iteration"] for r in rows], [r[name] for r in rows], label=label)
    right.set(xlabel="iteration", title="losses")
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    save(figure, path / "training.png")
