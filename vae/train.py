"""Stage 2: train the vision model V on the recorded frames.

    python -m vae.train carracing                     as the original: 10 epochs, z 32
    python -m vae.train carracing --flip --plateau 5 --patience 30 --epochs 1000     as ctallec

Frames stream from disk. After every epoch: a row of metrics.jsonl, the weights if they are the
best on held-out episodes (vae.weights.h5), and a picture, epochs/<n>.png: frames, their
reconstructions, samples of the prior. The same command goes on at the epoch where it stopped.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np

import config
import runs
from envs.batch import FRAME
from record.episodes import list_episodes, split
from runs import cli, workers
from vae.data import Episodes, batches, frame_count


def make_steps(vae, optimizer, options: config.VAE):
    """Compile the training and the validation step.

    Both return (loss, recon, kl), and the second also the KL before its tolerance.
    """
    import tensorflow as tf

    from vae.model import kl_divergence, pixels, reparameterize, vae_loss

    def losses(obs, seed, flip):
        x = pixels(obs)
        if flip:
            coin = tf.random.stateless_uniform((tf.shape(x)[0], 1, 1, 1), seed=seed + 1)
            x = tf.where(coin < 0.5, x[:, :, ::-1], x)
        mu, logvar = vae.encode(x)
        z = reparameterize(mu, logvar, tf.random.stateless_normal(tf.shape(mu), seed=seed))
        raw_kl = tf.reduce_mean(kl_divergence(mu, logvar))
        weights = (options.kl_tolerance, options.recon_weight)
        return *vae_loss(vae.standard(x), vae.decoder(z), mu, logvar, *weights), raw_kl

    signature = [tf.TensorSpec((None, *FRAME.shape), tf.uint8), tf.TensorSpec((2,), tf.int32)]

    @tf.function(input_signature=signature)
    def train_step(obs, seed):
        with tf.GradientTape() as tape:
            loss, recon, kl, _ = losses(obs, seed, options.flip)
        gradients = tape.gradient(loss, vae.trainable_variables)
        optimizer.apply_gradients(zip(gradients, vae.trainable_variables, strict=True))
        return tf.stack([loss, recon, kl])

    @tf.function(input_signature=signature)
    def validate_step(obs, seed):
        return tf.stack(losses(obs, seed, flip=False))

    return train_step, validate_step


def diverged(what: str) -> runs.RunError:
    """The error of a training that went wrong; nothing of the epoch was saved."""
    return runs.RunError(
        f"V broke down: {what}; the last good weights are kept; "
        "lower --learning-rate and run the same command"
    )


def train_epoch(step, frames, total: int, epoch: int, batch_size: int) -> np.ndarray:
    """One pass over the frames; returns mean (loss, recon, kl).

    Raises:
        RunError: the loss is not finite; says which batch.
    """
    sums, n = np.zeros(3), 0
    progress = runs.Progress(total // batch_size * batch_size, "frames")
    for obs in frames:
        n += 1
        loss = step(obs, (epoch, 2 * n)).numpy()
        if not np.isfinite(loss).all():
            raise diverged(f"its loss is {loss[0]} at batch {n} of epoch {epoch}")
        sums += loss
        progress.add(len(obs), f"loss {sums[0] / n:.2f} recon {sums[1] / n:.2f}")
    if not n:
        raise runs.RunError(f"fewer frames than one batch of {batch_size}; lower --batch-size")
    return sums / n


def validate(step, held, options: config.VAE) -> np.ndarray:
    """Mean (loss, recon, kl, raw KL) on held-out frames.

    Raises:
        RunError: it is not finite, or the posterior collapsed.
    """
    rng = np.random.default_rng(options.seed)
    sums, n = np.zeros(4), 0
    batch = min(options.batch_size, frame_count(held, 200))
    for obs in batches(held, batch, rng, max_frames=200, skip_bad=options.skip_bad):
        sums += step(obs, (0, 2 * n)).numpy()
        n += 1
    check = sums / n
    if not np.isfinite(check).all():
        raise diverged(f"its loss on held-out frames is {check[0]}")
    if check[3] < 0.01:
        raise diverged(f"it collapsed, its posterior says nothing (KL {check[3]:.1e} nats)")
    return check


def learning_rate(options: config.VAE, epoch: int) -> float:
    """The rate of an epoch: after the climb constant, or a cosine down to final_learning_rate."""
    if epoch < options.warmup:
        return options.learning_rate * (epoch + 1) / (options.warmup + 1)
    last = options.epochs - 1 - options.warmup
    if not options.final_learning_rate or last < 1:
        return options.learning_rate
    wave = (1 + math.cos(math.pi * (epoch - options.warmup) / last)) / 2
    low = options.final_learning_rate
    return low + (options.learning_rate - low) * wave


def draw(vae, obs: np.ndarray, path: Path) -> None:
    """Picture: 8 frames, their reconstructions, and 8 samples of the prior."""
    import imageio.v3 as imageio
    import tensorflow as tf

    from vae.model import pixels, to_uint8

    x = pixels(obs[:8])
    prior = vae.decode(tf.random.stateless_normal((len(x), vae.z_size), seed=(0, 0)))
    rows = [np.concatenate(list(np.asarray(row)), axis=1) for row in (x, vae(x), prior)]
    picture = imageio.imwrite("<bytes>", to_uint8(np.concatenate(rows)), extension=".png")
    with runs.replacing(path) as file:
        file.write(picture)


def begin(vae, train: Episodes, sample: np.ndarray) -> None:
    """Start V from the data's mean colour or, standardised, from its principal components."""
    if not vae.standardize:
        vae.start_from_mean(sample / 255.0)
        return
    from vae import standardize

    each = max(1, 2 * standardize.FRAMES // len(train))  # of many episodes
    count = min(standardize.FRAMES, frame_count(train, each))
    standardize.start(vae, next(batches(train, count, np.random.default_rng(0), max_frames=each)))


class Training:
    """V, its optimiser, and how far they are; on opening it goes on from the last checkpoint.

    Args:
        folder: the stage's. train, held: episodes to learn from, and those held out.

    Attributes:
        state: what the checkpoint says beside the variables: `epoch`, the last one done; `best`
            loss on held-out frames; `stale`, epochs since; `scale` of the learning rate; `seconds`
            of all epochs; `data`, how many frames there are.
    """

    def __init__(self, folder: Path, options: config.VAE, train: Episodes, held: Episodes):
        import keras

        from vae.adam import Adam
        from vae.model import make_vae

        self.folder, self.options, self.train, self.held = folder, options, train, held
        self.total = frame_count(train, options.max_frames)
        keras.utils.set_random_seed(options.seed)
        self.vae = make_vae(options)
        self.optimizer = Adam(options.learning_rate)
        self.optimizer.build(self.vae.trainable_variables)
        self.variables = [*self.vae.variables, *self.optimizer.variables]
        some = (held or train)[:8]
        self.sample = next(batches(some, 8, np.random.default_rng(0), max_frames=8))
        self.state = {"epoch": 0, "best": math.inf, "stale": 0, "scale": 1.0, "seconds": 0.0}
        self.open(frame_count(train + held, 0))
        self.metrics = runs.Metrics(folder, "epoch", start=self.state["epoch"] + 1)
        self.train_step, self.validate_step = make_steps(self.vae, self.optimizer, options)

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.npz"

    def open(self, data: int) -> None:
        """Go on from the checkpoint, or begin; `data` is how many frames there are now."""
        if self.checkpoint.exists():
            self.state |= runs.load_checkpoint(self.checkpoint, self.variables)
        elif self.options.start_from:
            runs.start_from(self.vae, self.options.start_from, "vae")
        else:
            begin(self.vae, self.train, self.sample)
        if self.state.setdefault("data", data) != data:  # losses on others cannot be compared
            self.state |= {"data": data, "best": math.inf, "stale": 0}

    def stuck(self) -> bool:
        """Whether V has made no progress for as long as --patience allows."""
        return 0 < self.options.patience <= self.state["stale"]

    def rate(self) -> float:
        """The learning rate of the next epoch."""
        return learning_rate(self.options, self.state["epoch"]) * self.state["scale"]

    def learn(self) -> np.ndarray:
        """Pass over the frames once; returns the mean (loss, recon, kl)."""
        options, epoch = self.options, self.state["epoch"] + 1
        self.optimizer.learning_rate.assign(self.rate())
        rng = np.random.default_rng([options.seed, epoch])
        how = {"max_frames": options.max_frames, "skip_bad": options.skip_bad}
        frames = batches(self.train, options.batch_size, rng, **how)
        return train_epoch(self.train_step, frames, self.total, epoch, options.batch_size)

    def check(self) -> np.ndarray:
        """Mean (loss, recon, kl, raw KL) on held-out frames."""
        return validate(self.validate_step, self.held or self.train[:1], self.options)

    def judge(self, loss: float) -> bool:
        """Note a loss on held-out frames; returns whether it is the best, else halves the rate
        when it is time."""
        state, better = self.state, loss < self.state["best"] - 1e-4
        state["stale"] = 0 if better else state["stale"] + 1
        state["best"] = min(state["best"], loss)
        if self.options.plateau and state["stale"] and state["stale"] % self.options.plateau == 0:
            state["scale"] /= 2
        return better

    def write(self, loss: np.ndarray, check: np.ndarray, rate: float, seconds: float) -> None:
        """End the epoch: its row of metrics, and the checkpoint."""
        state = self.state
        state |= {"epoch": state["epoch"] + 1, "seconds": state["seconds"] + seconds}
        names = ("loss", "recon", "kl")
        row = {n: round(float(v), 4) for n, v in zip(names, loss, strict=True)}
        row |= {f"val_{n}": round(float(v), 4) for n, v in zip(names, check[:3], strict=True)}
        self.metrics.write(
            epoch=state["epoch"],
            **row,
            raw_kl=round(float(check[3]), 4),
            learning_rate=rate,
            seconds=round(seconds, 1),
            hours=round(state["seconds"] / 3600, 4),
            frames_per_second=round(self.total / seconds, 1),
        )
        runs.save_checkpoint(self.checkpoint, self.variables, **state)

    def epoch(self) -> None:
        """Learn, look at held-out frames, and keep V if it is the best so far."""
        start, rate, number = time.monotonic(), self.rate(), self.state["epoch"] + 1
        loss = self.learn()
        check = self.check()
        better = self.judge(float(check[0]))
        if better:
            runs.save_weights(self.vae, self.folder / "vae.weights.h5")
        draw(self.vae, self.sample, self.folder / "epochs" / f"{number:04d}.png")
        seconds = time.monotonic() - start
        self.write(loss, check, rate, seconds)
        print(
            f"epoch {number}/{self.options.epochs}: loss {loss[0]:.2f} recon {loss[1]:.2f} "
            f"kl {loss[2]:.2f} · held out: loss {check[0]:.2f} recon {check[1]:.2f} "
            f"· {self.total / seconds:.0f} frames/s" + (" · best" if better else ""),
            flush=True,
        )


def episodes_of(path: Path, options: config.VAE) -> tuple[Episodes, Episodes]:
    """The recorded episodes that V learns from, and those held out: the newest, if so asked."""
    episodes = list_episodes(path / "record", options.skip_bad)
    parts = split([int(file.stem) for file, _ in episodes], options.holdout)
    newest = slice(-options.exp_replay_size, None)
    train, held = ([episodes[i] for i in part[newest]] for part in parts)
    return train, held


def main() -> None:
    run, cfg = cli.parse("vae", __doc__)
    options = cfg.vae
    workers.alone("vae.train")
    train, held = episodes_of(runs.folder(run), options)
    runs.tensorflow(options.threads)
    from vae.layers import precision

    folder = runs.claim(run, "vae", cfg)
    runs.sweep(folder)
    (folder / "epochs").mkdir(exist_ok=True)
    training = Training(folder, options, train, held)
    done = training.state["epoch"]
    print(
        f"vae: {training.total:,} frames of {len(train)} episodes an epoch, {len(held)} episodes "
        f"held out, {training.vae.count_params():,} parameters, {precision(options.precision)}"
        + (f"; goes on at epoch {done + 1}" if done else "")
    )
    while training.state["epoch"] < options.epochs:
        if training.stuck():
            print(f"stopped: no progress for {options.patience} epochs")
            break
        training.epoch()
    print(f"done: {folder / 'vae.weights.h5'}")


if __name__ == "__main__":
    cli.run(main)
