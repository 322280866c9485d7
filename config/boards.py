"""AlphaZero with perfect rules: its options, and named sizes of each board game (train_boards.py).

What each size costs and how strong it becomes is in docs/boards.md.
"""

from __future__ import annotations

import dataclasses

from config.options import opt


@dataclasses.dataclass(frozen=True)
class Boards:
    """AlphaZero on a board game: the network, its training, the search, and the games played."""

    conv_filters: int = opt(64, "filters of the first convolution", low=1)
    conv_kernel: int = opt(3, "its kernel", low=1)
    conv_stride: int = opt(1, "its stride", low=1)
    residual_num: int = opt(3, "residual blocks")
    residual_filters: int = opt(64, "filters that go into and out of a block", low=1)
    residual_kernel: int = opt(3, "kernel of a block", low=1)
    residual_bottleneck: int = opt(
        32, "filters within a block, between two 1x1 convolutions (0: none, two full convolutions)"
    )
    feature_extractor: str = opt(
        "flatten",
        "what the heads read: `agz`, few 1x1 filters each; `avgpool`, the mean of each filter; "
        "`flatten`, everything",
        choices=("agz", "avgpool", "flatten"),
    )
    dense_size: int = opt(128, "units of the dense layer before the heads", low=1)
    l2: float = opt(1e-4, "weight of the sum of the squared weights in the loss", free=True)
    lr: float = opt(0.02, "learning rate of SGD", free=True)
    momentum: float = opt(0.9, "Nesterov's momentum", high=0.999)

    batch_size: int = opt(256, "positions in a batch of training", free=True, low=1)
    epochs: int = opt(1, "passes over the replay an iteration", free=True, low=1)
    symmetries: bool = opt(True, "turn and mirror the positions at random", free=True)

    c: float = opt(2.5, "weight of the prior in the choice of an edge (PUCT)", free=True)
    dirichlet_noise: float = opt(
        0.3, "concentration of the noise on the root's prior in self-play", free=True, low=1e-3
    )
    noise_ratio: float = opt(0.25, "share of that noise", free=True, high=1)
    n_simulations: int = opt(50, "simulations of a move (0: no limit but --timeout)", free=True)
    timeout: float = opt(0.0, "seconds of a move of all games (0: no limit)", free=True)
    root: str = opt(
        "puct", "how the root chooses: puct, or gumbel with sequential halving for few simulations",
        choices=("puct", "gumbel"), free=True,
    )  # fmt: skip

    exp_replay_size: int = opt(40_000, "newest positions that are kept", free=True, low=1)

    max_iter: int = opt(0, "stop after this iteration (0: no limit)", free=True)
    hours: float = opt(0.0, "stop after this many hours, earlier calls included (0: never)",
        free=True)  # fmt: skip
    min_examples: int = opt(2000, "positions before the first training", free=True, low=1)
    policy_warmup: int = opt(
        12, "moves of a game drawn in proportion to visits, the most visited after", free=True
    )
    n_self_plays: int = opt(100, "games of self-play an iteration, side by side", free=True, low=1)
    drawn_starts: float = opt(
        0.0,
        "share of the games of self-play that begin with --openings drawn moves, so that moves are "
        "met which the network itself would not make",
        free=True, high=1,
    )  # fmt: skip
    n_tournaments: int = opt(
        40, "games of new against best (0: the new network is always the best)", free=True
    )
    update_threshold: float = opt(
        0.55, "the new network becomes the best if wins / (wins + losses) is above", free=True,
        high=1,
    )  # fmt: skip
    openings: int = opt(
        2, "moves drawn at random before a game of a match, or of --drawn-starts", free=True, high=8
    )
    threads: int = opt(0, "CPU threads (0: every core)", free=True)
    seed: int = opt(0, "of weights, play and training")


SIZES = {
    "tictactoe": {
        "conv_filters": 32, "residual_filters": 32, "residual_num": 1, "residual_bottleneck": 0,
        "dense_size": 64, "n_simulations": 25, "exp_replay_size": 10_000, "epochs": 2,
        "min_examples": 500, "policy_warmup": 6, "dirichlet_noise": 1.0, "openings": 1,
        "max_iter": 30,
    },
    "connect4": {
        "dirichlet_noise": 1.0, "exp_replay_size": 20_000, "batch_size": 128, "epochs": 2,
        "max_iter": 100,
    },
    "othello": {
        "policy_warmup": 20, "exp_replay_size": 100_000, "openings": 4, "feature_extractor": "agz",
    },
    "gomoku": {
        "dirichlet_noise": 0.05, "exp_replay_size": 100_000, "n_self_plays": 64, "openings": 4,
        "feature_extractor": "agz",
    },
}  # fmt: skip
TOY = {
    "conv_filters": 4,
    "residual_filters": 4,
    "dense_size": 8,
    "n_simulations": 4,
    "n_self_plays": 6,
    "min_examples": 40,
    "n_tournaments": 4,
    "batch_size": 16,
    "max_iter": 2,
}
PRESETS = {game: {"full": {"boards": full}, "toy": {"boards": TOY}} for game, full in SIZES.items()}
