"""Named sizes of each game, as what they change: `full` is the papers', the others are the same
thing, smaller. Nothing here is code; config/ makes options of it. What each costs and scores is
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
# What was recorded says how to follow the road for a while. C evolves along the components of what
# such a driver sees, measured again when evolution has made it a better one.
GOOD_DRIVER = {
    "z_mode": "mean",
    "common_seeds": True,
    "fit_first": 128,
    "stall": 100,
    "components_at": (0, 4, 10),
    "components_sigma": 0.07,
    "batch_size": 64,
}
CARRACING = {
    "full": {},
    "small": SMALL_CAR
    | {
        "controller": GOOD_DRIVER
        | {
            "episodes": 4,
            "eval_every": 5,
            "eval_episodes": 64,
            "generations": 48,
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
    "demo": SMALL_CAR
    | {
        "record": SMALL_CAR["record"] | {"episodes": 600},
        "vae": SMALL_CAR["vae"] | {"channels": 16, "max_frames": 60},
        "rnn": SMALL_CAR["rnn"] | {"steps": 1000, "decay": 0.997},
        "controller": GOOD_DRIVER
        | {
            "episodes": 2,
            "eval_every": 4,
            "eval_episodes": 32,
            "generations": 24,
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

PRESETS = {"carracing": CARRACING, "takecover": TAKECOVER, "binpacking": BINPACKING}

# Any Gymnasium game. Most pictures are a few small things on a plain background.
GENERIC = {
    "full": {
        "record": {"engine": "gymnasium"},
        "vae": {"standardize": True, "recon_weight": 10.0},
        # Pictures of short dreams: CartPole's episodes are over after twenty steps.
        "rnn": {"reward_head": True, "done_head": True, "rend_n_rollouts": 4, "rend_step": 2},
        "controller": {"engine": "gymnasium"},
    },
    "small": {
        "record": {"episodes": 1000, "policy": "white", "max_steps": 200},
        "vae": SMALL_CAR["vae"] | {"flip": False},
        "rnn": SMALL_CAR["rnn"],
        "controller": CARRACING["small"]["controller"],
    },
    "toy": TOY | {"record": {"episodes": 12, "policy": "white", "max_steps": 60}},
}
