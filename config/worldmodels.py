"""The options of the five stages, as dataclasses: one section a stage, of the same name."""

from __future__ import annotations

import dataclasses
import math

from config.options import opt

ENGINES = (
    "fast",
    "gymnasium",
    "vizdoom",
    "numpy",
    "sticky",
    "exact",
)  # which game has which: envs/


@dataclasses.dataclass(frozen=True)
class Record:
    """Stage 1: episodes of a simple policy."""

    episodes: int = opt(10_000, "episodes to record", free=True, low=1)
    policy: str = opt(
        "random-network",
        "who plays: V, M and C with weights redrawn for every episode (the original), white noise, "
        "the controller of the run named by --source; brownian noise (carracing), rules and noise "
        "(binpacking's mixture), and for all other games random actions repeated for some steps, "
        "or held for long",
        choices=(
            "random-network",
            "white",
            "controller",
            "brownian",
            "repeated",
            "held",
            "mixture",
        ),
    )
    source: str = opt("", "run whose controller plays, for --policy controller and --lead-in")
    lead_in: int = opt(
        0,
        "the controller of --source plays up to as many steps before the recording begins and "
        "--policy takes over",
        low=0,
    )
    noise: float = opt(
        0.1,
        "standard deviation of the noise added to a controller's actions; the share of random ones "
        "if they are discrete",
    )
    engine: str = opt("fast", "who plays the game", choices=ENGINES)
    view: str = opt(
        "pixels",
        "what is seen, here and in all later stages: the game's picture; of Gymnasium's games the "
        "observation, if it is a picture, or else what it renders (observation, render: that)",
        choices=("pixels", "observation", "render"),
    )
    max_steps: int = opt(1000, "longest episode", low=1)
    workers: int = opt(0, "worker processes to start when alone (0: one a core)", free=True)
    seed: int = opt(0, "episode i plays the track of seed + i")


@dataclasses.dataclass(frozen=True)
class VAE:
    """Stage 2: the vision model V."""

    z_size: int = opt(32, "size of the latent vector z", low=1)
    channels: int = opt(
        32, "of V's first convolution; all its layers are so much narrower than with 32", low=1
    )
    start_from: str = opt("", "run whose V to start from (default: random weights)", name="from")
    recon_weight: float = opt(
        1.0, "weight of the squared error; small things are seen only above 1", low=0.001
    )
    standardize: bool = opt(
        False, "see every pixel in its own standard deviations, so that small things count too"
    )
    kl_tolerance: float = opt(0.5, "KL below tolerance * z_size nats a frame costs nothing")
    learning_rate: float = opt(1e-4, "Adam's learning rate", free=True)
    final_learning_rate: float = opt(
        0.0, "reach this rate at the last epoch by a cosine (0: stay constant)", free=True
    )
    warmup: int = opt(
        0, "epochs in which the rate climbs to --learning-rate first, in equal steps", free=True
    )
    batch_size: int = opt(100, "frames in a batch", low=1)
    epochs: int = opt(10, "passes over the recorded frames", free=True, low=1)
    max_frames: int = opt(0, "frames of each episode drawn in an epoch (0: all of them)", free=True)
    exp_replay_size: int = opt(
        0, "learn from the newest episodes, so many (0: from all)", free=True
    )
    flip: bool = opt(False, "mirror half of the frames (ctallec)", free=True)
    plateau: int = opt(
        0, "halve the learning rate after this many epochs without progress (0: never)", free=True
    )
    patience: int = opt(
        0, "stop after this many epochs without progress on held-out episodes (0: never)", free=True
    )
    holdout: float = opt(0.05, "share of the episodes kept for validation", high=0.5)
    precision: str = opt(
        "auto",
        "arithmetic of the convolutions; auto is bfloat16 where the CPU has AMX or AVX512_BF16",
        choices=("auto", "float32", "bfloat16"),
        free=True,
    )
    threads: int = opt(0, "CPU threads (0: every core)", free=True)
    skip_bad: bool = opt(False, "leave out episode files that cannot be read", free=True)
    seed: int = opt(0, "seed of weights, batches and noise")


@dataclasses.dataclass(frozen=True)
class Series:
    """Stage 3: every frame as mu and logvar."""

    batch_size: int = opt(256, "frames encoded at once", free=True, low=1)
    threads: int = opt(0, "CPU threads (0: every core)", free=True)
    skip_bad: bool = opt(False, "leave out episode files that cannot be read", free=True)


