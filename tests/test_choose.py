"""The final choice: generations are judged again on fresh tracks, and the best is kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

import config
import envs
import runs
from controller.agent import load_agent
from controller.choose import evaluated
from controller.model import load_controller
from controller.rollout import rollout
from tests.conftest import command, copy_run


@pytest.fixture
def run(toy, tmp_path):
    return copy_run(toy, tmp_path, "vae", "rnn", "controller")


def test_the_best_of_fresh_tracks_is_kept(run, tmp_path):
    """Scores are those of a rollout of our own, and --dry-run changes nothing."""
    words = ("-m", "controller.choose", "log/toy", "--episodes", "3", "--workers", "1")
    before = (run / "controller" / "controller.npz").read_bytes()
    command(*words, "--generations", "2", "1", "--dry-run", cwd=tmp_path)
    assert (run / "controller" / "controller.npz").read_bytes() == before
    choice = json.loads((run / "choice.json").read_text())

    cfg, found = config.load(run / "config.json"), evaluated(run)
    seeds = config.CHOICE_SEEDS + np.arange(3)
    games = envs.load("carracing").make(3, "fast", cfg.controller.max_steps)
    means = {}
    for generation, (_, params) in found.items():
        scores = rollout(load_agent(run, cfg), games, np.tile(params, (3, 1)), seeds).returns
        np.testing.assert_allclose(choice["rows"][str(generation)]["scores"], scores, atol=0.006)
        means[generation] = scores.mean()
    assert sorted(means) == [1, 2] and choice["seeds"] == [seeds[0], seeds[-1]]

    choice["rows"]["2"]["mean"] = -1000.0  # what was judged is not played again
    (run / "choice.json").write_text(json.dumps(choice))
    out = command(*words, "--best", "9", cwd=tmp_path).stdout
    assert "-1000.0" in out and "generation 1 is kept" in out
    (run / "choice.json").unlink()
    out = command(*words, cwd=tmp_path).stdout
    best = max(means, key=means.get)
    assert f"generation {best} is kept" in out
    np.testing.assert_array_equal(load_controller(run), found[best][1])
    assert runs.read_npz(run / "controller" / "controller.npz")["generation"] == best


def test_a_generation_that_was_not_evaluated_is_refused(run, tmp_path):
    words = ("-m", "controller.choose", "log/toy", "--workers", "1", "--generations", "1", "7")
    done = command(*words, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: generation 7 was not evaluated; choose from 1, 2\n"
