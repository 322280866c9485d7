"""Options from a JSON file in the form of Planning-in-Imagination's config.json.

    {"rnn_training": {"hidden_units": 256}, "planner": {"c": 1.0, "n_simulations": 50}}

Every option keeps the name it has there. Unknown ones, and those that name files or say twice what
a game is, are refused by name.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from pathlib import Path
from typing import Any

import config
from config.options import out_of_range
from runs import RunError

# section and name there: stage and option here.
NAMES = {
    "vae_training": {
        "batch_size": "vae.batch_size",
        "latent_space_dim": "vae.z_size",
        "epochs": "planner.vae_epochs",
        "learning_rate": "vae.learning_rate",
        "patience": "vae.patience",
    },
    "rnn_training": {
        "batch_size": "rnn.batch_size",
        "sequence_len": "rnn.sequence_length",
        "terminal_prob": "rnn.terminal_prob",
        "hidden_units": "rnn.hidden_size",
        "n_gaussians": "rnn.mixtures",
        "epochs": "planner.epochs",
        "learning_rate": "rnn.learning_rate",
        "patience": "rnn.patience",
        "rend_n_rollouts": "rnn.rend_n_rollouts",
        "rend_n_episodes": "rnn.rend_n_episodes",
        "rend_step": "rnn.rend_step",
        "temperature": "rnn.temperature",
        "gamma": "rnn.gamma",
        "exp_replay_size": "rnn.exp_replay_size",
    },
    "az_training": {
        "max_iter": "planner.max_iter",
        "iterations": "planner.max_iter",
        "min_examples": "planner.min_examples",
        "n_episodes": "planner.n_episodes",
        "exp_replay_size": "rnn.exp_replay_size",
    },
    "planner": {
        "c": "planner.c",
        "dirichlet_noise": "planner.dirichlet_noise",
        "noise_ratio": "planner.noise_ratio",
        "gamma": "planner.gamma",
        "n_simulations": "planner.n_simulations",
        "timeout": "planner.timeout",
    },
}
NAMES["ctrl_play"] = NAMES["az_training"]
INSTEAD = {
    "game_name": "the game is the command's first word",
    "state_shape": "every game is seen as 64x64x3",
    "crop_range": "a game brings its own",
    "generating_agent": "use --policy of record.extract and --from",
    "done_threshold": "the search weighs ends by their probability",
    "data_path": "a run's files are in log/<run>/",
    "ckpt_path": "a run's files are in log/<run>/",
    "ckpt_prefix": "a run's files are in log/<run>/",
    "ckpt_dir": "a run's files are in log/<run>/",
    "logs_dir": "a run's files are in log/<run>/",
}


def read(file: str, base: config.Config) -> config.Config:
    """Apply the options of a JSON file to `base`.

    Raises:
        RunError: names the option that is unknown, of another kind, or contradicts another.
    """
    try:
        data = json.loads(Path(file).read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{file} is not a JSON file that can be read ({error})") from None
    if not isinstance(data, dict) or not all(isinstance(part, dict) for part in data.values()):
        raise RunError(f"{file} is not of the form {{section: {{option: value}}}}")
    told: dict[str, tuple[str, Any]] = {}
    for section, options in data.items():
        for name, value in options.items():
            where = f"{section}.{name}"
            target = find(file, section, name)
            value = number(file, where, value, base, target)
            if told.get(target, (where, value))[1] != value:
                raise RunError(f"{file}: {where} contradicts {told[target][0]}")
            told[target] = where, value
    limits = {told.get(f"planner.{name}", ("", None))[1] for name in ("n_simulations", "timeout")}
    if limits == {0}:
        raise RunError(f"{file}: planner.n_simulations and planner.timeout cannot both be inf")
    for target, (_, value) in told.items():
        stage, option = target.split(".")
        changed = dataclasses.replace(getattr(base, stage), **{option: value})
        base = dataclasses.replace(base, **{stage: changed})
    return base


def find(file: str, section: str, name: str) -> str:
    """Which of our options one of theirs is."""
    if name in INSTEAD:
        raise RunError(f"{file}: {section}.{name} has no place here: {INSTEAD[name]}")
    if section not in NAMES:
        raise RunError(f"{file}: unknown section {section}; choose from {', '.join(NAMES)}")
    if name not in NAMES[section]:
        near = difflib.get_close_matches(name, NAMES[section], n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise RunError(f"{file}: unknown option {section}.{name}{hint}")
    return NAMES[section][name]


def number(file: str, where: str, value: Any, base: config.Config, target: str) -> int | float:
    """The value as our option's kind; "inf" and -1 mean no limit, which is 0 here."""
    stage, option = target.split(".")
    now = getattr(getattr(base, stage), option)
    if value == "inf" or (value == -1 and option == "max_iter"):
        value = 0
    if option == "mixtures" and isinstance(value, int):
        value = max(0, value)
    kind = float if isinstance(now, float) else int
    if isinstance(value, bool) or not isinstance(value, (int, float)) or kind(value) != value:
        raise RunError(f"{file}: {where} is {value!r}; it must be a number like {now}")
    fields = {f.name: f for f in dataclasses.fields(config.STAGES[stage].options)}
    if wrong := out_of_range(fields[option], value):
        raise RunError(f"{file}: {where} is {wrong}")
    return kind(value)