@dataclasses.dataclass(frozen=True)
class RNN:
    """Stage 4: the memory model M."""

    hidden_size: int = opt(256, "LSTM units", low=1)
    start_from: str = opt("", "run whose M to start from (default: random weights)", name="from")
    mixtures: int = opt(5, "Gaussians in a mixture (0: a deterministic head)")
    joint: bool = opt(False, "one mixture over all of z (ctallec), not one for each dimension")
    reward_head: bool = opt(False, "also predict the reward")
    reward_scale: float = opt(1.0, "M predicts the reward divided by this", low=1e-6)
    done_head: bool = opt(False, "also predict the end of the episode")
    mask_head: bool = opt(False, "also predict which actions are valid")
    planning_heads: bool = opt(
        False, "also predict the policy and the value of a state, for planner/"
    )
    planning_units: int = opt(128, "ReLU units that policy and value read", low=1)
    unroll: int = opt(
        0, "last steps of a training sequence that M imagines itself (MuZero's K)", free=True
    )
    z_weight: float = opt(1.0, "weight of z's loss beside policy and value", low=1e-3)
    gamma: float = opt(1.0, "discount of the returns that the value learns", free=True, high=1)
    value_transform: str = opt(
        "none", "what is learned in place of returns: sqrt is MuZero's, for large ones",
        choices=("none", "sqrt"),
    )  # fmt: skip
    terminal_prob: float = opt(
        0.0, "share of the training sequences that end where their episode does", free=True, high=1
    )
    exp_replay_size: int = opt(
        0, "sequences are drawn from the newest episodes, so many (0: from all)", free=True
    )
    patience: int = opt(
        0, "stop after this many validations without progress on held-out episodes (0: never)",
        free=True,
    )  # fmt: skip
    follow: bool = opt(False, "go on with the latents of a V that was trained further", free=True)
    stream: bool = opt(
        False,
        "all episodes are one stream: the state is carried from window to window and zeroed at "
        "restarts, which M is told (the original's Doom)",
    )
    head_units: int = opt(
        0,
        "ReLU units of h_t, z_t and a_t that the heads read beside h_t and z_t (0: they read h_t "
        "alone, the paper's)",
    )
    z_noise: float = opt(
        0.0,
        "largest deviation of noise added to the z that M sees in training, drawn for each "
        "sequence: M learns to come back from the errors of its own dreams",
    )
    passes: int = opt(
        0,
        "most steps of its own imagination that M is shown in training in place of z, drawn for "
        "each sequence; each costs a third of a step (0: none)",
        low=0,
    )
    done_weight: float = opt(10.0, "weight of the rare positive examples of the done head")
    steps: int = opt(4000, "training steps (0: leave M untrained, an ablation)", free=True)
    batch_size: int = opt(100, "sequences in a batch", low=1)
    sequence_length: int = opt(999, "longest training sequence, in steps", low=2)
    learning_rate: float = opt(1e-3, "Adam's learning rate", free=True)
    min_learning_rate: float = opt(1e-5, "floor of the learning rate", free=True)
    decay: float = opt(1.0, "factor on the learning rate a step", free=True)
    clip: float = opt(1.0, "gradients are clipped to +- this value")
    holdout: float = opt(0.05, "share of the episodes kept for validation", high=0.5)
    validate_every: int = opt(
        100, "steps between validations, checkpoints and pictures", free=True, low=1
    )
    rend_n_episodes: int = opt(4, "rows of the picture: held-out episodes", free=True, low=1)
    rend_n_rollouts: int = opt(5, "imagined frames in a row of the picture", free=True, low=1)
    rend_step: int = opt(10, "steps imagined between two frames of the picture", free=True, low=1)
    temperature: float = opt(1.0, "temperature of the picture's dream", free=True, low=0.01)
    threads: int = opt(0, "CPU threads (0: every core)", free=True)
    seed: int = opt(0, "seed of weights, batches and noise")


