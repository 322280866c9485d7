"""V: training steps and encoding, beside PyTorch.

python -m benchmarks.bench_vae --threads 2
python -m benchmarks.bench_vae --threads 1
"""

from __future__ import annotations

import argparse

import numpy as np

import config
import runs
from benchmarks.side_by_side import interleave, report, torch_or_none


def torch_vae(torch, z_size: int = 32):
    """The same network in PyTorch: (encoder, decoder)."""
    nn = torch.nn

    def relus(layers):
        return [m for layer in layers for m in (layer, nn.ReLU())]

    sizes = (3, 32, 64, 128, 256)
    down = [nn.Conv2d(i, o, 4, stride=2) for i, o in zip(sizes[:-1], sizes[1:], strict=True)]
    encoder = nn.Sequential(*relus(down), nn.Flatten(), nn.Linear(1024, 2 * z_size))
    shapes = ((1024, 128, 5), (128, 64, 5), (64, 32, 6))
    up = [nn.ConvTranspose2d(i, o, k, stride=2) for i, o, k in shapes]
    last = nn.ConvTranspose2d(32, 3, 6, stride=2)
    start = [nn.Linear(z_size, 1024), nn.Unflatten(1, (1024, 1, 1))]
    return encoder, nn.Sequential(*start, *relus(up), last, nn.Sigmoid())


def torch_step(torch, obs: np.ndarray):
    """A function that trains PyTorch's VAE by one batch."""
    encoder, decoder = torch_vae(torch)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, 1e-4)
    batch = torch.from_numpy(obs)

    def step():
        x = batch.permute(0, 3, 1, 2).float() / 255
        mu, logvar = encoder(x).chunk(2, 1)
        z = mu + (logvar / 2).exp() * torch.randn_like(mu)
        recon = ((x - decoder(z)) ** 2).sum((1, 2, 3)).mean()
        kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1)
        optimizer.zero_grad()
        (recon + kl.clamp(min=16).mean()).backward()
        optimizer.step()

    return step


def torch_encode(torch, obs: np.ndarray):
    """A function that encodes one batch with PyTorch."""
    encoder, _ = torch_vae(torch)
    batch = torch.from_numpy(obs)

    def encode():
        with torch.no_grad():
            encoder(batch.permute(0, 3, 1, 2).float() / 255)

    return encode


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--rounds", type=int, default=9, help="repetitions (default: 9)")
    args = parser.parse_args()
    runs.tensorflow(args.threads)
    from series.encode import make_encoder
    from vae.adam import Adam
    from vae.layers import precision
    from vae.model import ConvVAE
    from vae.train import make_steps

    torch = torch_or_none(args.threads)
    rng = np.random.default_rng(0)
    obs = rng.integers(0, 256, (256, 64, 64, 3), dtype=np.uint8)
    steps, encoders = {}, {}
    for policy in sorted({"float32", precision("auto")}):
        name = policy.removeprefix("mixed_")
        vae = ConvVAE(32, policy)
        optimizer = Adam(1e-4)
        optimizer.build(vae.trainable_variables)
        step, _ = make_steps(vae, optimizer, config.VAE())
        steps[f"ours, {name}"] = lambda step=step: step(obs[:100], (0, 0)).numpy()
        encode = make_encoder(vae, 256)
        encoders[f"ours, {name}"] = lambda encode=encode: encode(obs)
    if torch:
        steps["PyTorch, float32"] = torch_step(torch, obs[:100])
        encoders["PyTorch, float32"] = torch_encode(torch, obs)
    print(f"training step, batch 100, {args.threads} threads")
    report(interleave(steps, args.rounds), 100, "images")
    print(f"\nencoding, batch 256, {args.threads} threads")
    report(interleave(encoders, args.rounds), 256, "images")


if __name__ == "__main__":
    main()
