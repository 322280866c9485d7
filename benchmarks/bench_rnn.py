"""M: training steps, with and without restarts of its state, beside PyTorch.

python -m benchmarks.bench_rnn                      batch 100, 500 steps, one thread
"""

from __future__ import annotations

import argparse

import numpy as np

import config
import runs
from benchmarks.side_by_side import interleave, report, torch_or_none


def batch_of(batch: int, length: int) -> dict[str, np.ndarray]:
    """Random sequences as `series.data.windows` makes them."""
    rng = np.random.default_rng(0)
    ones = np.ones((batch, length), np.float32)
    z = rng.standard_normal((batch, length + 1, 32), np.float32)
    return {
        "z": z,
        "action": rng.standard_normal((batch, length, 3), np.float32),
        "reward": 0 * ones,
        "done": 0 * ones,
        "mask": ones,
        "seen": z,
        "restart": 0 * ones,
        "fresh": np.float32(1),
    }


def our_step(data: dict, stream: bool):
    """A function that trains M by one batch, by Keras' LSTM or, of a stream, step by step."""
    import keras
    import tensorflow as tf

    from rnn.model import MDNRNN
    from rnn.train import make_steps

    model = MDNRNN(stream=stream)
    optimizer = keras.optimizers.Adam(1e-3, clipvalue=1.0)
    optimizer.build(model.trainable_variables)
    bounds = (data["z"].min((0, 1)), data["z"].max((0, 1)))
    carried = [tf.Variable(x) for x in model.zero_state(len(data["z"]))] if stream else []
    step, _ = make_steps(model, optimizer, carried, config.RNN(), bounds)
    return lambda: step(data)["loss"].numpy()


def torch_step(torch, data: dict):
    """A function that trains the same M in PyTorch by one batch."""
    lstm = torch.nn.LSTM(35, 256, batch_first=True)
    head = torch.nn.Linear(256, 480)
    parameters = [*lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, 1e-3)
    z, action = torch.from_numpy(data["z"]), torch.from_numpy(data["action"])

    def step():
        hidden, _ = lstm(torch.cat([z[:, :-1], action], -1))
        logits, mean, logstd = head(hidden).unflatten(-1, (32, 15)).chunk(3, -1)
        y = z[:, 1:, :, None]
        normal = -0.5 * ((y - mean) * (-logstd).exp()) ** 2 - logstd - 0.5 * np.log(2 * np.pi)
        loss = -torch.logsumexp(logits.log_softmax(-1) + normal, -1).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(parameters, 1.0)
        optimizer.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--batch", type=int, default=100, help="sequences (default: 100)")
    parser.add_argument("--length", type=int, default=500, help="steps (default: 500)")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions (default: 5)")
    args = parser.parse_args()
    runs.tensorflow(args.threads)
    torch = torch_or_none(args.threads)
    data = batch_of(args.batch, args.length)
    jobs = {"ours, a stream with restarts": our_step(data, True), "ours": our_step(data, False)}
    if torch:
        jobs["PyTorch"] = torch_step(torch, data)
    print(f"training M, {args.batch} sequences of {args.length} steps, {args.threads} threads")
    report(interleave(jobs, args.rounds), args.batch * args.length, "steps")


if __name__ == "__main__":
    main()