@dataclasses.dataclass(frozen=True)
class Controller:
    """Stage 5: the controller C and what evolves it."""

    world: str = opt(
        "game",
        "where C plays, and is evaluated, while it evolves",
        choices=("game", "dream"),
        name="in",
    )
    models: str = opt("", "run whose V and M to use (default: its own)")
    start_from: str = opt("", "run whose C to start from (default: zero)", name="from")
    temperature: float = opt(1.0, "of the dream: above 1 is less certain", free=True, low=0.01)
    sigma_temperature: float = opt(
        0.0,
        "of the spread of the mixtures' components alone, where which of them it is has a meaning "
        "(0: --temperature)",
        free=True,
    )
    start: str = opt(
        "first", "frames that dreams start from: the episodes' first, or any of them",
        choices=("first", "any"), free=True,
    )  # fmt: skip
    done_threshold: float = opt(
        0.5, "a dream ends when M's probability of the end is above this (0: drawn)", high=0.99
    )
    danger: float = opt(
        1.0, "factor on the odds of drawn ends: above 1 a dream is more dangerous than the game",
        free=True, low=1e-3,
    )  # fmt: skip
    inputs: str = opt(
        "zh",
        "what C sees: z, the LSTM's h and c, or z through 40 hidden units",
        choices=("z", "zh", "zc", "zch", "z-hidden"),
    )
    bias: bool = opt(True, "C has a bias (the original's has none in Doom)")
    rectify: bool = opt(False, "C sees max(x, 0) of its inputs (the original's bin packing)")
    greedy: bool = opt(
        True, "of discrete actions take the likeliest; --no-greedy draws one (the original)"
    )
    z_mode: str = opt(
        "sample", "z at play: drawn from V's posterior (the original) or its mean (ctallec)",
        choices=("sample", "mean"),
    )  # fmt: skip
    fit_first: int = opt(
        0,
        "evolution starts from a C fitted to the recorded episodes (advantage-weighted "
        "regression), the best of so many variations of it, unless --from (0: from zero)",
    )
    stall: int = opt(
        0,
        "an episode of evolution ends when its return has not risen for so many steps, and counts "
        "as if it had gone on like that (0: never)",
        free=True,
    )
    components_of: str = opt(
        "",
        "evolve C along principal components of what it sees while the C of this run, of the same "
        "V and M, drives (default: in its weights)",
    )
    components_at: tuple[int, ...] = opt(
        (),
        "generations after which evolution goes on along principal components of what C sees while "
        "the distribution's mean drives, measured anew each time (no number: never)",
    )
    components_sigma: float = opt(
        0.0, "initial standard deviation of coordinates along components (0: --sigma-init)"
    )
    components: int = opt(48, "how many of them, each scaled to the same spread", low=1)
    optimizer: str = opt(
        "cma", "what evolves C", choices=("cma", "openes", "pepg", "ses", "ga")
    )  # fmt: skip
    population: int = opt(64, "candidates in a generation", low=3)
    episodes: int = opt(16, "episodes a candidate plays", free=True, low=1)
    eval_every: int = opt(25, "generations between evaluations", free=True, low=1)
    eval_episodes: int = opt(1024, "rollouts of an evaluation", free=True, low=1)
    sigma_init: float = opt(0.1, "initial standard deviation of the weights", low=1e-6)
    sigma_decay: float = opt(0.999, "factor on sigma a generation (openes, pepg, ses, ga)")
    weight_decay: float = opt(0.01, "fitness lost per mean squared weight")
    antithetic: bool = opt(
        True,
        "the second half of the population plays the first half's tracks; with openes, pepg and "
        "ses it is also its mirror image",
    )
    common_seeds: bool = opt(False, "all candidates of a generation play the same tracks")
    replay_tracks: float = opt(
        0.0,
        "share of a generation's tracks that are the hardest so far again (with --common-seeds)",
        free=True,
        high=1,
    )
    cap_time: bool = opt(False, "cap episodes at twice the last generation's mean length")
    retrain: bool = opt(False, "return to the best mean after an evaluation that was worse")
    target_return: float = opt(
        math.inf, "stop at an evaluation of this mean", free=True, low=-math.inf
    )
    generations: int = opt(0, "stop after this generation (0: no limit)", free=True)
    hours: float = opt(0.0, "stop after this many hours of evolution (0: no limit)", free=True)
    rounds: int = opt(
        1,
        "play in the game with what was dreamt, learn V and M on, and dream again",
        free=True,
        low=1,
    )
    round_episodes: int = opt(
        200, "episodes that every later round records with its controller", free=True, low=1
    )
    round_lead_in: int = opt(
        0,
        "the controller plays up to as many steps, then stage 1's policy is recorded instead "
        "(0: the controller is)",
        free=True,
        low=0,
    )
    round_epochs: int = opt(
        2, "passes of V over all recorded frames in every later round", free=True, low=1
    )
    batch_size: int = opt(32, "games a worker plays at once", free=True, low=1)
    dreams: int = opt(256, "dreams a worker dreams at once", free=True, low=1)
    max_steps: int = opt(
        1000, "longest episode; shorter ones make early generations cheaper", free=True, low=1
    )
    engine: str = opt("fast", "who plays the game", choices=ENGINES)
    workers: int = opt(0, "worker processes to start when alone (0: one a core)", free=True)
    seed: int = opt(0, "seed of the optimiser and of the training tracks")
