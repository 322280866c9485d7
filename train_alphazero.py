"""AlphaZero on latents: play with a search in M's imagination, learn V and M on it, play again.

    python train_alphazero.py breakout                       200,000 frames of MinAtar's Breakout
    python train_alphazero.py catch --preset demo            one ball a game: minutes
    python train_alphazero.py breakout --from recorded       start from a run's recorded episodes
    python train_alphazero.py boxing --options config.json   options of Planning-in-Imagination

Random episodes come first. An iteration trains V if the frames have doubled since it was last,
encodes what is new, trains M with its heads, and plays `--n-episodes` with the search. V's and M's
options are here too, as `--vae.z-size` and `--rnn.hidden-size`. The same command goes on: a kill
loses at most the games in play.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import time
from pathlib import Path

import matplotlib
import numpy as np
from threadpoolctl import threadpool_limits

import config
import envs
import runs
from controller.rounds import hours
from planner import options_file
from planner.agent import load_agent
from planner.play import play
from planner.plot import plot_progress
from record.driver import make_games
from record.episodes import episode_length, list_episodes, save_episode, split
from record.extract import record_one
from rnn.train import check_options, check_picture
from runs import cli, workers

# Games that a run of `--seed` s plays: from (s + 1) * SEEDS on, random play first, then ITERATION
# apart.
SEEDS, ITERATION = 10_000_000, 10_000
FIRST = 3  # times as many passes for an M that begins


def seeded(cfg: config.Config) -> config.Config:
    """Give all stages the planner's seed, and random play its engine."""
    options = cfg.planner
    who = {"engine": options.engine, "max_steps": options.max_steps}
    return dataclasses.replace(
        cfg,
        record=dataclasses.replace(cfg.record, seed=SEEDS * (options.seed + 1), **who),
        vae=dataclasses.replace(cfg.vae, seed=options.seed),
        rnn=dataclasses.replace(cfg.rnn, seed=options.seed),
    )


def frames_of(path: Path) -> tuple[int, int]:
    """Recorded frames and episodes of a run."""
    episodes = list_episodes(path / "record")
    return sum(steps for _, steps in episodes), len(episodes)


def newest(path: Path, share: float) -> tuple[int, int]:
    """Frames and episodes of the newest part of what is recorded, a share of its frames."""
    lengths = [steps for _, steps in list_episodes(path / "record")][::-1]
    frames = np.cumsum(lengths)
    count = int(np.searchsorted(frames, share * frames[-1])) + 1
    return int(frames[count - 1]), count


def replayed(path: Path, cfg: config.Config) -> int:
    """Steps of the newest episodes, those that M is trained on."""
    return sum(steps for _, steps in list_episodes(path / "record")[-cfg.rnn.exp_replay_size :])


def begin(path: Path, cfg: config.Config) -> None:
    """Record random episodes, or link those of another run.

    Raises:
        RunError: the other run plays another game.
    """
    options = cfg.planner
    (path / "record").mkdir(parents=True, exist_ok=True)
    if options.start_from:
        source, lent = runs.find(options.start_from)
        if lent.game != cfg.game:
            raise runs.RunError(f"{source} plays {lent.game}, not {cfg.game}")
        for file, _ in list_episodes(source / "record"):
            if not (path / "record" / file.name).exists():
                os.link(file, path / "record" / file.name)
        return
    runs.claim(str(path), "record", cfg)
    seeds = range(cfg.record.seed, cfg.record.seed + options.min_examples)
    todo = [s for s in seeds if not (path / "record" / f"{s}.npz").exists()]
    progress = runs.Progress(options.min_examples, "episodes", options.min_examples - len(todo))
    for seed in todo:
        score = record_one(path / "record", cfg.game, cfg.record, seed)[2]
        progress.add(1, f"random play, score {score:g}")


