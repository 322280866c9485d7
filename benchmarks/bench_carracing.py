"""Measure CarRacing-v3 as shipped against FastCarRacing-v3, side by side in one run.

    python -m benchmarks.bench_carracing
    python -m benchmarks.bench_carracing --rounds 5 --steps 300
    python -m benchmarks.bench_carracing --exactness     # how close the frames are, instead

Whole episodes of 1,000 steps on new tracks, with reset and the zoom of the first second. The
games take turns, a round each, in which the game as shipped plays the first episode only. Figures
are medians of CPU time. The actions are those of a driver that follows the track, taken beforehand.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")


def follower(env, rng, noise: float = 0.2):
    """Return an action (3,) that keeps to the road ahead, its steering disturbed by `noise`."""
    import numpy as np

    x, y = env.car.hull.position
    track = np.array(env.track)[:, 2:]
    ahead = track[(np.argmin(((track - [x, y]) ** 2).sum(1)) + 4) % len(track)] - [x, y]
    turn = math.atan2(-ahead[0], ahead[1]) - env.car.hull.angle
    turn = (turn + math.pi) % (2 * math.pi) - math.pi
    speed = math.hypot(*env.car.hull.linearVelocity)
    steer = np.clip(-2 * turn + noise * rng.standard_normal(), -1, 1)
    return np.array([steer, 0.5 * (speed < 45), 0.3 * (speed > 55)])


def drives(env, seeds, steps: int) -> dict[int, list]:
    """Drive one episode a seed and return its actions."""
    import numpy as np

    found = {}
    for seed in seeds:
        env.reset(seed=seed)
        rng = np.random.default_rng(seed)
        found[seed] = []
        for _ in range(steps):
            found[seed].append(follower(env, rng))
            if env.step(found[seed][-1])[2]:
                break
    return found


def cpu(function: Callable, *args) -> float:
    """Return the CPU seconds of one call."""
    start = time.process_time()
    function(*args)
    return time.process_time() - start


def play(env, seed: int, actions: list) -> tuple[float, float]:
    """Replay an episode; returns CPU seconds of its reset and of its steps."""

    def steps():
        for action in actions:
            env.step(action)

    return cpu(lambda: env.reset(seed=seed)), cpu(steps)


def rate(env, played: dict[int, list]) -> dict[str, float]:
    """Replay episodes; returns steps/s with reset, and the milliseconds of a reset."""
    times = [play(env, seed, actions) for seed, actions in played.items()]
    steps = sum(len(actions) for actions in played.values())
    return {
        "steps/s": steps / sum(map(sum, times)),
        "reset ms": 1e3 * statistics.fmean(reset for reset, _ in times),
        "step µs": 1e6 * sum(step for _, step in times) / steps,
    }


def parts(env, seed: int, actions: list) -> dict[str, float]:
    """Return microseconds a step without drawing, and a drawing, of a fast game."""
    import numpy as np

    frame = np.empty(env.observation_space.shape, np.uint8)
    env._render = lambda mode: frame
    _, physics = play(env, seed, actions)
    del env._render
    env.reset(seed=seed)
    drawing = 0.0
    for action in actions:
        env.step(action)
        drawing += cpu(env.observe, frame)
    return {"physics µs": 1e6 * physics / len(actions), "drawing µs": 1e6 * drawing / len(actions)}


def differences(shipped, fast, seed: int, steps: int) -> dict[str, list]:
    """Drive one episode in both games; returns frame differences (96, 96, 3) by part of it."""
    import numpy as np

    shipped_draw, found = shipped._render, {"first second": [], "after it": []}
    rng = np.random.default_rng(seed)
    blank = np.zeros((96, 96, 3), np.uint8)
    shipped._render = lambda mode: blank  # only the frames compared are drawn
    shipped.reset(seed=seed)
    fast.reset(seed=seed)
    for t in range(steps):
        if t % 20 == 10 or t < 50 and t % 3 == 0:
            frame = shipped_draw("state_pixels").astype(int) - fast.observe(blank.copy())
            found["first second" if shipped.t < 1 else "after it"].append(frame)
        action = follower(shipped, rng)
        shipped.step(action)
        if fast.step(action)[2]:
            break
    del shipped._render
    return found


def exactness(shipped, fast, args: argparse.Namespace) -> None:
    """Print how far the fast frames (rows=96) are from those of the game as shipped."""
    import numpy as np

    found: dict[str, list] = {}
    for seed in range(args.seed, args.seed + args.rounds * args.episodes):
        for name, frames in differences(shipped, fast, seed, args.steps).items():
            found.setdefault(name, []).extend(frames)
    print("| of 255 | frames | mean abs | R / G / B | bias | max | off by > 16 | by > 4 | bar |")
    print("|---" * 9 + "|")
    for name, frames in found.items():
        signed, bar = np.array(frames)[:, :84], np.abs(np.array(frames)[:, 84:])
        off = np.abs(signed)
        colours = " / ".join(f"{x:.2f}" for x in off.mean((0, 1, 2)))
        print(
            f"| {name} | {len(off)} | {off.mean():.3f} | {colours} | {signed.mean():+.3f} "
            f"| {off.max()} | {100 * (off.max(-1) > 16).mean():.2f} % "
            f"| {100 * (off.max(-1) > 4).mean():.1f} % | mean {bar.mean():.3f}, max {bar.max()} |"
        )


def main(args: argparse.Namespace) -> None:
    """Print a table of both games."""
    import gymnasium

    import fast_carracing  # registers the id

    assert fast_carracing
    shipped = gymnasium.make("CarRacing-v3").unwrapped
    fast = {rows: gymnasium.make("FastCarRacing-v3", rows=rows).unwrapped for rows in (84, 96)}
    if args.exactness:
        exactness(shipped, fast[96], args)
        return
    for env in fast.values():  # load the kernels
        env.reset(seed=0)
    found: dict[str, list[dict[str, float]]] = {}
    for k in range(args.rounds):
        seeds = range(args.seed + args.episodes * k, args.seed + args.episodes * (k + 1))
        played = drives(fast[84], seeds, args.steps)
        seed, actions = next(iter(played.items()))
        found.setdefault("CarRacing-v3 as shipped", []).append(rate(shipped, {seed: actions}))
        for rows, env in fast.items():
            row = rate(env, played) | parts(env, seed, actions)
            found.setdefault(f"FastCarRacing-v3, rows={rows}", []).append(row)
    names = ("steps/s", "step µs", "physics µs", "drawing µs", "reset ms")
    print("| CPU time, median of rounds (range) | times | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 2) + "|")
    base = statistics.median(r["steps/s"] for r in found["CarRacing-v3 as shipped"])
    for name, rounds in found.items():
        median = {x: statistics.median(r[x] for r in rounds) for x in rounds[0]}
        rates = [r["steps/s"] for r in rounds]
        cells = [f"{median[x]:,.1f}" if x in median else "" for x in names[1:]]
        print(
            f"| {name} | {median['steps/s'] / base:.0f} | {median['steps/s']:,.0f} "
            f"({min(rates):,.0f} to {max(rates):,.0f}) | " + " | ".join(cells) + " |"
        )


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    lines = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(
        description=lines[0], epilog=lines[1], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of each game (default 3)")
    parser.add_argument("--episodes", type=int, default=3, help="episodes a turn (default 3)")
    parser.add_argument("--steps", type=int, default=1000, help="steps an episode (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="first track (default 0)")
    parser.add_argument("--exactness", action="store_true", help="compare frames instead")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main(parse())
