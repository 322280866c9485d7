"""V: size, loss against NumPy, round trips, streaming."""

from __future__ import annotations

import dataclasses
import shutil
import tracemalloc

import keras
import numpy as np
import pytest
import tensorflow as tf

import config
import runs
from record.episodes import Episode, list_episodes, load_episode, save_episode
from series.data import load_series
from tests.conftest import PIPELINE, command, copy_run, make_episodes
from vae import standardize
from vae.adam import Adam
from vae.data import batches, frame_count
from vae.layers import Conv2D, Conv2DTranspose, Dense, EinsumDense, upscale
from vae.model import ConvVAE, kl_divergence, load_vae, pixels, reparameterize, vae_loss
from vae.train import learning_rate


@pytest.mark.parametrize(("z_size", "count"), [(32, 4_348_547), (64, 4_446_915)])
def test_parameter_count_is_the_papers(z_size, count):
    assert ConvVAE(z_size).count_params() == count


def test_a_narrow_one_sees_and_paints_as_the_wide_one_does():
    narrow, x = ConvVAE(32, channels=16), np.zeros((2, 64, 64, 3), np.float32)
    assert narrow.count_params() == 1_113_443
    assert narrow.encode(x)[0].shape == (2, 32) and narrow(x).shape == x.shape


def test_the_rate_climbs_and_falls():
    options = config.VAE(learning_rate=4.0, final_learning_rate=1.0, warmup=1, epochs=4)
    rates = [learning_rate(options, epoch) for epoch in range(4)]
    np.testing.assert_allclose(rates, [2, 4, 2.5, 1])
    constant = config.VAE(learning_rate=4.0, warmup=3, epochs=4)
    assert [learning_rate(constant, epoch) for epoch in range(4)] == [1, 2, 3, 4]


def test_first_decoder_product_is_the_transposed_convolution():
    vae = ConvVAE(4)
    dense, einsum = vae.decoder.layers[0], vae.decoder.layers[1]
    z = tf.random.normal((3, 4))
    x = dense(z)
    kernel = tf.transpose(einsum.kernel, (1, 2, 3, 0))  # (H, W, out, in)
    want = tf.nn.conv2d_transpose(x[:, None, None], kernel, (3, 5, 5, 128), 2, "VALID")
    np.testing.assert_allclose(einsum(x), tf.nn.relu(want + einsum.bias), atol=1e-5)


def gradients(layer, x, weight):
    """Output, and gradients to input, kernel and bias, of the weighted sum of a layer's output."""

    @tf.function
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.cast(layer(x), tf.float32)
            loss = tf.reduce_sum(y * weight)
        return y, *tape.gradient(loss, (x, layer.kernel.value, layer.bias.value))

    return [np.asarray(tf.cast(v, tf.float32)) for v in both(x)]


OTHERS = [
    (Conv2D, (4, 3), {"padding": "same", "activation": "tanh"}, (9, 9, 5)),
    (Conv2D, (4, 4), {"strides": 2}, (12, 10, 3)),
    (Conv2D, (4, 4), {"strides": 2, "padding": "same"}, (6, 6, 3)),
    (Conv2D, (4, 4), {"strides": 2, "activation": "tanh"}, (6, 6, 9)),
    (Conv2DTranspose, (3, 6), {"strides": 2, "activation": "tanh"}, (4, 7, 5)),
    (Conv2DTranspose, (3, 6), {"strides": 3}, (4, 4, 5)),
    (Conv2DTranspose, (3, 5), {"strides": 2}, (4, 4, 5)),
    (Conv2DTranspose, (3, 6), {"strides": 2, "padding": "same"}, (4, 4, 5)),
    (Conv2DTranspose, (3, 6), {"strides": 2, "output_padding": 1}, (4, 4, 5)),
    (Dense, (4,), {"activation": "tanh"}, (3, 5)),
    (EinsumDense, ("bi,ihc->bhc", (2, 3)), {"bias_axes": "c"}, (5,)),
]


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(("kind", "sizes", "options", "shape"), OTHERS)
def test_layers_are_keras_whatever_their_form(kind, sizes, options, shape, dtype):
    rng = np.random.default_rng(0)
    layer = kind(*sizes, **options, dtype=dtype)
    keras_own = getattr(keras.layers, kind.__name__)(*sizes, **options)
    for each in (layer, keras_own):
        each.build((None, *shape))
    layer.bias.assign(rng.standard_normal(layer.bias.shape))
    keras_own.set_weights(layer.get_weights())
    x = tf.constant(rng.standard_normal((2, *shape)), tf.float32)
    weight = tf.constant(rng.random(layer.compute_output_shape(x.shape)), tf.float32)
    near = {"rtol": 1e-4, "atol": 2e-4} if dtype == "float32" else {"rtol": 0.03, "atol": 0.1}
    for got, want in zip(*(gradients(v, x, weight) for v in (layer, keras_own)), strict=True):
        np.testing.assert_allclose(got, want, **near)


