"""Bin packing's rules against an oracle, take cover against ViZDoom's own environment, and the
pipeline of both at toy size."""

from __future__ import annotations

import json

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import config
import envs
import runs
from config.worldmodels import ENGINES
from envs import binpacking, binpacking_env, takecover
from envs.binpacking import ITEMS, RULES, Bins
from envs.binpacking_env import VARIANTS, BinPackingVectorEnv
from tests.conftest import ROOT, command, commands


@pytest.mark.parametrize("game", config.GAMES)
def test_a_games_spec_is_what_it_says(game):
    spec = envs.load(game)
    assert spec.official in spec.engines and set(spec.engines) <= set(ENGINES)
    games = spec.make(2, max_steps=5)
    assert games.game.name == game and games.over.all()
    games.reset(seed=[3, 3])
    np.testing.assert_array_equal(games.obs[0], games.obs[1])
    for maker in (*spec.policies.values(), *spec.baselines.values()):
        vector = maker(np.random.default_rng(0))(games)
        assert vector.shape == (spec.action_size,)
        action = spec.to_actions(vector[None])
        assert spec.action_space.contains(action[0])
        np.testing.assert_array_equal(spec.one_hot(action)[0], vector)
    assert games.picture().shape == (400, 600, 3) and games.picture().dtype == np.uint8
    games.over[1], still = True, games.obs[1].copy()
    cuts = [games.step(np.repeat(action, 2, 0))[3].tolist() for _ in range(6)]
    assert cuts == [[False, False]] * 4 + [[True, False], [False, False]]
    np.testing.assert_array_equal(games.obs[1], still)
    games.close()


def literal(items, seed, choose):
    """Bin packing as a person would play it, with a list of bins; returns the return."""
    rng = np.random.default_rng(seed)
    line = rng.choice(items.sizes, items.horizon + 1, p=items.chances)
    bins, total = [], 0
    for size in line[: items.horizon]:
        level = choose(bins, size)
        if level == 0:
            bins.append(size)
            total -= items.capacity - size
        else:
            bins.remove(level)
            total += size
            if level + size < items.capacity:
                bins.append(level + size)
        assert all(0 < b < items.capacity for b in bins)
    assert total == -sum(items.capacity - b for b in bins)  # the oracle of the return
    return total


@pytest.mark.parametrize("name", ITEMS)
def test_best_fit_is_best_fit(name):
    items = ITEMS[name]._replace(horizon=400)
    seeds = np.arange(20)
    best = lambda bins, size: max([b for b in bins if b + size <= items.capacity], default=0)  # noqa: E731
    want = [literal(items, int(seed), best) for seed in seeds]
    assert binpacking.play_rule(RULES["best-fit"], items, seeds).tolist() == want


def test_sum_of_squares_is_the_smallest_sum_of_squares():
    bins, rng = Bins(1, ITEMS["pixels"]), np.random.default_rng(1)
    bins.reset(0, 5)
    for _ in range(300):
        sums = {}
        for level in np.flatnonzero(bins.valid()[0]):
            counts = bins.counts[0].astype(int)
            counts[level] -= level > 0
            if level + bins.item[0] < 30:
                counts[level + bins.item[0]] += 1
            sums[level] = (counts**2).sum()
        chosen = RULES["sum-of-squares"](bins, rng)[0]
        assert sums[chosen] == min(sums.values())
        bins.place(np.array([0]), RULES["random"](bins, rng))


@pytest.mark.parametrize("rule", RULES)
def test_rules_never_break_the_mask_and_returns_are_minus_the_waste(rule):
    for name in ITEMS:
        items = ITEMS[name]._replace(horizon=100)
        binpacking.play_rule(RULES[rule], items, np.arange(200))  # asserts the waste itself
    bins, rng = Bins(50, ITEMS["pixels"]), np.random.default_rng(0)
    for i in range(50):
        bins.reset(i, i)
    for _ in range(200):
        chosen = RULES[rule](bins, rng)
        assert bins.valid()[np.arange(50), chosen].all()
        bins.place(np.arange(50), chosen)
        assert (bins.counts >= 0).all() and (bins.counts[:, 0] == 0).all()