def begin_anew(path: Path, state: dict, frames: int) -> None:
    """Remove V and M, to be trained from random weights on what is recorded now.

    A V that goes on from early play sees less than a new one: docs/experiments.md.
    """
    if state["stage"] == "vae":
        seconds = state["seconds"] + 3600 * hours(path)
        state |= {"stage": "anew", "vae_frames": frames, "seconds": seconds}
        save(path, state)
    for stage in ("vae", "rnn"):
        shutil.rmtree(path / stage, ignore_errors=True)
    state["stage"] = "vae"
    save(path, state)


def passes_of_vae(options: config.Planner, frames: int, episodes: int) -> tuple[int, int]:
    """Passes over the frames in a training of V, and how many of each episode (0: all)."""
    if not options.vae_frames:
        return options.vae_epochs, 0
    passes = min(options.vae_epochs, max(2, round(options.vae_frames / frames)))
    too_many = passes * frames > 1.5 * options.vae_frames
    return passes, math.ceil(options.vae_frames / passes / episodes) if too_many else 0


def learn(path: Path, cfg: config.Config, state: dict) -> None:
    """Train V if it is time, encode, and train M; `state` keeps how far both are to go."""
    options, words = cfg.planner, (cfg.game, "--run", str(path), "--preset", cfg.preset)
    threads = ("--threads", str(options.threads))
    chance = ("--seed", str(options.seed), *threads)
    frames = frames_of(path)[0]
    grown = not state["vae_frames"] or (
        options.vae_growth and frames >= options.vae_growth * state["vae_frames"]
    )
    if state["stage"] == "anew" or (state["stage"] == "vae" and grown):
        begin_anew(path, state, frames)
    if state["stage"] == "vae":
        if state["vae_frames"] == frames:
            late, count = newest(path, options.vae_share)
            passes, each = passes_of_vae(options, late, count)
            epochs = ("--epochs", str(passes), "--max-frames", str(each))
            epochs += ("--exp-replay-size", str(count))
            workers.script("-m", "vae.train", *words, *epochs, *chance)
        trained = runs.read_metrics(path / "rnn" / "metrics.jsonl")
        sequences = replayed(path, cfg) / cfg.rnn.sequence_length
        passes = options.epochs * (1 if trained else FIRST)
        steps = math.ceil(passes * sequences / cfg.rnn.batch_size)
        state["steps"] = steps + (trained[-1]["step"] if trained else 0)
        state["stage"] = "rnn"
        save(path, state)
    if state["stage"] == "rnn":
        workers.script("-m", "series.encode", *words, *threads)
        steps = ("--steps", str(state["steps"]))
        workers.script("-m", "rnn.train", *words, *steps, "--follow", *chance)
        state["stage"] = "play"
        save(path, state)


def play_iteration(path: Path, cfg: config.Config, state: dict, metrics: runs.Metrics) -> None:
    """Play the episodes of an iteration, and write its row of metrics."""
    options, start, iteration = cfg.planner, time.monotonic(), state["iteration"]
    agent = load_agent(path, cfg)
    first = cfg.record.seed + ITERATION * iteration
    seeds = [first + k for k in range(options.n_episodes)]
    kept = [s for s in seeds if (path / "record" / f"{s}.npz").exists()]
    todo = [s for s in seeds if s not in kept]
    done = sum(episode_length(path / "record" / f"{s}.npz") for s in kept)
    quota = options.n_frames - done if options.n_frames else math.inf
    left = options.max_frames - frames_of(path)[0]
    count = min(options.games, max(1, len(todo)))
    games = make_games(cfg, count, options.engine, options.max_steps)
    progress = runs.Progress(len(seeds), "episodes", done=len(kept))
    rows = []
    chance = (options.seed, iteration)
    for played in play(games, agent, todo if quota > 0 else [], True, chance, quota, left):
        save_episode(path / "record" / f"{played.seed}.npz", played.episode)
        score = float(played.episode.reward.sum())
        rows.append((score, len(played.episode), played.depth, played.entropy))
        progress.add(1, f"mean score {np.mean([row[0] for row in rows]):.2f}")
    games.close()
    stepped = sum(row[1] for row in rows)
    if len(rows) < len(todo) and stepped < quota:  # the frames that were left ended it
        state["spent"] = options.max_frames
    if rows or kept:
        state |= {"iteration": state["iteration"] + 1, "stage": "vae"}
    if not rows:
        return
    score, steps, depth, entropy = np.array(rows).T
    seconds = time.monotonic() - start
    state["seconds"] += seconds
    metrics.write(
        iteration=iteration,
        frames=frames_of(path)[0],
        episodes=len(rows),
        mean=round(float(score.mean()), 3),
        std=round(float(score.std()), 3),
        steps=round(float(steps.mean()), 1),
        depth=round(float(np.average(depth, weights=steps)), 2),
        entropy=round(float(np.average(entropy, weights=steps)), 3),
        frames_per_second=round(float(steps.sum()) / seconds, 1),
        hours=round(hours(path) + state["seconds"] / 3600, 3),
    )
    print(
        f"iteration {iteration}: score {score.mean():.2f} ± {score.std():.2f} over "
        f"{len(rows)} episodes of {steps.mean():.0f} steps · depth {depth.mean():.1f} · "
        f"{steps.sum() / seconds:,.0f} frames/s",
        flush=True,
    )


