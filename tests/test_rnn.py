"""M: size, likelihood against SciPy and tfp, sampling, alignment."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

import config
import runs
from rnn.data import draw_batches, held_out_batches
from rnn.mdn import mdn_nll, mdn_noise_size, mdn_parts, mdn_rendition, mdn_sample, mdn_size
from rnn.model import MDNRNN, make_rnn, rehearse, rnn_losses
from series.data import Stream, windows
from tests.conftest import PIPELINE, command, commands, copy_run, make_series


def test_parameter_counts_are_the_papers():
    assert MDNRNN(32, 3, 256).count_params() == 422_368
    doom = config.preset("takecover", "full")
    assert make_rnn(doom.vae.z_size, 1, doom.rnn).count_params() == 1_678_785


def random_parts(joint, z_size=4, mixtures=3, batch=6, seed=0):
    rng = np.random.default_rng(seed)
    raw = 0.5 * rng.normal(size=(batch, mdn_size(z_size, mixtures, joint))).astype(np.float32)
    return mdn_parts(raw, z_size, mixtures, joint), rng.normal(size=(batch, z_size))


def test_nll_per_dimension_matches_scipy():
    parts, z = random_parts(joint=False)
    logits, mean, logstd = (p.numpy().astype(np.float64) for p in parts)
    weight = logits - logsumexp(logits, -1, keepdims=True)
    want = -logsumexp(weight + norm.logpdf(z[..., None], mean, np.exp(logstd)), -1).mean(-1)
    np.testing.assert_allclose(mdn_nll(parts, z.astype(np.float32), False), want, rtol=1e-4)


def test_nll_joint_matches_scipy():
    parts, z = random_parts(joint=True)
    logits, mean, logstd = (p.numpy().astype(np.float64) for p in parts)
    weight = logits - logsumexp(logits, -1, keepdims=True)
    log_prob = [
        logsumexp(
            [
                weight[b, k]
                + multivariate_normal.logpdf(z[b], mean[b, k], np.exp(2 * logstd[b, k]))
                for k in range(3)
            ]
        )
        for b in range(len(z))
    ]
    want = -np.array(log_prob) / z.shape[1]
    np.testing.assert_allclose(mdn_nll(parts, z.astype(np.float32), True), want, rtol=1e-4)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("temperature, spread", [(0.3, None), (1.0, None), (1.4, None), (1.4, 0.2)])
def test_sample_moments_at_a_temperature(joint, temperature, spread):
    parts, _ = random_parts(joint, z_size=2, batch=1, seed=3)
    many = tuple(tf.repeat(p, 60_000, 0) for p in parts)
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((60_000, mdn_noise_size(2, joint)), np.float32)
    z = mdn_sample(many, temperature, noise, joint, spread).numpy()
    logits, mean, logstd = (p.numpy()[0].astype(np.float64) for p in parts)
    if joint:
        mean, logstd = mean.T, logstd.T  # (Z, K), as per dimension
    weight = np.exp(logits / temperature)
    weight = np.broadcast_to(weight / weight.sum(-1, keepdims=True), mean.shape)
    want_mean = (weight * mean).sum(-1)
    variance = (spread or temperature) * np.exp(2 * logstd)
    want_std = np.sqrt((weight * (variance + mean**2)).sum(-1) - want_mean**2)
    np.testing.assert_array_less(abs(z.mean(0) - want_mean), 5 * want_std / np.sqrt(len(z)))
    np.testing.assert_allclose(z.std(0), want_std, rtol=0.05)


def test_windows_keep_everything_aligned():
    lengths = [5, 20, 11]
    series = make_series(lengths)
    starts, ends = set(), 0
    for seed in range(50):
        batch = windows(series, np.arange(3), 3, 8, np.random.default_rng(seed))
        assert batch["z"].shape == (3, 9, 2) and batch["mask"].shape == (3, 8)
        for z, a, r, d, m in zip(
            *(batch[k] for k in ("z", "action", "reward", "done", "mask")), strict=True
        ):
            n = int(m.sum())
            episode, first = divmod(int(round(z[0, 0])), 100)
            starts.add((episode, first))
            assert n == min(8, lengths[episode])
            steps = 100 * episode + first + np.arange(n)
            np.testing.assert_allclose(z[: n + 1, 0], np.append(steps, steps[-1] + 1), atol=0.01)
            np.testing.assert_array_equal(a[:n, 0], steps)
            np.testing.assert_array_equal(r[:n], steps)
            last = first + n == lengths[episode] and series.terminated[episode]
            np.testing.assert_array_equal(d, np.arange(8) == (n - 1 if last else -1))
            ends += int(d.sum())
    assert len(starts) > 15 and ends


def test_mask_hides_what_follows_a_short_episode():
    model = MDNRNN(2, 3, 8, reward_head=True, done_head=True)
    batch = windows(make_series([5, 20, 11]), np.arange(3), 3, 8, np.random.default_rng(1))
    before = rnn_losses(model, batch, 10.0)["loss"]
    short = int(np.argmin(batch["mask"].sum(1)))
    n = int(batch["mask"][short].sum())
    batch["z"][short, n + 1 :] = 7
    batch["action"][short, n:] = 7
    batch["reward"][short, n:] = 7
    np.testing.assert_allclose(rnn_losses(model, batch, 10.0)["loss"], before, rtol=1e-6)


@pytest.mark.parametrize("head_units", [0, 5])
def test_stepping_is_unrolling(head_units):
    model = MDNRNN(3, 2, 8, head_units=head_units)
    rng = np.random.default_rng(0)
    z, a = rng.normal(size=(4, 6, 3)).astype("f"), rng.normal(size=(4, 6, 2)).astype("f")
    want = model(z, a).parts[1]
    state = model.zero_state(4)
    for t in range(6):
        state = model.step(z[:, t], a[:, t], state)
        now = model.predict_from(state[0], z[:, t], a[:, t])
        np.testing.assert_allclose(now.parts[1], want[:, t], atol=1e-5)


def test_a_stream_zeroes_its_state_at_restarts():
    """An oracle: sequences cut at their restarts and unrolled one by one, gradients included."""
    rng = np.random.default_rng(0)
    model = MDNRNN(3, 2, 7, stream=True)
    z, action = (tf.constant(rng.normal(size=(1, 9, n)), tf.float32) for n in (3, 2))
    state = tuple(tf.constant(rng.normal(size=(1, 7)), tf.float32) for _ in range(2))
    restart = np.zeros((1, 9), np.float32)
    restart[0, 4] = 1

    def whole():
        said, (h, c) = model.unroll(z, action, tf.constant(restart), state)
        return said.hidden, h, c

    def by_keras():
        x = tf.concat([z, action, restart[..., None]], -1)
        first, *_ = model.lstm(x[:, :4], initial_state=list(state))
        second, h, c = model.lstm(x[:, 4:])
        return tf.concat([first, second], 1), h, c

    results = []
    for unroll in (whole, by_keras):
        with tf.GradientTape() as tape:
            tape.watch([z, *state])
            hidden, h, c = unroll()
            loss = tf.reduce_sum(tf.sin(hidden)) + tf.reduce_sum(h * c)
        weights = [v.value for v in model.lstm.trainable_variables]
        results.append([hidden, h, c, *tape.gradient(loss, [z, *state, *weights])])
    for got, want in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-5)


def test_a_stream_is_all_episodes_end_to_end():
    """Every step of every episode once an epoch, in order, restarts and ends where they are."""
    series = make_series([5, 20, 11, 7])
    series.mu[:] = np.arange(len(series.mu))[:, None]
    series.logvar[:] = -60  # z is its own row's number
    lanes, length, rows, restarts, ends, following = 2, 6, [[], []], [], [], {}
    stream = Stream(series, np.arange(4), lanes, length, (0, 1))
    for step in range(3):
        batch = stream.batch(step)
        assert batch["fresh"] == (step == 0) and batch["z"].shape[:2] == (lanes, length + 1)
        for lane in range(lanes):
            now = batch["z"][lane, :, 0].round().astype(int)
            assert not rows[lane] or following[lane] == now[0]  # it goes on where it stopped
            rows[lane] += now[:-1].tolist()
            following[lane] = now[-1]
            firsts, lasts = series.offset, series.offset + series.length
            np.testing.assert_array_equal(batch["restart"][lane], np.isin(now[:-1], firsts))
            np.testing.assert_array_equal(batch["mask"][lane], ~np.isin(now[:-1], lasts))
            done = np.isin(now[:-1], (lasts - 1)[series.terminated])
            np.testing.assert_array_equal(batch["done"][lane], done)
            restarts.append(batch["restart"].sum())
            ends.append(batch["done"].sum())
    seen = [row for lane in rows for row in lane]
    assert len(seen) == len(set(seen)) and max(restarts) > 0 and max(ends) > 0
    other = stream.batch(3)
    assert other["fresh"] and not np.array_equal(other["z"], batch["z"])
    with pytest.raises(runs.RunError, match="do not fill"):
        Stream(series, np.arange(4), 40, 6, (0, 1))


def test_a_stream_model_steps_as_it_unrolls():
    model = MDNRNN(3, 2, 8, stream=True)
    rng = np.random.default_rng(0)
    z, a = rng.normal(size=(1, 6, 3)).astype("f"), rng.normal(size=(1, 6, 2)).astype("f")
    restart = np.float32([[1, 0, 0, 1, 0, 0]])
    want, _ = model.unroll(z, a, restart, model.zero_state(1))
    state = model.zero_state(1)
    for t in range(6):
        state = model.zero_state(1) if restart[0, t] else state
        state = model.step(z[:, t], a[:, t], state)
        np.testing.assert_allclose(
            model.predict_from(state[0], z[:, t], a[:, t]).parts[1],
            want.parts[1][:, t],
            atol=1e-5,
        )


def test_m_is_shown_noisy_latents_and_asked_for_clean_ones():
    series = make_series([90, 90, 90, 90])
    options = config.RNN(steps=1, batch_size=4, sequence_length=80)
    plain = next(draw_batches(series, np.arange(4), options, 0))
    assert plain["seen"] is plain["z"]
    noisy = next(draw_batches(series, np.arange(4), dataclasses.replace(options, z_noise=0.5), 0))
    np.testing.assert_array_equal(noisy["z"], plain["z"])
    spread = (noisy["seen"] - noisy["z"]).std((1, 2))
    assert 0 < spread.min() < spread.max() < 0.55
    # The LSTM's gates must not be saturated.
    small = {name: plain[name] / 400 for name in ("z", "action")}
    batch, model = plain | small, MDNRNN(2, 3, 8)
    losses = [
        float(rnn_losses(model, batch | {"seen": seen}, 1.0)["loss"])
        for seen in (small["z"], small["z"] + noisy["seen"] - noisy["z"])
    ]
    assert losses[0] != losses[1]


@pytest.mark.parametrize("joint", [False, True])
def test_passes_are_steps_of_imagination(joint):
    """As many passes as steps are a dream, in which the same things happen."""
    rng = np.random.default_rng(0)
    model = MDNRNN(3, 2, 8, mixtures=2, joint=joint)
    z, action = (rng.standard_normal((4, n, s)).astype(np.float32) for n, s in ((6, 3), (5, 2)))
    noise = np.tile(rng.standard_normal((1, 4, 5, 3)).astype(np.float32), (5, 1, 1, 1))
    batch = {"z": z, "seen": z, "action": action, "noise": noise, "passes": np.array([0, 1, 2, 5])}
    narrow = rehearse(model, batch, (-0.01, 0.01))["seen"].numpy()
    assert (narrow[0] == z[0]).all() and abs(narrow[3, 1:]).max() <= 0.01
    seen = rehearse(model, batch, (-np.inf, np.inf))["seen"].numpy()

    def shown(row, k, t):
        """z_t of a row after k passes, step by step."""
        if not (k and t):
            return z[None, row, t]
        state = model.zero_state(1)
        for s in range(t):
            now = shown(row, k - 1, s)
            state = model.step(now, action[None, row, s], state)
        parts = model.predict_from(state[0], now, action[None, row, t - 1]).parts
        return mdn_rendition(parts, z[None, row, t], noise[0, None, row, t - 1], joint)

    for row, passes in enumerate(batch["passes"]):
        for t in range(6):
            np.testing.assert_allclose(seen[row, t], shown(row, passes, t)[0], atol=1e-5)
    own, state = z[None, 3, 0], model.zero_state(1)  # the last is a dream all along
    for t in range(5):
        state = model.step(own, action[None, 3, t], state)
        parts = model.predict_from(state[0], own, action[None, 3, t]).parts
        own = mdn_rendition(parts, z[None, 3, t + 1], noise[0, None, 3, t], joint)
        np.testing.assert_allclose(seen[3, t + 1], own[0], atol=1e-5)


@pytest.mark.parametrize("joint", [False, True])
def test_a_rendition_is_of_the_component_that_explains_best(joint):
    parts, z = random_parts(joint)
    z = z.astype(np.float32)
    logits, mean, logstd = (p.numpy() for p in parts)
    density = norm.logpdf(z[:, None] if joint else z[..., None], mean, np.exp(logstd))
    best = (logits + density.sum(-1) if joint else logits + density).argmax(-1)
    noise = np.ones_like(z)
    if joint:
        want = np.stack([(mean + np.exp(logstd))[b, k] for b, k in enumerate(best)])
    else:
        want = np.take_along_axis(mean + np.exp(logstd), best[..., None], -1)[..., 0]
    np.testing.assert_allclose(mdn_rendition(parts, z, noise, joint), want, rtol=1e-5)


def test_a_stream_is_validated_on_whole_episodes():
    series = make_series([5, 20, 11, 7])
    options = config.RNN(stream=True, sequence_length=4)
    batches = held_out_batches(series, np.array([1, 2]), options)
    assert sum(batch["mask"].sum() for batch in batches) == 20 + 11
    assert sum(batch["done"].sum() for batch in batches) == series.terminated[[1, 2]].sum()
    options = config.RNN(sequence_length=4)
    (batch,) = held_out_batches(series, np.array([1, 2]), options)
    assert batch["mask"].shape == (8, 4)


def test_joint_mixtures_and_heads_train_and_go_on(toy, tmp_path):
    run = copy_run(toy, tmp_path, "record", "vae", "series")
    words = (*PIPELINE["rnn"], "--run", "toy", "--joint", "--reward-head", "--done-head")
    done = commands(words, (*words, "--steps", "9"), cwd=tmp_path)
    assert "goes on at step 7" in done.stdout
    rows = runs.read_metrics(run / "rnn" / "metrics.jsonl")
    assert [row["step"] for row in rows] == [3, 6, 9]
    assert {"val_z", "val_reward", "val_done"} <= set(rows[-1])


def test_patience_counts_on_when_training_goes_on(toy, tmp_path):
    """A rate that learns nothing; three commands, of which the last finds nothing to do."""
    run = copy_run(toy, tmp_path, "record", "vae", "series")
    words = (*PIPELINE["rnn"], "--run", "toy", "--validate-every", "1", "--learning-rate", "1e-12")
    more = ("--steps", "9", "--patience", "4")
    done = commands((*words, "--steps", "3"), (*words, *more), (*words, *more), cwd=tmp_path)
    assert done.stdout.count("stopped: no progress for 4 validations") == 2
    rows = runs.read_metrics(run / "rnn" / "metrics.jsonl")
    best = min(row["val_loss"] for row in rows)
    first = next(row["step"] for row in rows if row["val_loss"] == best)
    assert [row["step"] for row in rows] == list(range(1, first + 5)) and len(rows) < 9
    hours = np.cumsum([row["seconds"] for row in rows]) / 3600
    np.testing.assert_allclose([row["hours"] for row in rows], hours, atol=1e-3)


def test_m_may_stay_untrained(toy, tmp_path):
    run = copy_run(toy, tmp_path, "record", "vae", "series")
    command(*PIPELINE["rnn"], "--run", "toy", "--steps", "0", cwd=tmp_path)
    assert (run / "rnn" / "rnn.weights.h5").exists()
    assert not (run / "rnn" / "checkpoint.npz").exists()
    assert config.load(run / "config.json").rnn.steps == 0


def test_an_m_that_breaks_is_not_saved_and_goes_on(toy, tmp_path):
    run = copy_run(toy, tmp_path, "record", "vae", "series")
    words = (*PIPELINE["rnn"], "--run", "toy", "--steps", "2", "--validate-every", "2")
    more = ("--learning-rate", "1e30", "--min-learning-rate", "1e30")
    done = command(*words, *more, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "the loss of M is" in done.stderr, done.stdout + done.stderr
    assert not (run / "rnn" / "checkpoint.npz").exists()
    assert "done" in command(*words, "--learning-rate", "1e-3", cwd=tmp_path).stdout


def test_a_picture_that_does_not_fit_is_one_sentence(toy, tmp_path):
    copy_run(toy, tmp_path, "record", "vae", "series")
    words = (*PIPELINE["rnn"], "--run", "toy", "--rend-step", "20")
    done = command(*words, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "lower one of them" in done.stderr