def test_published_baselines():
    """Mean of 1,000 games: best fit -26.05 (published), any open bin -83.0 (of 100 games)."""
    seeds = np.arange(1000)
    for rule, want, width in (("best-fit", -26.05, 1.2), ("random-open", -83.0, 4)):
        mean = binpacking.play_rule(RULES[rule], ITEMS["pixels"], seeds).mean()
        assert abs(mean - want) < width


def test_pixels_say_everything():
    """Counts, as far as they are drawn, and the item can be read back from the picture."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 60, (40, 30)) * (rng.random((40, 30)) < 0.3)
    item = rng.integers(1, 10, 40)
    pictures = binpacking.draw(counts, item)
    for picture, count, size in zip(pictures, counts, item, strict=True):
        for level in range(30):
            for row in (59 - 2 * level, 60 - 2 * level)[: 1 if level == 0 else 2]:
                np.testing.assert_array_equal(picture[row], binpacking.BARS[count[level]])
        columns = np.flatnonzero(picture[62].any(-1))
        assert columns.tolist() == list(range(6 * size, 6 * size + 6))
    assert len({b.tobytes() for b in binpacking.BARS[:60]}) == 60


def test_an_invalid_action_costs_and_loses_the_item():
    games = envs.load("binpacking").make(1)
    games.reset(seed=1)
    before = games.bins.counts.copy()
    _, reward, ended, cut, _ = games.step([7])
    assert reward[0] == -100 and not ended[0] and not cut[0]
    np.testing.assert_array_equal(games.bins.counts, before)


def play_variant(variant, seed, choose):
    """Play whole episodes, and begin the next: returns and penalties, (n,) each, and the waste."""
    n, items = (100, "pixels") if variant == "pixels" else (2000, "bounded")
    env = BinPackingVectorEnv(n, items, variant)
    env.reset(seed=seed)
    bins, rng, total, lost = env.bins, np.random.default_rng(seed), np.zeros(n), np.zeros(n)
    for step in range(bins.items.horizon):
        before = bins.counts.copy()
        _, reward, ended, cut, info = env.step(choose(rng, env, bins))
        np.testing.assert_array_equal(info["action_mask"], bins.valid())
        assert not cut.any() and (ended == (step + 1 == bins.items.horizon)).all()
        total += reward
        same = (bins.counts == before).all(1)
        assert (reward[same] < -90).all() and (reward[~same] > -30).all()
        lost += np.where(same, -reward, 0)
    waste = bins.waste()
    _, reward, ended, _, _ = env.step(choose(rng, env, bins))
    assert not reward.any() and not ended.any() and not bins.counts.any() and not bins.time.any()
    return total, lost, waste


@pytest.mark.parametrize("variant", VARIANTS)
def test_returns_of_every_variant_are_minus_the_waste(variant):
    def any_action(rng, env, bins):
        if not variant:  # the base game would end
            return RULES["random"](bins, rng)
        if variant == "continuous":
            return rng.random((env.num_envs, 1), np.float32)
        return rng.integers(env.single_action_space.n, size=env.num_envs)

    total, lost, waste = play_variant(variant, 3, any_action)
    np.testing.assert_array_equal(total + lost, -waste)
    assert (lost > 0).any() == (variant in ("incremental", "mask", "pixels"))


def test_an_invalid_action_ends_the_base_game_and_near_takes_the_nearest():
    env = gymnasium.make("BinPacking-v0", items="perfect")
    env.reset(seed=1)
    item = env.unwrapped.batch.bins.item[0]
    assert env.step(0)[1:3] == (item - 9.0, False)
    assert env.step(8)[1:3] == (-100.0 - (9 - item), True)
    bins = Bins(5, ITEMS["pixels"])
    bins.counts[:, [4, 10, 28]] = 1
    bins.item[:] = 5
    assert binpacking_env.nearest(np.array([6, 7, 8, 29, 0]), bins).tolist() == [4, 4, 10, 10, 0]


@pytest.mark.parametrize("variant", VARIANTS.values())
def test_gymnasium_accepts_bin_packing(variant):
    check_env(gymnasium.make(variant).unwrapped, skip_render_check=True)
    obs, _ = gymnasium.make_vec(variant, 3, vectorization_mode="vector_entry_point").reset(seed=2)
    assert len(obs["real_obs"] if isinstance(obs, dict) else obs) == 3


def test_a_person_packs_bins(tmp_path):
    import subprocess
    import sys

    words = [sys.executable, "-m", "envs.binpacking_env", "--seed", "4"]
    done = subprocess.run(
        words, input="0\n77\n0\nq\n", capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "item" in done.stdout and done.stdout.rstrip().endswith("return -13")


def test_take_cover_is_vizdooms_own_environment_frame_by_frame():
    import cv2
    from vizdoom import gymnasium_wrapper

    assert gymnasium_wrapper
    env = gymnasium.make("VizdoomTakeCover-v1")
    official, fast = (envs.load("takecover").make(1, engine) for engine in ("vizdoom", "fast"))
    number = {0: 2, 1: 0, 2: 1}  # left, nothing, right as its own actions
    obs, _ = env.reset(seed=5)
    official.reset(seed=5)
    fast.reset(seed=5)
    rng, ended, steps = np.random.default_rng(0), False, 0
    while not ended:
        seen = cv2.resize(obs["screen"], (64, 64), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(seen, official.obs[0])
        assert abs(fast.obs[0].astype(int) - seen).mean() < 8
        k = int(rng.integers(3))
        obs, reward, ended, _, _ = env.step(number[k])
        action = np.float32([[k - 1]])
        for games in (official, fast):
            got = games.step(action)
            assert (got[1][0], got[2][0]) == (reward, ended)
        steps += 1
    assert 50 < steps < 2100
    for games in (official, fast):
        games.close()


@pytest.mark.parametrize(
    ("low", "high", "button"), [(-1, -0.34, 0), (-0.33, 0.33, 1), (0.34, 1, 2)]
)
def test_take_covers_action_is_by_thirds(low, high, button):
    games, pressed = envs.load("takecover").make(1), []
    games.reset(seed=0)
    real = games.games[0]

    class Spy:
        def make_action(self, buttons):
            pressed.append(buttons)
            return real.make_action(buttons)

        def __getattr__(self, name):
            return getattr(real, name)

    games.games[0] = Spy()
    for value in (low, high):
        games.step(np.float32([[value]]))
    assert pressed == [takecover.BUTTONS[button]] * 2
    games.close()


@pytest.mark.parametrize("game", ["takecover", "binpacking"])
def test_the_pipeline_of_the_other_games(game, tmp_path):
    toy, alone = (game, "--preset", "toy"), ("--workers", "1")
    done = commands(
        ("-m", "record.extract", *toy, *alone),
        ("-m", "vae.train", *toy),
        ("-m", "series.encode", *toy),
        ("-m", "rnn.train", *toy),
        ("train.py", *toy, *alone),
        ("train.py", game, "--generations", "3", "--temperature", "1.3"),
        ("evaluate.py", f"log/{game}", "--dream", "--video", "--steps", "9", *alone),
        ("-m", "rnn.errors", f"log/{game}", "--warmup", "5", "--steps", "1", "10"),
        cwd=tmp_path,
    )
    assert "goes on at generation 3" in done.stdout and "in the dream" in done.stdout
    words = ("--temperatures", "0.5", "--episodes", "2", "--generations", "1", *alone)
    done = command("-m", "report.temperatures", f"log/{game}", *words, cwd=tmp_path)
    assert "random" in done.stdout and ("paper" in done.stdout) == (game == "takecover")
    run = tmp_path / "log" / game
    assert {"temperatures.json", "temperatures.png", "dream.mp4"} <= {p.name for p in run.iterdir()}
    row = json.loads((run / "temperatures.json").read_text())["rows"]["0.5"]
    borrowed = tmp_path / "log" / f"{game}-t0.5"
    assert row["game"][0] == json.loads((borrowed / "result.json").read_text())["mean"]
    assert runs.fingerprint(borrowed / "rnn/rnn.weights.h5") == runs.fingerprint(
        run / "rnn/rnn.weights.h5"
    )


def test_a_policy_or_engine_of_another_game_is_one_sentence(tmp_path):
    for words in (("--policy", "brownian"), ("--engine", "gymnasium")):
        done = command("-m", "record.extract", "takecover", *words, cwd=tmp_path, check=False)
        assert done.returncode == 1 and "takecover has no" in done.stderr
