"""What M learns for planning, and the loop around the search."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time

import imageio.v3 as imageio
import keras
import numpy as np
import pytest
import tensorflow as tf

import config
import runs
from planner import options_file
from planner.agent import decide, pick
from planner.latent import LatentModel
from planner.mcts import Root
from record.episodes import load_episode
from rnn.mdn import mdn_likeliest
from rnn.model import make_rnn
from rnn.planning import planning_batch, planning_losses, unrolled
from rnn.values import inverse, transform
from runs.scores import read_players
from series.data import load_series
from tests.conftest import ROOT, command, commands, make_episodes, make_series
from train_alphazero import newest, passes_of_vae

HEADS = {"reward_head": True, "done_head": True, "planning_heads": True}
KINDS = {
    "deterministic": {"mixtures": 0},
    "mixtures": {"mixtures": 3},
    "joint": {"mixtures": 4, "joint": True},
    "units": {"mixtures": 3, "head_units": 16},
}


def make(kind: str = "deterministic", seed: int = 0, **more):
    """M with random weights and biases, and its copy for the search; z 5, 3 actions."""
    keras.utils.set_random_seed(seed)
    options = config.RNN(
        hidden_size=12, planning_units=10, reward_scale=3.0, **HEADS, **KINDS[kind], **more
    )
    rnn = make_rnn(5, 3, options)
    rng = np.random.default_rng(seed)
    for weight in rnn.trainable_variables:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    wide = np.full(5, 9, np.float32)
    return rnn, LatentModel(rnn, 0.9, 4.0, "sqrt", -wide, wide), options


def sequence(length: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1, (4, length + 1, 5)).astype(np.float32)
    action = np.eye(3, dtype=np.float32)[rng.integers(0, 3, (4, length))]
    return z, action


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_reads_at_every_step_what_training_read(kind):
    """The alignment of training and play: policy and value of s_t before a_t, the rest after it."""
    rnn, latent, _ = make(kind)
    z, action = sequence(6)
    said, policy, value = unrolled(rnn, {"seen": z, "action": action, "told": tf.constant(6)}, 0)
    likeliest = mdn_likeliest(said.parts, rnn.joint).numpy()
    memory = np.zeros((4, 24), np.float32)
    for t in range(6):
        root = latent.root(latent.states(z[:, t], memory))
        np.testing.assert_allclose(root.logits, policy[:, t], atol=1e-4)
        np.testing.assert_allclose(root.value, inverse(value[:, t].numpy(), "sqrt"), rtol=1e-3)
        step = latent.step(root.states.copy(), action[:, t].argmax(1))
        odds = np.exp(said.done[:, t]) / 4
        np.testing.assert_allclose(step.reward, said.reward[:, t], atol=1e-4)
        np.testing.assert_allclose(step.discount, 0.9 / (1 + odds), atol=1e-5)
        np.testing.assert_allclose(step.states[:, latent.z_at], likeliest[:, t], atol=1e-4)
        memory = latent.memory(latent.remember(root.states.copy(), action[:, t].argmax(1)))
        np.testing.assert_allclose(memory[:, :12], said.hidden[:, t], atol=1e-5)


def test_nothing_is_shifted_by_one():
    """Policy and value of step t know z_t, not a_t nor what came of it; reward and end know a_t."""
    rnn, _, _ = make()
    z, action = map(tf.constant, sequence(4))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((z, action))
        batch = {"seen": z, "action": action, "told": tf.constant(4)}
        said, policy, value = unrolled(rnn, batch, 0)
        at = {
            "policy": policy[:, 2, 0],
            "value": value[:, 2],
            "reward": said.reward[:, 2],
            "done": said.done[:, 2],
        }
    for name, out in at.items():
        by_z, by_action = (np.abs(tape.gradient(out, x)).sum((0, 2)) > 0 for x in (z, action))
        acted = name in ("reward", "done")
        assert by_z.tolist() == [True] * 3 + [False] * 2, name
        assert by_action.tolist() == [True] * 2 + [acted] + [False], name


def test_what_is_asked_of_a_step_is_of_that_step():
    series = make_series([9, 30, 3], z_size=5)
    series.policy = np.repeat(series.reward[:, None], 3, 1)
    options = config.RNN(sequence_length=12, batch_size=64, unroll=3, terminal_prob=0.5, mixtures=0)
    value = series.reward + 0.5
    rng, ends = np.random.default_rng(0), 0
    for _ in range(20):
        batch = planning_batch(series, value, np.arange(3), options, rng)
        mask = batch["mask"] > 0
        here, after = batch["z"][:, :-1, 0], batch["z"][:, 1:, 0]
        assert (after[mask] == here[mask] + 1).all()
        for name in ("reward", "policy", "action"):
            told = batch[name] if name == "reward" else batch[name][..., 0]
            assert (told[mask] == here[mask]).all() and not told[~mask].any(), name
        assert (batch["value"][mask] == here[mask] + 0.5).all()
        episode, step = divmod(here, 100)
        last = (step == series.length[episode.astype(int)] - 1) & (episode % 2 == 0)
        assert (batch["done"][mask] == last[mask]).all()
        assert batch["z"].shape[1] == batch["told"] + 4 and 1 <= batch["told"] <= 9
        ends += (mask & (step == series.length[episode.astype(int)] - 1)).any(1).mean() / 20
    assert 0.5 < ends < 0.95


def test_the_last_steps_are_imagined():
    rnn, latent, _ = make("mixtures")
    z, action = sequence(6)
    batch = {"seen": z, "action": action, "told": tf.constant(2)}
    said, policy, _ = unrolled(rnn, batch, 4)
    blind = unrolled(rnn, batch | {"seen": np.where(np.arange(7)[:, None] < 2, z, 99.0)}, 4)[0]
    np.testing.assert_array_equal(said.reward, blind.reward)  # it never looked
    memory = np.zeros((4, 24), np.float32)
    states = latent.states(z[:, 0], memory)
    for t in range(6):
        root = latent.root(states)
        np.testing.assert_allclose(root.logits, policy[:, t], atol=1e-4)
        states = latent.step(states.copy(), action[:, t].argmax(1)).states
        if t < 1:
            states[:, latent.z_at] = z[:, t + 1]


def test_padding_costs_nothing():
    rnn, _, options = make(unroll=2)
    z, action = sequence(5)
    rng = np.random.default_rng(1)
    mask = np.float32([[1] * 5, [1] * 3 + [0] * 2, [1] * 5, [1] + [0] * 4])
    batch = {"z": z, "seen": z, "action": action, "told": tf.constant(3), "mask": mask}
    batch |= {name: rng.random((4, 5), np.float32) for name in ("reward", "value", "done")}
    batch |= {"policy": np.full((4, 5, 3), 1 / 3, np.float32), "valid": np.zeros((4, 5, 0))}
    losses = planning_losses(rnn, batch, options)
    other = dict(batch)
    for name in ("reward", "value", "done"):
        other[name] = np.where(mask > 0, batch[name], 7).astype(np.float32)
    for name, loss in planning_losses(rnn, other, options).items():
        assert float(loss) == pytest.approx(float(losses[name]), rel=1e-6), name


def test_returns_are_discounted_to_the_end_of_the_episode():
    series = make_series([4, 1])
    series.reward[:] = [1, 2, 3, 4, 0, 5, 0]
    expected = [1 + 0.5 * (2 + 0.5 * (3 + 0.5 * 4)), 2 + 0.5 * (3 + 0.5 * 4), 5, 4, 0, 5, 0]
    np.testing.assert_allclose(series.returns(0.5), expected)


@pytest.mark.parametrize("kind", ["none", "sqrt"])
def test_values_come_back(kind):
    x = np.linspace(-300, 300, 101)
    np.testing.assert_allclose(inverse(transform(x, kind), kind), x, atol=1e-6)


def test_moves_are_drawn_as_the_options_say():
    visits, rng = np.array([10, 30, 60]), np.random.default_rng(0)

    def share(move=0, **options):
        picked = [
            pick(visits / 100, visits, config.Planner(**options), move, rng) for _ in range(3000)
        ]
        return np.bincount(picked, minlength=3) / 3000

    np.testing.assert_allclose(share(), [0.1, 0.3, 0.6], atol=0.04)
    squared = np.array([1, 9, 36]) / 46
    np.testing.assert_allclose(share(temperature=0.5), squared, atol=0.04)
    np.testing.assert_allclose(share(move=10, temperature_decay=0.1), squared, atol=0.04)
    heat = np.exp(visits / 20)
    softmax = {"policy": "softmax", "temperature": 20.0}
    np.testing.assert_allclose(share(**softmax), heat / heat.sum(), atol=0.04)
    assert share(policy="greedy")[2] == share(move=5, policy_warmup=5)[2] == 1
    assert share(move=4, policy_warmup=5)[2] < 1


@pytest.mark.parametrize("more", [{}, {"root": "gumbel"}, {"determinisations": 3}])
def test_a_decision_depends_on_its_own_game_alone(more):
    _, latent, _ = make("mixtures")
    options = config.Planner(n_simulations=12, **more)
    z, _ = sequence(1)
    root = latent.root(latent.states(z[:, 0], np.zeros((4, 24), np.float32)))

    def plan(games):
        if options.determinisations:
            latent.rng = None  # the likeliest: chance is drawn for the batch as a whole
        rngs = [np.random.default_rng(g) for g in games]
        part = Root(*(x[games] for x in root))
        return decide(latent, part, options, np.zeros(len(games), int), rngs, True)

    together, alone = plan([0, 1, 2, 3]), plan([2])
    assert together.actions[2] == alone.actions[0]
    np.testing.assert_allclose(together.policy[2], alone.policy[0], atol=1e-4)
    np.testing.assert_allclose(together.policy.sum(1), 1, atol=1e-5)
    blind = config.Planner(n_simulations=0, **more)  # the policy alone
    rngs = [np.random.default_rng(g) for g in range(4)]
    alone = decide(latent, root, blind, np.zeros(4, int), rngs, False)
    np.testing.assert_array_equal(alone.actions, root.logits.argmax(1))


def test_options_keep_the_names_they_had(tmp_path):
    file, base = tmp_path / "config.json", config.preset("breakout", "full")

    def read(data):
        file.write_text(json.dumps(data))
        return options_file.read(str(file), base)

    cfg = read(
        {
            "vae_training": {"latent_space_dim": 16},
            "rnn_training": {"hidden_units": 64, "n_gaussians": -1, "sequence_len": 40},
            "az_training": {"max_iter": -1, "n_episodes": 128},
            "planner": {"c": 1.0, "timeout": "inf", "n_simulations": 25},
        }
    )
    assert (cfg.vae.z_size, cfg.rnn.hidden_size, cfg.rnn.mixtures) == (16, 64, 0)
    assert (cfg.rnn.sequence_length, cfg.planner.max_iter, cfg.planner.n_episodes) == (40, 0, 128)
    assert (cfg.planner.c, cfg.planner.timeout, cfg.planner.n_simulations) == (1.0, 0, 25)
    for data, says in (
        ({"rnn_training": {"hiden_units": 3}}, "did you mean hidden_units"),
        ({"planer": {"c": 1}}, "unknown section planer"),
        ({"planner": {"n_simulations": "inf", "timeout": "inf"}}, "cannot both be inf"),
        ({"az_training": {"max_iter": 3}, "ctrl_play": {"iterations": 4}}, "contradicts"),
        ({"general": {"crop_range": "[:, :]"}}, "a game brings its own"),
        ({"planner": {"c": "much"}}, "must be a number"),
        ({"planner": {"gamma": 1.5}}, "gamma is 1.5; it must be at most 1"),
        ({"planner": {"c": -1}}, "c is -1; it must be at least 0"),
        ([1], "not of the form"),
    ):
        with pytest.raises(runs.RunError, match=says):
            read(data)


def test_v_learns_from_the_newest_frames(tmp_path):
    (tmp_path / "record").mkdir()
    make_episodes(tmp_path / "record", [5, 10, 20, 30])
    assert newest(tmp_path, 0.5) == (50, 2)
    assert newest(tmp_path, 1.0) == (65, 4)
    options = config.Planner(vae_frames=100, vae_epochs=8)
    assert passes_of_vae(options, 10, 2) == (8, 0)
    assert passes_of_vae(options, 30, 2) == (3, 0)
    assert passes_of_vae(options, 1000, 20) == (2, 3)  # a hundred frames in two passes


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A working folder with log/p: two iterations on catch at toy size, killed within play."""
    cwd = tmp_path_factory.mktemp("planned")
    words = ("train_alphazero.py", "catch", "--run", "p", "--preset", "toy")
    words += ("--vae.z-size", "6", "--rnn.hidden-size", "12")  # options of V and M
    with subprocess.Popen(
        [sys.executable, str(ROOT / words[0]), *words[1:]],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        until = time.monotonic() + 200
        while time.monotonic() < until and process.poll() is None:
            if list((cwd / "log/p/record").glob("1001*.npz")):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    done = command(*words, cwd=cwd)
    assert "done: iteration 2 reached" in done.stdout
    return cwd


def test_the_loop_goes_on_after_a_kill(planned):
    path = planned / "log" / "p"
    rows = runs.read_metrics(path / "planner" / "metrics.jsonl")
    assert [row["iteration"] for row in rows] == [1, 2][-len(rows) :]
    assert len(list((path / "record").glob("*.npz"))) == 24 + 6
    episode = load_episode(path / "record" / "10020000.npz")
    np.testing.assert_allclose(episode.policy.sum(1), 1, atol=1e-5)
    series = load_series(path)
    assert series.policy.shape == series.action.shape and len(series) == 30
    assert series.mu.shape[1] == 6 and config.load(path / "config.json").rnn.hidden_size == 12
    assert (path / "planner" / "progress.png").exists()
    again = command("train_alphazero.py", "catch", "--run", "p", cwd=planned)
    assert "iteration 2 reached" in again.stdout
    words = ("train_alphazero.py", "catch", "--run", "p", "--max-iter", "9", "--max-frames", "905")
    assert "frames played" in command(*words, cwd=planned).stdout  # 900 are: no episode fits in 5


def test_a_planner_is_scored_shown_and_filmed(planned):
    done = command("evaluate.py", "log/p", "--episodes", "3", cwd=planned)
    result = json.loads((planned / "log/p/result.json").read_text())
    players = read_players(result)
    assert result["scores"] == players["search"]["scores"] and result["system"] == "alphazero"
    for who, row in players.items():
        assert row["episodes"] == 3 and row["ci95"][0] <= row["mean"] <= row["ci95"][1]
        assert who in done.stdout
    play = ("evaluate.py", "log/p")
    told = commands(
        (*play, "--episodes", "1"),
        (*play, "--episodes", "1", "--simulations", "2", "--seed", "7"),
        (*play, "--show-tree", "3"),
        (*play, "--video"),
        (*play, "--dream", "--episodes", "2", "--steps", "9"),
        (*play, "--dream", "--video", "--steps", "9"),
        ("-m", "report.simulations", "log/p", "--simulations", "0", "2", "--episodes", "2"),
        cwd=planned,
    ).stdout
    for name in ("1", "simulations-2-seed-7"):
        assert json.loads((planned / f"log/p/result-{name}.json").read_text())["episodes"] == 1
    assert json.loads((planned / "log/p/result.json").read_text()) == result
    assert "visits" in told and "plan:" in told and (planned / "log/p/tree.png").exists()
    assert (planned / "log/p/drive.mp4").stat().st_size > 1000
    assert imageio.imread(planned / "log/p/dream.mp4").shape[1:] == (400, 800, 3)
    asleep = json.loads((planned / "log/p/result-dream.json").read_text())
    assert asleep["engine"] == "dream" and max(asleep["lengths"]) <= 9
    rows = json.loads((planned / "log/p/curve.json").read_text())["rows"]
    assert [(r["world"], r["simulations"]) for r in rows] == [
        ("model", 0),
        ("model", 2),
        ("game", 2),
    ]
    assert (planned / "log/p/curve.png").exists()
    told = command("-m", "rnn.errors", "log/p", "--steps", "1", "4", "--warmup", "5", cwd=planned)
    assert "policy" in told.stdout and "value" in told.stdout
    words = ("evaluate.py", "log/p", "--determinisations", "2")
    assert "has no mixtures" in command(*words, cwd=planned, check=False).stderr


def test_what_cannot_be_planned_is_one_sentence(planned):
    for words, says in (
        (("catch", "--n-simulations", "0", "--run", "x"), "needs --n-simulations or --timeout"),
        (("catch", "--engine", "sticky", "--run", "x"), "no engine sticky"),
        (("catch", "--min-examples", "3", "--run", "x"), "too few to hold out"),
        (("catch", "--max-steps", "5", "--run", "x"), "rend_step x rend_n_rollouts is 6"),
        (("catch", "--from", "p", "--run", "x", "--min-examples", "50"), "fewer than --min-exam"),
        (("keydoor", "--from", "p", "--run", "y"), "plays catch, not keydoor"),
    ):
        done = command("train_alphazero.py", *words, cwd=planned, check=False)
        (line,) = [x for x in done.stderr.splitlines() if x.startswith("error")]
        assert done.returncode == 1 and says in line and "Traceback" not in done.stderr


def test_a_run_without_the_heads_is_one_sentence(planned):
    from planner.agent import load_agent

    path, cfg = planned / "log/p", config.load(planned / "log/p/config.json")
    bare = dataclasses.replace(cfg, rnn=dataclasses.replace(cfg.rnn, planning_heads=False))
    with pytest.raises(runs.RunError, match="no heads for policy and value"):
        load_agent(path, bare)