def test_layers_refuse_what_they_do_not_compute():
    with pytest.raises(ValueError, match="channels_last alone"):
        Conv2D(4, 4, strides=2, data_format="channels_first")
    with pytest.raises(ValueError, match="channels_last alone"):
        Conv2DTranspose(4, 4, strides=2, data_format="channels_first")


def test_every_layer_of_v_has_float32s_gradients_in_bfloat16():
    """A sum over a batch's pixels in bfloat16 is off by as much as 97 % (Keras' `bias_add`)."""
    half, full = ConvVAE(32, "mixed_bfloat16"), ConvVAE(32)
    full.set_weights(half.get_weights())
    rng = np.random.default_rng(0)
    layers = [[*vae.encoder.layers, *vae.decoder.layers] for vae in (half, full)]
    pairs = [pair for pair in zip(*layers, strict=True) if pair[0].weights]
    assert len(pairs) == 10
    for pair in pairs:
        x = tf.constant(rng.random((100, *pair[0].input.shape[1:])), tf.float32)
        shape = pair[0].compute_output_shape(x.shape)
        weight = tf.constant(1 + rng.standard_normal(shape), tf.float32)
        found = zip(*(gradients(layer, x, weight) for layer in pair), strict=True)
        off = [np.linalg.norm(got - want) / np.linalg.norm(want) for got, want in found]
        y, _, kernel, bias = off
        assert max(y, kernel) < 0.02 and bias < 0.005, (pair[0].name, off)


def test_transposed_convolution_by_phases_is_tensorflows():
    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal((2, 7, 7, 5)), tf.float32)
    kernel = tf.constant(rng.standard_normal((6, 6, 3, 5)), tf.float32)
    weight = tf.constant(rng.standard_normal((2, 18, 18, 3)), tf.float32)
    found = []
    for function in (
        upscale,
        lambda x, k: tf.nn.conv2d_transpose(x, k, (2, 18, 18, 3), 2, "VALID"),
    ):
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = function(x, kernel)
            loss = tf.reduce_sum(y * weight)
        found.append((y, *tape.gradient(loss, (x, kernel))))
    for got, want in zip(*found, strict=True):
        np.testing.assert_allclose(got, want, atol=2e-4)


def test_adam_is_keras_adam():
    start = np.random.default_rng(0).standard_normal((2, 50)).astype(np.float32)
    results = []
    for kind in (Adam, keras.optimizers.Adam):
        rng = np.random.default_rng(1)
        variables = [keras.Variable(x) for x in start]
        optimizer = kind(1e-2)
        optimizer.build(variables)
        for _ in range(20):
            gradients = [tf.constant(rng.standard_normal(50), tf.float32) for _ in variables]
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
        results.append([np.array(v) for v in (*variables, *optimizer.variables)])
    for got, want in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_kl_matches_the_closed_form():
    rng = np.random.default_rng(0)
    mu, logvar = rng.normal(size=(2, 7, 5)).astype(np.float32)
    sigma = np.exp(logvar / 2)
    want = (np.log(1 / sigma) + (sigma**2 + mu**2) / 2 - 0.5).sum(1)
    np.testing.assert_allclose(kl_divergence(mu, logvar), want, rtol=1e-5)


