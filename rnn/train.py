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

import numpy as np

import config
import runs
from record.episodes import split
from runs import cli, workers
from series.data import Series, Stream, load_series, windows
from vae.data import read_ahead

CHECKS = 100  # sequences of a validation, at most


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


def draw_batches(series: Series, episodes: np.ndarray, options: config.RNN, start: int):
    """Yield training batches from step `start` on; each depends on the seed and its step alone."""
    size = (options.batch_size, options.sequence_length)
    stream = Stream(series, episodes, *size, (options.seed, 1)) if options.stream else None
    sample = sampler(series, options)
    for step in range(start, options.steps):
        rng = np.random.default_rng([options.seed, step])
        batch = stream.batch(step) if stream else sample(episodes, rng)
        batch["seen"] = blurred(batch.get("seen", batch["z"]), options.z_noise, rng)
        if options.passes:
            batch["passes"] = rng.integers(0, options.passes + 1, len(batch["z"]))
            shape = (options.passes, *batch["z"][:, 1:].shape)
            batch["noise"] = rng.standard_normal(shape, np.float32)
        yield batch


def sampler(series: Series, options: config.RNN):
    """Return a function from episodes and a generator to a batch of their sequences."""
    if not options.planning_heads:
        size = (options.batch_size, options.sequence_length)
        return lambda episodes, rng: windows(series, episodes, *size, rng)
    from rnn.planning import planning_batch
    from rnn.values import transform

    value = transform(series.returns(options.gamma), options.value_transform)
    return lambda episodes, rng: planning_batch(series, value, episodes, options, rng)


def newest(series: Series, episodes: np.ndarray, count: int) -> np.ndarray:
    """The `count` episodes of the highest seeds, which were recorded last; 0: all."""
    return episodes[np.argsort(series.seed[episodes], kind="stable")][-count:]


def blurred(z: np.ndarray, most: float, rng: np.random.Generator) -> np.ndarray:
    """Add noise to sequences z (B, L, Z), of a deviation from 0 to `most` in each of them."""
    if not most:
        return z
    size = rng.uniform(0, most, (len(z), 1, 1)).astype(np.float32)
    return z + size * rng.standard_normal(z.shape, np.float32)