def save(path: Path, state: dict) -> None:
    """Write where the loop is."""
    runs.write_json(path / "planner" / "state.json", state)


def check(path: Path, cfg: config.Config) -> None:
    """Refuse what cannot be planned.

    Raises:
        RunError: says what is wrong.
    """
    game, options = envs.load(cfg.game), cfg.planner
    if not game.discrete or game.masked:
        raise runs.RunError(
            f"{cfg.game} is not a game for a search: it needs a few actions, all always valid"
        )
    game.check(options.engine, cfg.record.view)
    if not options.n_simulations and not options.timeout:
        raise runs.RunError("a search needs --n-simulations or --timeout")
    heads = ("reward_head", "done_head", "planning_heads")
    if not all(getattr(cfg.rnn, head) for head in heads):
        raise runs.RunError(
            f"the M of {path} lacks heads for planning; choose another --preset or --run"
        )
    check_options(cfg.rnn)
    check_picture(cfg.rnn, options.max_steps)
    if not options.start_from:
        seeds = range(cfg.record.seed, cfg.record.seed + options.min_examples)
        for part in (cfg.vae, cfg.rnn):
            split(seeds, part.holdout)


def main() -> None:
    run, cfg = cli.parse("planner", __doc__, read_options=options_file.read)
    workers.alone("train_alphazero.py")
    path, options = runs.folder(run), cfg.planner
    cfg = seeded(cfg)
    check(path, cfg)
    threadpool_limits(1, "blas")  # a search multiplies small matrices: more threads are slower
    folder = runs.claim(run, "planner", cfg)
    for stage in ("vae", "series", "rnn"):
        runs.claim(run, stage, cfg)
    runs.sweep(path)
    state = {
        "iteration": 1,
        "stage": "vae",
        "vae_frames": 0,
        "steps": 0,
        "seconds": 0.0,
        "spent": 0,  # frames that play has used up, those of episodes that were lost included
    }
    if (folder / "state.json").exists():
        state |= json.loads((folder / "state.json").read_text())
    begin(path, cfg)
    metrics = runs.Metrics(folder, "iteration", start=state["iteration"])
    matplotlib.use("Agg")
    while True:
        frames, episodes = frames_of(path)
        if episodes < options.min_examples:
            raise runs.RunError(
                f"{episodes} episodes to learn from, fewer than --min-examples "
                f"{options.min_examples}; record more, or lower it"
            )
        print(f"iteration {state['iteration']}: {frames:,} frames of {episodes} episodes")
        learn(path, cfg, state)
        if options.max_iter and state["iteration"] > options.max_iter:
            print(f"done: iteration {options.max_iter} reached")
            break
        if max(frames, state["spent"]) >= options.max_frames:
            print(f"done: {frames:,} frames played")
            break
        play_iteration(path, cfg, state, metrics)
        save(path, state)
        plot_progress(path)


if __name__ == "__main__":
    cli.run(main)