def test_tolerance_is_a_floor_on_each_samples_kl():
    mu = tf.constant([[0.0] * 4, [3.0] * 4])  # KL 0 and 18 nats
    logvar = tf.zeros((2, 4))
    x = tf.zeros((2, 64, 64, 3))
    loss, recon, kl = vae_loss(x, x + 0.1, mu, logvar, tolerance=0.5)
    np.testing.assert_allclose(kl, (0.5 * 4 + 18) / 2)
    np.testing.assert_allclose(recon, 64 * 64 * 3 * 0.01, rtol=1e-5)
    np.testing.assert_allclose(loss, recon + kl)


def test_reparameterize_moments():
    noise = np.random.default_rng(0).standard_normal((100_000, 1)).astype(np.float32)
    z = reparameterize(tf.constant(2.0), tf.constant(np.log(9.0), tf.float32), noise).numpy()
    np.testing.assert_allclose([z.mean(), z.std()], [2, 3], rtol=0.02)


def test_an_untrained_decoder_starts_from_the_mean_colour():
    vae, x = ConvVAE(4), np.zeros((5, 64, 64, 3), np.float32)
    x[..., 0], x[..., 1] = 0.8, 0.3
    vae.start_from_mean(x)
    mean = vae.decode(np.zeros((1, 4), np.float32)).numpy().mean((0, 1, 2))
    np.testing.assert_allclose(mean, [0.8, 0.3, 0.01], atol=1e-3)


def test_whitened_components_are_those_of_the_singular_vectors():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 5)) @ rng.standard_normal((5, 80))  # rank 5
    scores = standardize.whitened_components(x, 4)
    np.testing.assert_allclose(scores.T @ scores / 30, np.eye(4), atol=1e-6)
    u, _, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.abs(u[:, :4].T @ scores).diagonal(), 30**0.5)
    short = standardize.whitened_components(x[:4], 7)
    assert short.shape == (4, 7) and not short[:, 3:].any()


