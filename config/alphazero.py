"""Planning in imagination: its options, and named sizes of each game (train_alphazero.py).

What each size costs and scores is in docs/alphazero.md.
"""

from __future__ import annotations

import dataclasses

from config.options import opt
from config.worldmodels import ENGINES
from config.worldmodels_presets import TOY, TOY_RNN


@dataclasses.dataclass(frozen=True)
class Planner:
    """Planning in imagination: the search, and the loop of play and training around it."""

    n_simulations: int = opt(50, "simulations of a move (0: the prior alone)", free=True)
    timeout: float = opt(0.0, "seconds of a move (0: no limit)", free=True)
    c: float = opt(1.25, "weight of the prior in the choice of an edge (PUCT)", free=True)
    c_base: float = opt(
        19652.0, "visits over which that weight grows (MuZero, appendix B)", free=True, low=1
    )
    gamma: float = opt(0.99, "discount of a step in the search", free=True, high=1)
    dirichlet_noise: float = opt(
        0.3, "concentration of the noise on the root's prior", free=True, low=1e-3
    )
    noise_ratio: float = opt(0.25, "share of that noise", free=True, high=1)
    max_depth: int = opt(0, "deepest imagined step (0: no limit)", free=True)
    root: str = opt(
        "puct", "how the root chooses: puct, or gumbel with sequential halving for few simulations",
        choices=("puct", "gumbel"), free=True,
    )  # fmt: skip
    considered: int = opt(16, "actions that a gumbel root starts with", free=True, low=1)
    determinisations: int = opt(
        0,
        "trees a move, each of its own chance, whose visits are added up (0: one, of the likeliest "
        "component of M)",
        free=True,
    )
    policy: str = opt(
        "proportional",
        "how visits become a move: the most visited, drawn from softmax(visits / temperature), or "
        "in proportion to visits^(1 / temperature)",
        choices=("greedy", "softmax", "proportional"),
        free=True,
    )
    temperature: float = opt(1.0, "of the drawn moves", free=True, low=0.01)
    temperature_decay: float = opt(
        0.0, "the temperature of move n is divided by 1 + this * n", free=True
    )
    policy_warmup: int = opt(
        0, "moves drawn by --policy at the start of a game, greedy after (0: all)", free=True
    )
    games: int = opt(32, "games played side by side", free=True, low=1)
    engine: str = opt("sticky", "who plays the game", choices=ENGINES)
    max_steps: int = opt(2500, "longest episode", free=True, low=1)
    n_episodes: int = opt(100, "episodes an iteration plays", free=True, low=1)
    n_frames: int = opt(
        0, "frames after which an iteration begins no other episode (0: no such limit)", free=True
    )
    min_examples: int = opt(100, "random episodes before the first training", low=1)
    max_iter: int = opt(0, "stop after this iteration (0: no limit)", free=True)
    max_frames: int = opt(200_000, "stop after this many frames of play", free=True, low=1)
    epochs: int = opt(
        20, "passes of M over the steps of the replayed episodes in an iteration", free=True,
        low=1,
    )  # fmt: skip
    vae_epochs: int = opt(
        8, "passes over the frames in a training of V; fewer, but two, if --vae-frames says so",
        free=True, low=1,
    )  # fmt: skip
    vae_frames: int = opt(
        150_000, "frames that a training of V sees, about (0: all --vae-epochs times)", free=True
    )
    vae_share: float = opt(
        0.5, "share of the frames, the newest, that V learns from", free=True, low=0.01, high=1
    )
    vae_growth: float = opt(
        2.0, "V and M begin anew when the frames have grown by this factor (0: never)", free=True
    )
    start_from: str = opt("", "run whose recorded episodes to start from", name="from")
    threads: int = opt(0, "CPU threads (0: every core)", free=True)
    seed: int = opt(0, "seed of play, and of the training of V and M")


# Games for planning: who plays, the longest episode, and random episodes of some 500,000 frames
# (Breakout's are over after eleven).
PLANNED = {
    "breakout": ("sticky", 2500, 10_000),
    "freeway": ("sticky", 2500, 200),
    "asterix": ("sticky", 2500, 10_000),
    "seaquest": ("sticky", 2500, 10_000),
    "space_invaders": ("sticky", 2500, 10_000),
    "catch": ("exact", 44, 10_000),
    "keydoor": ("exact", 50, 10_000),
    "boxing": ("sticky", 1800, 300),
}

