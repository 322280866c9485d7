"""Named sizes of each game, as what they change: `full` is the papers', the others are the same
thing, smaller. Nothing here is code; config.py makes options of it. What each costs and scores is
in docs/worldmodels.md and docs/dream.md.
"""

TOY_RNN = {
    "hidden_size": 16,
    "sequence_length": 20,
    "batch_size": 4,
    "steps": 6,
    "validate_every": 3,
    "holdout": 0.25,
    "rend_n_episodes": 1,
    "rend_n_rollouts": 3,
    "rend_step": 2,
}
TOY_CONTROLLER = {
    "population": 4,
    "episodes": 1,
    "eval_every": 1,
    "eval_episodes": 2,
    "max_steps": 20,
    "generations": 2,
    "batch_size": 4,
}
TOY = {
    "record": {"episodes": 4, "max_steps": 60},
    "vae": {"learning_rate": 1e-3, "batch_size": 20, "epochs": 1, "holdout": 0.25, "z_size": 8},
    "rnn": TOY_RNN,
    "controller": TOY_CONTROLLER,
}

# Who steers at random is on the road for two hundred steps at most, and only there does M see bends
# and what earns a reward: so many short episodes.
SMALL_CAR = {
    "record": {"episodes": 1500, "max_steps": 200, "policy": "brownian"},
    "vae": {
        "learning_rate": 7e-4,
        "final_learning_rate": 5e-5,
        "epochs": 5,
        "max_frames": 30,
        "flip": True,
    },
    "rnn": {
        "reward_head": True,
        "done_head": True,
        "steps": 6000,
        "sequence_length": 100,
        "batch_size": 16,
        "decay": 0.9995,
        "validate_every": 500,
    },
}
CARRACING = {
    "full": {},
    "small": SMALL_CAR
    | {
        "controller": {
            "z_mode": "mean",
            "episodes": 4,
            "eval_every": 5,
            "eval_episodes": 64,
            "common_seeds": True,
            "hours": 0.75,
        },
    },
    "dream": SMALL_CAR
    | {
        "controller": {
            "world": "dream",
            "temperature": 1.5,
            "done_threshold": 0.0,
            "z_mode": "mean",
            "max_steps": 400,
            "episodes": 8,
            "eval_every": 20,
            "eval_episodes": 64,
            "common_seeds": True,
            "generations": 180,  # longer, and C learns what M gets wrong
            "round_episodes": 600,
            "round_lead_in": 600,
        },
    },
    "demo": {
        "record": {"episodes": 128, "policy": "brownian"},
        "vae": {
            "learning_rate": 1e-3,
            "final_learning_rate": 1e-4,
            "epochs": 3,
            "max_frames": 250,
            "flip": True,
        },
        "rnn": {"sequence_length": 100, "steps": 400, "decay": 0.995},
        "controller": {
            "z_mode": "mean",
            "episodes": 2,
            "max_steps": 500,
            "eval_every": 8,
            "eval_episodes": 16,
            "common_seeds": True,
            "hours": 0.18,
        },
    },
    "toy": {
        "record": {"episodes": 4, "policy": "brownian", "max_steps": 60},
        "vae": {"learning_rate": 1e-3, "batch_size": 20, "epochs": 1, "holdout": 0.25},
        "rnn": TOY_RNN | {"reward_head": True, "done_head": True},
        "controller": TOY_CONTROLLER,
    },
}

TAKECOVER = {
    "full": {
        "record": {"policy": "repeated", "max_steps": 2100},
        "vae": {"z_size": 64},
        "rnn": {
            "hidden_size": 512,
            "done_head": True,
            "stream": True,
            "steps": 24_400,
            "sequence_length": 499,
            "decay": 0.99999,
            "rend_step": 5,
        },
        "controller": {
            "world": "dream",
            "temperature": 1.15,
            "inputs": "zch",
            "bias": False,
            "max_steps": 2100,
            "seed": 111,
        },
    },
    "small": {
        "record": {"episodes": 15_000, "policy": "held"},
        "vae": {
            "learning_rate": 1e-3,
            "final_learning_rate": 5e-5,
            "recon_weight": 5.0,
            "epochs": 5,
            "max_frames": 7,
        },
        "rnn": {
            "steps": 30_000,
            "sequence_length": 100,
            "batch_size": 16,
            "decay": 0.9999,
            "validate_every": 500,
        },
        "controller": {
            "done_threshold": 0.0,
            "episodes": 4,
            "common_seeds": True,
            "eval_episodes": 256,
            "eval_every": 10,
            "hours": 0.5,
        },
    },
    "toy": TOY | {"record": {"episodes": 12, "max_steps": 60}},
}

BINPACKING = {
    "full": {
        "record": {"policy": "mixture", "engine": "numpy"},
        "vae": {"standardize": True, "recon_weight": 10.0, "kl_tolerance": 4.0},
        "rnn": {
            "joint": True,
            "mixtures": 16,
            "reward_head": True,
            "reward_scale": 10.0,
            "mask_head": True,
        },
        "controller": {
            "world": "dream",
            "inputs": "z",
            "engine": "numpy",
            "common_seeds": True,
        },
    },
    "small": {
        "record": {"episodes": 400},
        "vae": {
            "z_size": 64,
            "recon_weight": 300.0,
            "learning_rate": 4e-4,
            "final_learning_rate": 2e-5,
            "warmup": 2,
            "epochs": 6,
            "max_frames": 200,
        },
        "rnn": {
            "mixtures": 10,
            "head_units": 1024,
            "steps": 16_000,
            "sequence_length": 20,
            "batch_size": 32,
            "decay": 0.9998,
            "validate_every": 1000,
            "rend_step": 2,
        },
        "controller": {
            "start": "any",
            "sigma_temperature": 0.1,
            "max_steps": 30,
            "episodes": 16,
            "eval_episodes": 256,
            "eval_every": 10,
            "hours": 0.15,
        },
    },
    "toy": TOY,
}

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


PRESETS = {"carracing": CARRACING, "takecover": TAKECOVER, "binpacking": BINPACKING} | {
    game: planned(game) for game in PLANNED
}
