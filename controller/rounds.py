"""Rounds of dreaming (World Models, section 5): play, go on with V and M, dream again.

    python train.py carracing --preset dream --rounds 3

Round 1 is the run itself: what it lacks of the five stages is made. Every later round is a run of
its own, `<run>-2`, `<run>-3`, ...: it takes the episodes of the round before, records more with the
controller that came of it, goes on from its V, M and C, and evolves in the new dream. After each
round the controller plays the game. Writes rounds.json and rounds.png to the run's folder.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import matplotlib

import config
import envs
import runs
from runs import workers
from runs.figures import save

MINE = ("rounds", "round_episodes", "round_lead_in", "round_epochs", "models", "start_from")


def words_of(options: config.Controller, preset: config.Controller) -> list[str]:
    """The command line that makes `options` of the preset's, without the options of rounds."""
    return config.options.words(options, preset, leave_out=MINE)


def take_over(old: Path, new: Path) -> None:
    """Link the recorded episodes of one run into another."""
    (new / "record").mkdir(parents=True, exist_ok=True)
    for file in (old / "record").glob("*.npz"):
        link = new / "record" / file.name
        if not link.exists():
            os.link(file, link)


def evolution_hours(path: Path) -> float:
    """Hours that C of a run evolved; before `hours` was a column, `seconds` counted them all."""
    rows = runs.read_metrics(path / "controller" / "metrics.jsonl")
    return rows[-1].get("hours", rows[-1]["seconds"] / 3600) if rows else 0.0


def hours(path: Path) -> float:
    """Hours that V, M and C of a run were trained."""
    seconds = sum(
        row["seconds"]
        for s in ("vae", "rnn")
        for row in runs.read_metrics(path / s / "metrics.jsonl")
    )
    return seconds / 3600 + evolution_hours(path)


def play_round(path: Path, before: Path | None, k: int, cfg: config.Config) -> dict:
    """One round, or what is left of it; returns its row of the table."""
    game, options = cfg.game, cfg.controller
    words = (game, "--run", str(path), "--preset", cfg.preset)
    go_on = ("--from", str(before)) if before else ()
    # A warm-up is for random weights.
    epochs = ("--epochs", str(options.round_epochs), "--warmup", "0") if before else ()
    if before:
        take_over(before, path)
        lead_in = options.round_lead_in
        who = ("--lead-in", str(lead_in)) if lead_in else ("--policy", "controller")
        workers.script(
            "-m", "record.extract", *words, *who, "--source", str(before),
            "--episodes", str(options.round_episodes), "--seed", str(k * 10_000),
        )  # fmt: skip
    else:
        workers.script("-m", "record.extract", *words)
    workers.script("-m", "vae.train", *words, *go_on, *epochs)
    workers.script("-m", "series.encode", *words)
    workers.script("-m", "rnn.train", *words, *go_on)
    more = words_of(options, config.preset(game, cfg.preset).controller)
    workers.script("train.py", *words, *more, "--rounds", "1", *go_on)
    engine = envs.load(game).engines[0]
    name = "result.json" if engine == envs.load(game).official else f"result-{engine}.json"
    result = json.loads((path / name).read_text()) if (path / name).exists() else {}
    controller = runs.fingerprint(path / "controller" / "controller.npz")
    if (result.get("controller"), result.get("episodes")) != (controller, options.eval_episodes):
        episodes = str(options.eval_episodes)
        workers.script("evaluate.py", str(path), "--engine", engine, "--episodes", episodes)
        result = json.loads((path / name).read_text())
    dreamt = runs.read_npz(path / "controller" / "controller.npz")["score"]
    return {
        "round": k,
        "episodes": len(list((path / "record").glob("*.npz"))),
        "dream": round(float(dreamt), 2),
        "mean": result["mean"],
        "std": result["std"],
        "hours": round(hours(path), 2),
    }


def plot(rows: list[dict]):
    """Plot the score in the game after every round; returns the matplotlib figure."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4))
    rounds = [row["round"] for row in rows]
    means, stds = [row["mean"] for row in rows], [row["std"] for row in rows]
    axes.errorbar(rounds, means, stds, marker="o", capsize=3, label="in the game")
    axes.plot(rounds, [row["dream"] for row in rows], "--s", color="grey", label="in the dream")
    axes.set(xlabel="round", ylabel="mean return", xticks=rounds)
    axes.legend(frameon=False)
    figure.tight_layout()
    return figure


def play_rounds(run: str, cfg: config.Config) -> None:
    """Play all rounds of a run; those that are done are only checked.

    Raises:
        RunError: `--models` or `--from`: every round makes its own V, M and C of the round before.
    """
    if cfg.controller.models or cfg.controller.start_from:
        raise runs.RunError("--rounds makes its own V, M and C; leave out --models and --from")
    first = runs.folder(run)
    rows: list[dict] = []
    before = None
    for k in range(1, cfg.controller.rounds + 1):
        path = first if k == 1 else first.with_name(f"{first.name}-{k}")
        print(f"round {k} of {cfg.controller.rounds}: {path}", flush=True)
        rows.append(play_round(path, before, k, cfg))
        runs.write_json(first / "rounds.json", rows)
        matplotlib.use("Agg")
        save(plot(rows), first / "rounds.png")
        before = path
    for row in rows:
        print(
            f"round {row['round']}: {row['mean']:.1f} ± {row['std']:.1f} in the game, "
            f"{row['dream']:.1f} in the dream, {row['episodes']} episodes recorded, "
            f"{row['hours']:.2f} h"
        )