# AlphaZero on latents (train_alphazero.py). Ends weigh as they come, since the search takes their
# probability at its word; sequences are as short as what a search looks ahead.
PLANNING = {
    "vae": {
        "standardize": True,
        "recon_weight": 10.0,
        "learning_rate": 1e-3,
        "final_learning_rate": 1e-4,
        "batch_size": 32,
    },
    "rnn": {
        "mixtures": 0,
        "reward_head": True,
        "done_head": True,
        "done_weight": 1.0,
        "planning_heads": True,
        "head_units": 256,
        "learning_rate": 2e-3,
        "min_learning_rate": 3e-4,
        "decay": 0.9995,
        "unroll": 5,
        "z_weight": 5.0,
        "gamma": 0.97,
        "value_transform": "sqrt",
        "terminal_prob": 0.2,
        "sequence_length": 24,
        "batch_size": 64,
        "validate_every": 200,
        "rend_n_rollouts": 3,
        "rend_step": 2,
    },
}
# How the loop plays: random episodes first, episodes and passes of M an iteration, frames in all.
PLAYED = {
    "breakout": {"min_examples": 600, "n_frames": 8000, "epochs": 20, "max_frames": 200_000},
    "freeway": {  # cars change speed only when someone has crossed, three times in a random game
        "min_examples": 24,
        "n_episodes": 8,
        "games": 8,
        "epochs": 20,
        "vae_growth": 3.0,
        "vae_frames": 300_000,
        "max_frames": 500_000,
    },
    "asterix": {"min_examples": 100, "n_frames": 10_000, "epochs": 20, "max_frames": 500_000},
    "seaquest": {"min_examples": 100, "n_frames": 10_000, "epochs": 20, "max_frames": 500_000},
    "space_invaders": {
        "min_examples": 100,
        "n_frames": 10_000,
        "epochs": 20,
        "max_frames": 500_000,
    },
    "catch": {"min_examples": 200, "n_episodes": 200, "epochs": 60, "max_frames": 60_000},
    "keydoor": {"min_examples": 400, "n_episodes": 200, "epochs": 60, "max_frames": 100_000},
    "boxing": {
        "min_examples": 10,
        "n_episodes": 8,
        "games": 8,
        "epochs": 20,
        "max_frames": 500_000,
    },
}
TOY_PLANNER = {
    "n_simulations": 4,
    "games": 4,
    "n_episodes": 3,
    "min_examples": 24,
    "max_iter": 2,
    "epochs": 1,
    "vae_epochs": 1,
    "vae_growth": 1.2,
    "max_steps": 30,
}
TOY_PLANNING_RNN = TOY_RNN | {
    "sequence_length": 8,
    "unroll": 2,
    "rend_n_rollouts": 1,
    "rend_step": 2,
    "batch_size": 8,
    "planning_units": 8,
    "head_units": 8,
}
# One ball a game.
CATCH_DEMO = {
    "vae": {"standardize": False, "batch_size": 16},
    "rnn": {
        "sequence_length": 8,
        "batch_size": 32,
        "decay": 0.999,
        "unroll": 4,
        "rend_n_rollouts": 2,
    },
    "planner": {
        "max_steps": 8,
        "min_examples": 2000,
        "vae_epochs": 3,
        "vae_frames": 30_000,
        "vae_growth": 0.0,
        "n_episodes": 600,
        "epochs": 10,
        "max_iter": 3,
        "games": 64,
    },
}


def planned(
    engine: str, max_steps: int, episodes: int, policy: str, played: dict, replay: dict
) -> dict:
    """The presets of a game for planning.

    Args:
        engine, max_steps: who plays, and the longest episode.
        episodes, policy: what stage 1 records, if a run begins with it.
        played: how the loop plays. replay: what M draws its sequences from.
    """
    who = {"engine": engine, "max_steps": max_steps}
    # Where an iteration plays eight long episodes, one of them is held out.
    held = {"holdout": 0.125} if played.get("n_episodes") == 8 else {}
    full = PLANNING | {
        "vae": PLANNING["vae"] | held,
        "rnn": PLANNING["rnn"] | held | replay,
        "record": who | {"policy": policy, "episodes": episodes},
        "controller": who,
        "planner": who | {"n_episodes": 1000} | played,
    }
    small = {"record": {"episodes": episodes // 5}}
    toy = TOY | {"rnn": TOY_PLANNING_RNN, "planner": TOY_PLANNER}
    return {"full": full, "small": small, "toy": toy}


PRESETS = {game: planned(*who, "white", PLAYED[game], {}) for game, who in PLANNED.items()}
# Nobody crosses Freeway's road who draws every action anew. Passes over all of 200 episodes of
# 2,500 frames would take longer than play does. M keeps learning cars for a long time, and must not
# begin anew near the end.
PRESETS["freeway"] = planned(
    *PLANNED["freeway"], "held", PLAYED["freeway"], {"exp_replay_size": 60, "decay": 0.9998}
)
PRESETS["catch"]["demo"] = CATCH_DEMO
# Any Gymnasium game: how long its episodes are, nobody knows.
GENERIC = planned(
    "gymnasium", 1000, 1000, "white",
    {"min_examples": 100, "n_frames": 10_000, "epochs": 20, "max_frames": 200_000}, {},
)  # fmt: skip
