"""Stage 4: train the memory model M on the series of latents.

    python -m rnn.train carracing                              as the original: 4000 steps
    python -m rnn.train carracing --reward-head --done-head    M as a complete environment

z is drawn anew from mu and logvar for every batch. Every `--validate-every` steps: a row of
metrics.jsonl, a checkpoint, the weights if they are the best on held-out episodes
(rnn.weights.h5), and a picture of M's dream, steps/<n>.png. The same command goes on.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np

import config
import runs
from rnn.data import Batch, draw_batches, episodes_of, held_out_batches
from runs import cli, workers
from series.data import Series, load_series
from vae.data import read_ahead


def make_steps(rnn, optimizer, carried: list, options: config.RNN, bounds: tuple):
    """Compile the training and the validation step.

    Args:
        carried: h and c (B, H) that a stream of episodes carries from one step to the next.
        bounds: lowest and highest recorded mu (Z,).

    Returns:
        Two functions from a batch to a dict of losses.
    """
    import tensorflow as tf

    from rnn.model import losses_of, rehearse, rnn_losses
    from rnn.planning import planning_losses

    def losses_along_the_stream(batch):
        state = tuple(v * (1 - batch["fresh"]) for v in carried)
        given = (batch["seen"][:, :-1], batch["action"], batch["restart"], state)
        prediction, state = rnn.unroll(*given)
        for variable, value in zip(carried, state, strict=True):
            variable.assign(value)
        return losses_of(rnn, prediction, batch, options.done_weight)

    def losses_of_windows(batch):
        if rnn.planning_heads:
            return planning_losses(rnn, batch, options)
        return rnn_losses(rnn, batch, options.done_weight)

    @tf.function(reduce_retracing=True)
    def train_step(batch):
        if options.passes:
            batch = rehearse(rnn, batch, bounds)
        with tf.GradientTape() as tape:
            losses = losses_along_the_stream(batch) if rnn.stream else losses_of_windows(batch)
        gradients = tape.gradient(losses["loss"], rnn.trainable_variables)
        optimizer.apply_gradients(zip(gradients, rnn.trainable_variables, strict=True))
        return losses

    @tf.function(reduce_retracing=True)
    def validate_step(batch):
        return losses_of_windows(batch)

    return train_step, validate_step


def learning_rate(options: config.RNN, step: int) -> float:
    """(rate - floor) * decay^step + floor."""
    low = min(options.min_learning_rate, options.learning_rate)
    return (options.learning_rate - low) * options.decay**step + low


def mean(rows: list[dict], weights: list[float] | None = None) -> dict[str, float]:
    """Mean of each loss."""
    columns = {k: [row[k] for row in rows] for k in rows[0]}
    return {k: round(float(np.average(v, weights=weights)), 5) for k, v in columns.items()}


def check_picture(options: config.RNN, longest: int) -> None:
    """Refuse a picture that fits neither half a training sequence nor half an episode.

    Args:
        longest: steps of the longest held-out episode.

    Raises:
        RunError: rend_step x rend_n_rollouts is too long.
    """
    length = options.rend_step * options.rend_n_rollouts
    room = min(options.sequence_length, longest)
    if length > room // 2:
        raise runs.RunError(
            f"rend_step x rend_n_rollouts is {length}, more than half of the {room} steps of a "
            "sequence; lower one of them"
        )


def check_options(options: config.RNN) -> None:
    """Refuse options that contradict each other.

    Raises:
        RunError: names them.
    """
    if options.stream and (options.passes or options.planning_heads):
        raise runs.RunError("--stream goes neither with --passes nor with --planning-heads")
    if options.planning_heads and not (options.reward_head and options.done_head):
        raise runs.RunError("--planning-heads needs --reward-head --done-head: a search asks them")
    if options.unroll and (not options.planning_heads or options.passes):
        raise runs.RunError("--unroll needs --planning-heads, and does not go with --passes")
    if options.unroll >= options.sequence_length:
        raise runs.RunError("--unroll must be below --sequence-length")


def diverged(loss: float, step: int) -> runs.RunError:
    """The error of a training that went wrong; nothing since the last validation was saved."""
    return runs.RunError(
        f"the loss of M is {loss} at step {step}; the last good weights are kept; "
        "lower --learning-rate and run the same command"
    )


class Row:
    """Losses and time between two validations."""

    def __init__(self):
        self.rows, self.seen = [], 0
        self.start, self.learned = time.monotonic(), 0.0

    def add(self, losses: dict[str, float], steps: int) -> None:
        """Note the losses of a batch of so many steps."""
        self.rows.append(losses)
        self.seen += steps

    def stop(self) -> None:
        """Learning pauses here, for a validation and its picture."""
        self.learned = self.seconds()

    def seconds(self) -> float:
        """Since the row began."""
        return time.monotonic() - self.start

    def rate(self) -> float:
        """Steps learned a second."""
        return self.seen / self.learned

    def losses(self) -> dict[str, float]:
        """Mean of each."""
        return mean(self.rows)


class Training:
    """M, its optimiser, and how far they are; on opening it goes on from the last checkpoint.

    Args:
        path: the run's folder. series: its latents. train, held: episodes to learn from, and those
            held out.

    Attributes:
        state: what the checkpoint says beside the variables: `step`, the last one done; `best`
            loss on held-out episodes; `stale`, validations since; `seconds` of all steps; `vae`
            and `data`, which V and which series M has learned from.
    """

    def __init__(
        self,
        path: Path,
        options: config.RNN,
        series: Series,
        train: np.ndarray,
        held: np.ndarray,
    ):
        import keras
        import tensorflow as tf

        from rnn.model import make_rnn

        self.path, self.folder, self.options = path, path / "rnn", options
        self.series, self.train, self.held = series, train, held
        keras.utils.set_random_seed(options.seed)
        self.rnn = make_rnn(series.mu.shape[1], series.action.shape[1], options)
        self.optimizer = keras.optimizers.Adam(options.learning_rate, clipvalue=options.clip)
        self.optimizer.build(self.rnn.trainable_variables)
        zero = tf.zeros((options.batch_size, options.hidden_size))
        carried = ("carried_h", "carried_c") if options.stream else ()
        self.carried = [tf.Variable(zero, name=name) for name in carried]
        self.variables = [*self.rnn.trainable_variables, *self.optimizer.variables, *self.carried]
        self.state = {"step": 0, "best": math.inf, "stale": 0, "seconds": 0.0}
        self.open(series.vae, runs.fingerprint(path / "series" / "series.npz"))

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.npz"

    def open(self, vae: str, data: str) -> None:
        """Go on from the checkpoint, or begin; `vae` and `data` are the fingerprints of now."""
        if self.checkpoint.exists():
            self.state |= runs.load_checkpoint(self.checkpoint, self.variables)
        elif self.options.start_from:
            runs.start_from(self.rnn, self.options.start_from, "rnn")
        if self.state.setdefault("vae", vae) != vae and not self.options.follow:
            raise runs.RunError(
                f"{self.folder} was trained on the latents of another V; delete it to train M anew"
            )
        if self.state.setdefault("data", data) != data:  # losses on others cannot be compared
            self.state |= {"vae": vae, "data": data, "best": math.inf, "stale": 0}
        runs.write_json(self.folder / "made_from.json", {"vae": vae})

    def stuck(self) -> bool:
        """Whether M has made no progress for as long as --patience allows."""
        return 0 < self.options.patience <= self.state["stale"]

    def fit(self, vae) -> None:
        """Learn to the last step, or until M is stuck; V draws M's dreams on the way."""
        options, done = self.options, self.state["step"]
        self.metrics = runs.Metrics(self.folder, "step", start=done + 1)
        given = (self.rnn, self.optimizer, self.carried, options, self.series.bounds())
        self.train_step, self.validate_step = make_steps(*given)
        self.checks = held_out_batches(self.series, self.held, options)
        progress = runs.Progress(options.steps, "steps", done=done)
        batches = draw_batches(self.series, self.train, options, done)
        self.row = Row()
        for batch in read_ahead(batches, size=2):
            if self.stuck():
                print(f"stopped: no progress for {options.patience} validations")
                break
            loss = self.learn(batch)
            progress.add(1, f"loss {loss:.4f}")
            if self.due():
                self.validate(vae)

    def learn(self, batch: Batch) -> float:
        """Take a training step; returns its loss."""
        step = self.state["step"] = self.state["step"] + 1
        self.optimizer.learning_rate.assign(learning_rate(self.options, step - 1))
        losses = {k: float(v) for k, v in self.train_step(batch).items()}
        if not math.isfinite(losses["loss"]):
            raise diverged(losses["loss"], step)
        self.row.add(losses, int(batch["mask"].sum()))
        return losses["loss"]

    def due(self) -> bool:
        """Whether it is time to validate."""
        step, options = self.state["step"], self.options
        return not step % options.validate_every or step >= options.steps

    def check(self) -> dict[str, float]:
        """Mean losses on held-out episodes."""
        rows = [{k: float(v) for k, v in self.validate_step(b).items()} for b in self.checks]
        losses = mean(rows, [float(batch["mask"].sum()) for batch in self.checks])
        if not math.isfinite(losses["loss"]):
            raise diverged(losses["loss"], self.state["step"])
        return losses

    def judge(self, loss: float) -> bool:
        """Note a loss on held-out episodes; returns whether it is the best."""
        better = loss < self.state["best"]
        self.state["stale"] = 0 if better else self.state["stale"] + 1
        self.state["best"] = min(self.state["best"], loss)
        return better

    def write(self, check: dict[str, float]) -> None:
        """End the interval: its row of metrics, and the checkpoint."""
        state, seconds = self.state, self.row.seconds()
        state["seconds"] += seconds
        self.metrics.write(
            step=state["step"],
            **self.row.losses(),
            **{f"val_{k}": v for k, v in check.items()},
            learning_rate=learning_rate(self.options, state["step"] - 1),
            seconds=round(seconds, 1),
            hours=round(state["seconds"] / 3600, 4),
            steps_per_second=round(self.row.rate(), 1),
        )
        runs.save_checkpoint(self.checkpoint, self.variables, **state)

    def validate(self, vae) -> None:
        """Look at held-out episodes, keep M if it is the best so far, and draw its dreams."""
        from rnn.pictures import draw_dreams

        self.row.stop()
        step, check = self.state["step"], self.check()
        better = self.judge(check["loss"])
        if better:
            runs.save_weights(self.rnn, self.folder / "rnn.weights.h5")
        picture = self.folder / "steps" / f"{step:06d}.png"
        draw_dreams(vae, self.rnn, self.series, self.held, self.path, self.options, picture)
        self.write(check)
        print(
            f"step {step}/{self.options.steps}: loss {self.row.losses()['loss']:.4f} · held out "
            f"{check['loss']:.4f} · {self.row.rate():,.0f} steps/s" + (" · best" if better else ""),
            flush=True,
        )
        self.row = Row()


def main() -> None:
    run, cfg = cli.parse("rnn", __doc__)
    options = cfg.rnn
    workers.alone("rnn.train")
    check_options(options)
    path = runs.folder(run)
    series = load_series(path)
    train, held = episodes_of(series, options)
    check_picture(options, int(series.length[held].max()))
    runs.tensorflow(options.threads)
    from vae.model import load_vae

    folder = runs.claim(run, "rnn", cfg)
    runs.sweep(folder)
    (folder / "steps").mkdir(exist_ok=True)
    vae = load_vae(path, cfg.vae, "float32")
    training = Training(path, options, series, train, held)
    done = training.state["step"]
    print(
        f"rnn: {int(series.length.sum()):,} steps of {len(series)} episodes, {len(held)} held out, "
        f"{training.rnn.count_params():,} parameters"
        + (f"; goes on at step {done + 1}" if done else "")
    )
    if not options.steps:
        runs.save_weights(training.rnn, folder / "rnn.weights.h5")
        print(f"done: {folder / 'rnn.weights.h5'}, untrained")
        return
    training.fit(vae)
    print(f"done: {folder / 'rnn.weights.h5'}")


if __name__ == "__main__":
    cli.run(main)