def spots(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright square in one of two places; and now and then a spot of a few grey levels."""
    rng = np.random.default_rng(seed)
    obs, spot = np.zeros((n, 64, 64, 3), np.uint8), rng.random(n) < 0.1
    for frame, side in zip(obs, rng.integers(2, size=n), strict=True):
        frame[40:50, 20 * side + 10 : 20 * side + 20] = 200
    obs[spot, 20:22, 10:12] = 10
    return obs, spot


def test_a_standardised_v_starts_by_seeing_what_is_small_and_rare():
    vae = ConvVAE(4, standardize=True)
    standardize.start(vae, spots(400, 0)[0])
    frames, spot = spots(200, 1)
    x = pixels(frames)
    mu = vae.encode(x)[0].numpy()
    told = [abs(np.corrcoef(column, spot)[0, 1]) for column in mu[:, :2].T]  # two exist
    assert max(told) > 0.99
    want = vae.mean + vae.scale * vae.standard(x)
    np.testing.assert_allclose(want, x, atol=1e-3)  # nothing is lost but what is very rare


@pytest.mark.parametrize("standard", [False, True])
def test_weights_round_trip(tmp_path, standard):
    a, b = ConvVAE(8, standardize=standard), ConvVAE(8, standardize=standard)
    if standard:
        standardize.start(a, spots(40, 0)[0])
    x = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    runs.save_weights(a, tmp_path / "vae.weights.h5")
    b.load_weights(tmp_path / "vae.weights.h5")
    np.testing.assert_array_equal(a(x), b(x))


def test_a_checkpoint_has_names_that_another_process_gives_too(tmp_path):
    """Whatever Keras has counted its layers to; files from before there were names go on, too."""
    saved, loaded = (keras.Sequential([keras.layers.Dense(n) for n in (3, 4, 4)]) for _ in "ab")
    for model in (saved, loaded):
        model.build((None, 3))
    variables = [*saved.variables, tf.Variable(np.ones(3), name="carried")]
    others = [*loaded.variables, tf.Variable(np.zeros(3), name="carried")]
    file = tmp_path / "checkpoint.npz"
    runs.save_checkpoint(file, variables, step=3)
    names = [name for name in runs.read_npz(file) if name != "state"]
    assert names[:3] == [
        "sequential/dense/kernel",
        "sequential/dense/bias",
        "sequential/dense/kernel#2",
    ]
    assert len(set(names)) == len(variables) and names[-1] == "carried"
    old = tmp_path / "old.npz"
    arrays = {f"v{i}": np.asarray(v) for i, v in enumerate(variables)}
    runs.write_npz(old, arrays | {"state": runs.read_npz(file)["state"]})
    for path in (file, old):
        for variable in others:
            variable.assign(np.zeros(variable.shape))
        assert runs.load_checkpoint(path, others) == {"step": 3}
        for got, want in zip(others, variables, strict=True):
            np.testing.assert_array_equal(got, want)


def numbers(frames):
    return (frames[:, 0, 0].astype(int) @ [65536, 256, 1]).tolist()


def test_an_epoch_streams_every_frame_once(tmp_path, monkeypatch):
    monkeypatch.setattr("vae.data.POOL_FRAMES", 40)
    episodes = make_episodes(tmp_path, [12, 30, 7, 25, 19])
    total = frame_count(episodes, 0)
    seen = [n for b in batches(episodes, 7, np.random.default_rng(0)) for n in numbers(b)]
    assert len(seen) == len(set(seen)) == total // 7 * 7
    again = [n for b in batches(episodes, 7, np.random.default_rng(0)) for n in numbers(b)]
    assert seen == again != sorted(seen)


def test_memory_does_not_grow_with_the_dataset(tmp_path, monkeypatch):
    monkeypatch.setattr("vae.data.POOL_FRAMES", 100)
    episodes = make_episodes(tmp_path, [50] * 48)
    peaks = []
    for part in (episodes[:12], episodes):
        tracemalloc.start()
        for _ in batches(part, 10, np.random.default_rng(0)):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_max_frames_caps_each_episode(tmp_path):
    episodes = make_episodes(tmp_path, [12, 30])
    seen = [
        n for b in batches(episodes, 5, np.random.default_rng(0), max_frames=5) for n in numbers(b)
    ]
    assert len(seen) == frame_count(episodes, 5) == 10
    assert sum(n <= 12 for n in seen) == 5


def test_a_damaged_episode_stops_the_stream_unless_skipped(tmp_path):
    episodes = make_episodes(tmp_path, [12, 30])
    data = episodes[0][0].read_bytes()
    episodes[0][0].write_bytes(data[: len(data) // 2])
    with pytest.raises(runs.RunError, match="0.npz"):
        list(batches(episodes, 5, np.random.default_rng(0)))
    assert len(list(batches(episodes, 5, np.random.default_rng(0), skip_bad=True))) == 6


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_weights(toy, tmp_path):
    run = shutil.copytree(toy / "log" / "toy", tmp_path / "log" / "toy")
    good = (run / "vae" / "vae.weights.h5").read_bytes()
    words = ("-m", "vae.train", "carracing", "--run", "toy", "--epochs", "3")
    done = command(*words, "--learning-rate", "1e30", cwd=tmp_path, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "V broke down: its loss is" in done.stderr and "at batch" in done.stderr
    assert (run / "vae" / "vae.weights.h5").read_bytes() == good
    assert "done" in command(*words, "--learning-rate", "1e-3", cwd=tmp_path).stdout


def test_a_collapsed_v_stops(tmp_path):
    folder = tmp_path / "log" / "black" / "record"
    folder.mkdir(parents=True)
    for i in range(4):
        black = np.zeros((251, 64, 64, 3), np.uint8)
        end = np.array(True)
        action, reward = np.zeros((250, 3), np.float32), np.zeros(250, np.float32)
        save_episode(
            folder / f"{i}.npz", Episode(black, action, reward, end, end, np.zeros((251, 0), bool))
        )
    words = ("-m", "vae.train", "carracing", "--run", "black", "--preset", "toy", "--epochs", "9")
    more = ("--kl-tolerance", "0", "--learning-rate", "0.003")
    done = command(*words, *more, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "it collapsed" in done.stderr, done.stdout + done.stderr


def test_a_v_that_breaks_in_an_epochs_last_step_is_not_saved(toy, tmp_path):
    """Its loss was finite before the step; only the held-out frames show what the step did."""
    run = copy_run(toy, tmp_path, "record")
    words = (*PIPELINE["vae"], "--run", "toy", "--batch-size", "180")  # one step an epoch
    more = ("--learning-rate", "1e30", "--max-frames", "61")
    done = command(*words, *more, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "on held-out frames" in done.stderr, done.stdout + done.stderr
    assert not (run / "vae" / "checkpoint.npz").exists()
    assert "done" in command(*words, "--learning-rate", "1e-3", cwd=tmp_path).stdout


def test_plateau_patience_and_bfloat16(toy, tmp_path):
    """A rate that learns nothing is halved after every epoch, and training stops after three."""
    run = copy_run(toy, tmp_path, "record", "vae")
    words = (*PIPELINE["vae"], "--run", "toy", "--epochs", "9", "--learning-rate", "1e-12")
    more = ("--plateau", "1", "--patience", "3", "--precision", "bfloat16", "--flip")
    more += ("--max-frames", "10", "--exp-replay-size", "2")  # bfloat16 is slow on most CPUs
    done = command(*words, *more, cwd=tmp_path)
    assert "mixed_bfloat16" in done.stdout and "no progress for 3 epochs" in done.stdout
    assert "of 2 episodes an epoch, 1 episodes held out" in done.stdout
    rows = runs.read_metrics(run / "vae" / "metrics.jsonl")
    rates = [row["learning_rate"] for row in rows]
    assert len(rows) < 9 and rates[-1] in (1e-12 / 2, 1e-12 / 4)


def test_series_hold_what_v_makes_of_every_frame(in_toy):
    """Alignment through record and series: one row a frame, in the order of the episode."""
    path, cfg = runs.find("toy")
    vae, series = load_vae(path, cfg.vae, "float32"), load_series(path)
    episodes = list_episodes(path / "record")
    assert series.seed.tolist() == [int(file.stem) for file, _ in episodes]
    for i, (file, steps) in enumerate(episodes):
        episode = load_episode(file)
        rows = slice(series.offset[i], series.offset[i] + steps + 1)
        mu, logvar = vae.encode(pixels(episode.obs))
        np.testing.assert_allclose(series.mu[rows], mu, atol=0.01)
        np.testing.assert_allclose(series.logvar[rows], logvar, atol=0.01)
        np.testing.assert_array_equal(series.action[rows][:-1], episode.action)
        np.testing.assert_array_equal(series.reward[rows][:-1], episode.reward)
        assert not series.action[rows][-1].any() and series.reward[rows][-1] == 0
        assert series.length[i] == steps and series.terminated[i] == episode.terminated


def test_series_are_made_anew_if_an_episode_has_changed(toy, tmp_path):
    run = copy_run(toy, tmp_path, "record", "vae", "series")
    words = (*PIPELINE["series"], "--run", "toy")
    first = command(*words, cwd=tmp_path)
    assert "up to date" in command(*words, cwd=tmp_path).stdout
    episode = load_episode(run / "record" / "0.npz")
    save_episode(run / "record" / "0.npz", dataclasses.replace(episode, reward=episode.reward + 1))
    again = command(*words, cwd=tmp_path)
    assert "done" in again.stdout, first.stdout
    np.testing.assert_array_equal(load_series(run).reward[: len(episode)], episode.reward + 1)
