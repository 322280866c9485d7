"""C, the agent, rollouts, the logs and evolution, on a real toy run."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

import config
import envs
import runs
from controller.agent import Agent, choose, control, features, squash
from controller.model import Shape, count_params, shape_of
from controller.rollout import padded, rollout
from envs import carracing
from envs.scaling import see
from rnn.model import MDNRNN
from tests.conftest import PIPELINE, command, commands, copy_run
from vae.model import ConvVAE

COUNTS = {"z": 99, "zh": 867, "zc": 867, "zch": 1635, "z-hidden": 1443}


@pytest.mark.parametrize("inputs", COUNTS)
def test_parameter_counts_are_the_originals(inputs):
    assert count_params(shape_of(config.Controller(inputs=inputs), 32, 256, 3)) == COUNTS[inputs]


def test_other_parameter_counts_are_the_originals():
    doom = config.preset("takecover", "full").controller
    assert count_params(shape_of(doom, 64, 512, 1)) == 1088
    assert count_params(shape_of(config.Controller(rectify=True), 32, 256, 30)) == 8670


def test_control_is_tanh_of_bias_first_then_matrix():
    rng = np.random.default_rng(0)
    params, x = rng.normal(size=(5, 99)), rng.normal(size=(5, 32))
    got = control(
        tf.constant(x, tf.float32), tf.constant(params, tf.float32), Shape((32, 3), True, False)
    )
    want = [np.tanh(v @ p[3:].reshape(32, 3) + p[:3]) for v, p in zip(x, params, strict=True)]
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_squash_gives_carracings_ranges():
    raw = tf.constant([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0], [0.0, 0.0, -0.5]])
    np.testing.assert_allclose(squash(raw), [[-1, 0, 0], [1, 1, 1], [0, 0.5, 0]])


def test_choices_are_valid_and_follow_the_softmax():
    rng = np.random.default_rng(0)
    raw = tf.constant(np.tile([[0.5, -0.5, 0.9, 0.1]], (40_000, 1)), tf.float32)
    valid = np.tile([[True, True, False, True]], (40_000, 1))
    noise = rng.standard_normal(raw.shape, np.float32)
    assert choose(raw, valid, noise, greedy=True).numpy().mean(0).tolist() == [1, 0, 0, 0]
    want = np.exp([0.5, -0.5, -np.inf, 0.1])
    drawn = choose(raw, valid, noise, greedy=False).numpy().mean(0)
    np.testing.assert_allclose(drawn, want / want.sum(), atol=0.01)


def test_features_hold_what_their_name_says():
    z, h, c = tf.fill((1, 2), 1.0), tf.fill((1, 3), 2.0), tf.fill((1, 3), 3.0)
    want = {
        "z": [1, 1],
        "z-hidden": [1, 1],
        "zh": [1, 1, 2, 2, 2],
        "zc": [1, 1, 3, 3, 3],
        "zch": [1, 1, 3, 3, 3, 2, 2, 2],
    }
    for name, values in want.items():
        assert features(name, z, h, c).numpy()[0].tolist() == values


def make_agent(inputs="zh", z_mode="sample"):
    tf.keras.utils.set_random_seed(0)
    options = config.Controller(inputs=inputs, z_mode=z_mode)
    return Agent(ConvVAE(4), MDNRNN(4, 3, 8), options, "carracing")


@pytest.mark.parametrize("inputs", COUNTS)
def test_a_rollout_is_the_same_alone_and_in_a_batch(inputs):
    """An oracle: one game at a time, written as a plain loop."""
    agent = make_agent(inputs)
    params = np.random.default_rng(1).normal(0, 0.3, (5, agent.num_params)).astype(np.float32)
    seeds = np.arange(5) + 10
    got = rollout(agent, envs.load("carracing").make(3, "fast", 12), params, seeds)
    for j, seed in enumerate(seeds):
        game = carracing.make("fast")
        frame, _ = game.reset(seed=int(seed))
        h, c = agent.rnn.zero_state(1)
        rng, total = np.random.default_rng([seed, 2]), 0.0
        for _ in range(12):
            x = see(frame)[None].astype(np.float32) / 255
            mu, logvar = agent.vae.encode(x)
            noise = rng.standard_normal((1, 7), np.float32)  # for z, and for drawn actions
            z = mu + np.exp(logvar / 2) * noise[:, :4]
            seen = features(inputs, z, h, c)
            action = squash(control(seen, params[j : j + 1], agent.controller.shape))
            h, c = agent.rnn.step(z, action, (h, c))
            frame, reward, *_ = game.step(action.numpy()[0].astype(np.float64))
            total += reward
        np.testing.assert_allclose(got.returns[j], total, atol=0.02)
        assert got.lengths[j] == 12


@pytest.mark.parametrize("greedy", [False, True])
def test_play_never_breaks_the_mask(greedy):
    """Bin packing with any controller: no item is ever lost, and each is where C put it."""
    tf.keras.utils.set_random_seed(0)
    options = config.Controller(inputs="zh", rectify=True, greedy=greedy)
    agent = Agent(ConvVAE(4), MDNRNN(4, 30, 8), options, "binpacking")
    games = envs.load("binpacking").make(3, "numpy", 60)
    placed, place = [], games.bins.place

    def watched(rows, levels):
        assert games.bins.valid()[rows, levels].all()
        placed.append(len(rows))
        return place(rows, levels)

    games.bins.place = watched
    params = np.random.default_rng(1).normal(size=(5, agent.num_params)).astype(np.float32)
    out = rollout(agent, games, params, np.arange(5))
    assert sum(placed) == 5 * 60 and (out.lengths == 60).all() and (out.returns < 0).all()


def test_z_mode_mean_ignores_the_noise():
    agent = make_agent(z_mode="mean")
    obs = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    params = np.ones((2, agent.num_params), np.float32)
    h, c = (x.numpy() for x in agent.rnn.zero_state(2))
    noise = np.random.default_rng(0).standard_normal((2, 2, 7)).astype(np.float32)
    valid = np.zeros((2, 0), bool)
    a, b = (agent.act(obs, h, c, params, n, valid)[3].numpy() for n in noise)
    np.testing.assert_array_equal(a, b)


def test_padded_rows():
    assert padded(np.array([4]), 8).tolist() == [4]
    assert padded(np.array([1, 2, 5]), 8).tolist() == [1, 2, 5, 5]
    assert padded(np.array([1, 2, 5]), 3).tolist() == [1, 2, 5]
    assert len(padded(np.arange(17), 64)) == 24


def test_logs_are_the_originals(in_toy):
    folder = in_toy / "controller"
    base = "carracing.cma.1.4"
    read = {p.name: json.loads(p.read_text()) for p in folder.glob(f"{base}*.json")}
    assert set(read) == {
        base + s for s in (".json", ".hist.json", ".log.json", ".best.json", ".hist_best.json")
    }
    hist = read[base + ".hist.json"]
    assert [row[0] for row in hist] == [1, 2] and all(len(row) == 9 for row in hist)
    assert all(row[3] <= row[2] <= row[4] for row in hist)
    assert all(row[7] == row[8] == 21 for row in hist)  # steps + 1
    params, best = read[base + ".best.json"]
    saved = runs.read_npz(folder / "controller.npz")
    np.testing.assert_allclose(saved["params"], params, atol=1e-4)
    assert best == max(row[1] for row in read[base + ".log.json"])
    row = read[base + ".hist_best.json"][0]
    assert len(row) == 10 and row[2::2] == ["improvement", "curr", "prev", "best"]


@pytest.mark.parametrize("optimizer", ["openes", "pepg", "ses", "ga"])
def test_every_optimizer_evolves(optimizer, toy, tmp_path):
    run = copy_run(toy, tmp_path, "vae", "rnn")
    words = ("train.py", "carracing", "--run", "toy", "--optimizer", optimizer, "--workers", "1")
    command(*words, "--generations", "2", "--cap-time", "--retrain", cwd=tmp_path)
    (hist,) = (run / "controller").glob(f"carracing.{optimizer}.1.4.hist.json")
    assert len(json.loads(hist.read_text())) == 2


def test_evolution_stops_at_its_limits(toy, tmp_path):
    copy_run(toy, tmp_path, "vae", "rnn")
    words = (*PIPELINE["controller"], "--run", "toy", "--workers", "1")
    done = commands(
        (*words, "--target-return=-1e9"),
        (*words, "--target-return", "inf", "--hours", "1e-9"),
        # Evaluations of another length cannot be compared with the best so far.
        (*words, "--hours", "0", "--generations", "3", "--max-steps", "10", "--episodes", "2"),
        cwd=tmp_path,
    ).stdout
    said = ("generation 1 ", "target return", "hours of evolution reached")
    assert all(part in done for part in said) and done.count("goes on at generation 2") == 2
    saved = runs.read_npz(tmp_path / "log/toy/controller/controller.npz")
    assert saved["generation"] > 1
    row = runs.read_metrics(tmp_path / "log/toy/controller/metrics.jsonl")[-2]
    assert row["max_steps"] == 10


@pytest.mark.parametrize("words", [("--optimizer", "openes", "--population", "7")])
def test_an_optimizer_that_cannot_start_is_one_sentence(words, toy, tmp_path):
    copy_run(toy, tmp_path, "vae", "rnn")
    more = ("--run", "toy", "--workers", "1", *words)
    done = command(*PIPELINE["controller"], *more, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "even" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "log/toy/controller").exists()


@pytest.mark.parametrize("policy", ["random-network", "controller"])
def test_recording_what_an_agent_plays(policy, toy):
    source = ("--source", "toy") if policy == "controller" else ()
    words = ("-m", "record.extract", "carracing", "--preset", "toy", "--run", policy)
    more = ("--policy", policy, "--episodes", "1", "--workers", "1", *source)
    command(*words, *more, cwd=toy)
    from record.episodes import load_episode

    episode = load_episode(toy / "log" / policy / "record" / "0.npz")
    assert len(episode) == 60 and episode.action.std(0).max() > 0
    assert (episode.action >= carracing.LOW).all()  # what was played, its noise included
    assert (episode.action <= carracing.HIGH).all()


def test_a_wrong_source_is_said_before_anything_is_made(toy):
    words = (*PIPELINE["record"], "--run", "second", "--policy", "controller", "--source", "toi")
    done = command(*words, cwd=toy, check=False)
    assert done.returncode == 1 and "did you mean toy?" in done.stderr
    assert not (toy / "log" / "second").exists()