def held_out_batches(series: Series, held: np.ndarray, options: config.RNN) -> list[dict]:
    """What M is validated on, each time the same.

    A stream's M sees whole episodes, some side by side, of at most a hundred: the deaths that it is
    to foresee are at their ends. Another sees at most a hundred sequences from anywhere.
    """
    rng = np.random.default_rng([options.seed, 1 << 31])
    if options.planning_heads:
        sample = sampler(series, options)
        batches = [sample(held, rng) for _ in range(-(-CHECKS // options.batch_size))]
        return batches
    if not options.stream:
        rows = min(CHECKS, 4 * len(held))
        return [windows(series, held, rows, options.sequence_length, rng)]
    held = rng.permutation(held)[:CHECKS]
    held = held[np.argsort(series.length[held], kind="stable")]
    parts = np.array_split(held, -(-len(held) // 10))
    whole = int(series.length[held].max())
    return [windows(series, part, len(part), whole, rng, anywhere=False) for part in parts]


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


def main() -> None:
    run, cfg = cli.parse("rnn", __doc__)
    options = cfg.rnn
    workers.alone("rnn.train")
    check_options(options)
    path = runs.folder(run)
    series = load_series(path)
    train, held = split(series.seed, options.holdout)
    held = held if len(held) else train
    train, held = (newest(series, part, options.exp_replay_size) for part in (train, held))
    check_picture(options, int(series.length[held].max()))
    tf = runs.tensorflow(options.threads)
    import keras

    from rnn.model import make_rnn
    from rnn.pictures import draw_dreams
    from vae.model import load_vae

    folder = runs.claim(run, "rnn", cfg)
    runs.sweep(folder)
    (folder / "steps").mkdir(exist_ok=True)
    vae = load_vae(path, cfg.vae, "float32")
    keras.utils.set_random_seed(options.seed)
    rnn = make_rnn(series.mu.shape[1], series.action.shape[1], options)
    optimizer = keras.optimizers.Adam(options.learning_rate, clipvalue=options.clip)
    optimizer.build(rnn.trainable_variables)
    shape = (options.batch_size, options.hidden_size)
    carried = [tf.Variable(tf.zeros(shape)) for _ in range(2 if options.stream else 0)]
    variables = [*rnn.trainable_variables, *optimizer.variables, *carried]
    data = runs.fingerprint(path / "series" / "series.npz")
    state = {"step": 0, "best": math.inf, "seconds": 0.0, "vae": series.vae, "data": data}
    checkpoint = folder / "checkpoint.npz"
    if checkpoint.exists():
        state |= runs.load_checkpoint(checkpoint, variables)
    elif options.start_from:
        runs.start_from(rnn, options.start_from, "rnn")
    if state["vae"] != series.vae and not options.follow:
        raise runs.RunError(
            f"{folder} was trained on the latents of another V; delete it to train M anew"
        )
    if state["data"] != data:  # losses on other episodes cannot be compared
        state |= {"vae": series.vae, "data": data, "best": math.inf}
    runs.write_json(folder / "made_from.json", {"vae": series.vae})
    print(
        f"rnn: {int(series.length.sum()):,} steps of {len(series)} episodes, {len(held)} held out, "
        f"{rnn.count_params():,} parameters"
        + (f"; goes on at step {state['step'] + 1}" if state["step"] else "")
    )
    if not options.steps:
        runs.save_weights(rnn, folder / "rnn.weights.h5")
        print(f"done: {folder / 'rnn.weights.h5'}, untrained")
        return
    metrics = runs.Metrics(folder, "step", start=state["step"] + 1)
    train_step, validate_step = make_steps(rnn, optimizer, carried, options, series.bounds())
    check = held_out_batches(series, held, options)
    weights = [float(batch["mask"].sum()) for batch in check]
    progress = runs.Progress(options.steps, "steps", done=state["step"])
    losses, start, seen, stale = [], time.monotonic(), 0, 0
    for batch in read_ahead(draw_batches(series, train, options, state["step"]), size=2):
        step = state["step"] = state["step"] + 1
        optimizer.learning_rate.assign(learning_rate(options, step - 1))
        row = {k: float(v) for k, v in train_step(batch).items()}
        if not math.isfinite(row["loss"]):
            raise diverged(row["loss"], step)
        losses.append(row)
        seen += int(batch["mask"].sum())
        progress.add(1, f"loss {row['loss']:.4f}")
        if step % options.validate_every and step < options.steps:
            continue
        seconds = time.monotonic() - start
        rows = [{k: float(v) for k, v in validate_step(batch).items()} for batch in check]
        val = mean(rows, weights)
        if not math.isfinite(val["loss"]):
            raise diverged(val["loss"], step)
        better = val["loss"] < state["best"]
        stale = 0 if better else stale + 1
        if better:
            state["best"] = val["loss"]
            runs.save_weights(rnn, folder / "rnn.weights.h5")
        state["seconds"] += seconds
        metrics.write(
            step=step,
            **mean(losses),
            **{f"val_{k}": v for k, v in val.items()},
            learning_rate=learning_rate(options, step - 1),
            seconds=round(seconds, 1),
            steps_per_second=round(seen / seconds, 1),
        )
        runs.save_checkpoint(checkpoint, variables, **state)
        draw_dreams(vae, rnn, series, held, path, options, folder / "steps" / f"{step:06d}.png")
        print(
            f"step {step}/{options.steps}: loss {mean(losses)['loss']:.4f} · held out "
            f"{val['loss']:.4f} · {seen / seconds:,.0f} steps/s" + (" · best" if better else ""),
            flush=True,
        )
        losses, start, seen = [], time.monotonic(), 0
        if options.patience and stale >= options.patience:
            print(f"stopped: no progress for {options.patience} validations")
            break
    print(f"done: {folder / 'rnn.weights.h5'}")


if __name__ == "__main__":
    cli.run(main)
