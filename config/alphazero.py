"""The options of planning in imagination, as a dataclass like those of the five stages."""

from __future__ import annotations

import dataclasses

from config.worldmodels import ENGINES, opt


@dataclasses.dataclass(frozen=True)
class Planner:
    """Planning in imagination: the search, and the loop of play and training around it."""

    n_simulations: int = opt(50, "simulations of a move (0: the prior alone)", grow=True)
    timeout: float = opt(0.0, "seconds of a move (0: no limit)", grow=True)
    c: float = opt(1.25, "weight of the prior in the choice of an edge (PUCT)", grow=True)
    c_base: float = opt(
        19652.0, "visits over which that weight grows (MuZero, appendix B)", grow=True, low=1
    )
    gamma: float = opt(0.99, "discount of a step in the search", grow=True, high=1)
    dirichlet_noise: float = opt(
        0.3, "concentration of the noise on the root's prior", grow=True, low=1e-3
    )
    noise_ratio: float = opt(0.25, "share of that noise", grow=True, high=1)
    max_depth: int = opt(0, "deepest imagined step (0: no limit)", grow=True)
    root: str = opt(
        "puct", "how the root chooses: puct, or gumbel with sequential halving for few simulations",
        choices=("puct", "gumbel"), grow=True,
    )  # fmt: skip
    considered: int = opt(16, "actions that a gumbel root starts with", grow=True, low=1)
    determinisations: int = opt(
        0,
        "trees a move, each of its own chance, whose visits are added up (0: one, of the likeliest "
        "component of M)",
        grow=True,
    )
    policy: str = opt(
        "proportional",
        "how visits become a move: the most visited, drawn from softmax(visits / temperature), or "
        "in proportion to visits^(1 / temperature)",
        choices=("greedy", "softmax", "proportional"),
        grow=True,
    )
    temperature: float = opt(1.0, "of the drawn moves", grow=True, low=0.01)
    decay: float = opt(0.0, "the temperature of move n is divided by 1 + decay * n", grow=True)
    warmup: int = opt(
        0, "moves drawn by --policy at the start of a game, greedy after (0: all)", grow=True
    )
    games: int = opt(32, "games played side by side", grow=True, low=1)
    engine: str = opt("sticky", "who plays the game", choices=ENGINES)
    max_steps: int = opt(2500, "longest episode", grow=True, low=1)
    n_episodes: int = opt(100, "episodes an iteration plays", grow=True, low=1)
    n_frames: int = opt(
        0, "frames after which an iteration begins no other episode (0: no such limit)", grow=True
    )
    min_examples: int = opt(100, "random episodes before the first training", low=1)
    max_iter: int = opt(0, "stop after this iteration (0: no limit)", grow=True)
    max_frames: int = opt(200_000, "stop after this many frames of play", grow=True, low=1)
    epochs: int = opt(
        20, "passes of M over the steps of the replayed episodes in an iteration", grow=True,
        low=1,
    )  # fmt: skip
    vae_epochs: int = opt(
        8, "passes over the frames in a training of V; fewer, but two, if --vae-frames says so",
        grow=True, low=1,
    )  # fmt: skip
    vae_frames: int = opt(
        150_000, "frames that a training of V sees, about (0: all --vae-epochs times)", grow=True
    )
    vae_share: float = opt(
        0.5, "share of the frames, the newest, that V learns from", grow=True, low=0.01, high=1
    )
    vae_growth: float = opt(
        2.0, "V and M begin anew when the frames have grown by this factor (0: never)", grow=True
    )
    start_from: str = opt("", "run whose recorded episodes to start from", name="from")
    threads: int = opt(0, "CPU threads (0: every core)", grow=True)
    seed: int = opt(0, "seed of play; training has its own")
