"""Named sizes of each game for planning in imagination (train_alphazero.py). What each costs and
scores is in docs/alphazero.md.
"""

from config.worldmodels_presets import TOY, TOY_RNN

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


def planned(game: str) -> dict:
    """The presets of a game for planning."""
    engine, steps, episodes = PLANNED[game]
    who = {"engine": engine, "max_steps": steps}
    # Nobody crosses Freeway's road who draws every action anew. Passes over all of 200 episodes
    # of 2,500 frames would take longer than play does.
    policy = "held" if game == "freeway" else "white"
    # M keeps learning cars for a long time, and must not begin anew near the end.
    replay = {"exp_replay_size": 60, "decay": 0.9998} if game == "freeway" else {}
    # Where an iteration plays eight long episodes, one of them is held out.
    held = {"holdout": 0.125} if PLAYED[game].get("n_episodes") == 8 else {}
    full = PLANNING | {
        "vae": PLANNING["vae"] | held,
        "rnn": PLANNING["rnn"] | held | replay,
        "record": who | {"policy": policy, "episodes": episodes},
        "controller": who,
        "planner": who | {"n_episodes": 1000} | PLAYED[game],
    }
    small = {"record": {"episodes": episodes // 5}}
    toy = TOY | {"rnn": TOY_PLANNING_RNN, "planner": TOY_PLANNER}
    demo = {"demo": CATCH_DEMO} if game == "catch" else {}
    return {"full": full, "small": small, "toy": toy} | demo


PRESETS = {game: planned(game) for game in PLANNED}
