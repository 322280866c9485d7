"""Which tracks evolution plays."""

from __future__ import annotations

import numpy as np

import config
import runs
from controller.tracks import BANK, empty_bank, keep_hardest, training_seeds
from tests.conftest import PIPELINE, command, copy_run


def test_training_tracks_are_no_others():
    options = config.Controller(population=6, episodes=3)
    seeds = training_seeds(options, 4, empty_bank())
    assert seeds.shape == (6, 3) and (seeds >= config.TRAIN_SEEDS).all()
    np.testing.assert_array_equal(seeds[:3], seeds[3:])  # antithetic
    assert len(np.unique(seeds[:3])) == 9
    assert not np.intersect1d(seeds, training_seeds(options, 5, empty_bank())).size
    common = config.Controller(population=6, episodes=3, common_seeds=True)
    seeds = training_seeds(common, 4, empty_bank())
    assert (seeds == seeds[0]).all()
    borders = (config.EVAL_SEEDS, config.CHOICE_SEEDS, config.TEST_SEEDS, config.TRAIN_SEEDS)
    assert (np.diff(borders) >= 100_000).all()


def test_the_hardest_tracks_are_played_again():
    difficulty = np.random.default_rng(0).normal(size=100)
    bank = empty_bank()
    for generation in range(10):
        seeds = np.arange(10 * generation, 10 * generation + 10)
        bank = keep_hardest(bank, seeds, np.stack([difficulty[seeds] + 1, difficulty[seeds] - 1]))
    np.testing.assert_array_equal(bank[:, 0], np.argsort(difficulty)[:BANK])
    np.testing.assert_allclose(bank[:, 1], np.sort(difficulty)[:BANK])

    options = config.Controller(population=4, episodes=8, common_seeds=True, replay_tracks=0.5)
    seeds = training_seeds(options, 7, bank)
    assert (seeds == seeds[0]).all() and len(np.unique(seeds)) == 8
    assert np.isin(seeds[0], bank[:, 0]).sum() == 4
    assert not np.isin(training_seeds(options, 7, empty_bank())[0], bank[:, 0]).any()

    learned = keep_hardest(bank, bank[:1, 0], np.array([[5.0]]))  # the hardest is now the easiest
    np.testing.assert_array_equal(learned[:, 0], np.append(bank[1:, 0], bank[0, 0]))


def test_a_run_replays_its_tracks_and_goes_on(toy, tmp_path):
    run = copy_run(toy, tmp_path, "vae", "rnn")
    words = (*PIPELINE["controller"], "--run", "toy", "--workers", "1", "--replay-tracks", "1")
    done = command(*words, "--no-common-seeds", cwd=tmp_path, check=False)
    assert done.returncode == 1 and "--replay-tracks needs --common-seeds" in done.stderr
    tracks = []
    for generations in ("1", "3"):
        more = ("--common-seeds", "--episodes", "2", "--generations", generations)
        command(*words, *more, cwd=tmp_path)
        tracks.append(np.sort(runs.read_npz(run / "controller/checkpoint.npz")["bank"][:, 0]))
    assert len(tracks[0]) == 2  # all later generations play them again
    np.testing.assert_array_equal(*tracks)
    file = run / "controller/checkpoint.npz"
    state = runs.read_npz(file)
    del state["bank"]
    runs.write_npz(file, state)
    done = command(*words, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "is of another version (no bank)" in done.stderr
