"""Dreams: where they start, when they end, what they depend on; and as Gymnasium environments."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from gymnasium.utils.env_checker import check_env

import rnn.dream_env  # registers the dream
import runs
from controller.rollout import dream_rollout
from rnn.dream import Dream
from rnn.model import MDNRNN
from series.encode import starts_of
from tests.conftest import make_series

assert rnn.dream_env


def make_dream(model, bounds=None, **options):
    starts = {} if bounds is None else {"low": -bounds, "high": bounds}
    starts |= {
        "mu": np.zeros((5, 3)),
        "logvar": np.zeros((5, 3)),
        "mask": np.ones((5, model.mask_head * model.action_size), bool),
    }
    return Dream(model, starts, **options)


def dream(model, policy, seeds, n, **options):
    world = make_dream(model, **options)
    params = np.zeros((len(seeds), 1), np.float32)
    return dream_rollout(world, world.make_chunk(policy), params, np.array(seeds), n)


def test_a_dream_depends_on_its_seed_alone_and_ends_when_m_says_so():
    model = MDNRNN(3, 2, 8, reward_head=True, done_head=True)
    policy = lambda z, h, c, valid, noise, params: z[:, :2] + noise  # noqa: E731
    together = dream(model, policy, [4, 5, 6, 7, 8], 4, max_steps=120, done_threshold=0.9999)
    alone = dream(model, policy, [7], 1, max_steps=120, done_threshold=0.9999)
    assert together.lengths.tolist() == [120] * 5
    np.testing.assert_allclose(together.returns[3], alone.returns[0], rtol=1e-4)
    assert len(set(together.returns.round(3))) == 5
    bias = model.head.bias.numpy()
    bias[-1] = 50  # the done logit
    model.head.bias.assign(bias)
    assert dream(model, policy, [1, 2, 3], 2, max_steps=120).lengths.tolist() == [1, 1, 1]
    bias[-1] = 0
    model.head.bias.assign(bias)
    model.head.kernel.assign(tf.zeros_like(model.head.kernel))
    drawn = dream(model, policy, range(300), 300, max_steps=120, done_threshold=0).lengths
    assert abs(drawn.mean() - 2) < 0.3  # a coin is tossed at every step
    # Ends that weighed 9 times in the loss have learned odds of 1 for a chance of 1 in 10.
    drawn = dream(model, policy, range(300), 300, max_steps=120, done_threshold=0, done_weight=9)
    assert abs(drawn.lengths.mean() - 10) < 2
    drawn = dream(model, policy, range(300), 300, max_steps=120, done_threshold=0, danger=3)
    assert abs(drawn.lengths.mean() - 4 / 3) < 0.2
    for wrong in ({"temperature": 0}, {"done_threshold": 1}):
        with pytest.raises(runs.RunError, match=next(iter(wrong))):
            make_dream(model, **wrong)


def test_where_dreams_start():
    """At first frames, or at any that is not an episode's last."""
    series = make_series([5, 20, 11, 7])
    arrays = {name: getattr(series, name) for name in ("mu", "logvar", "mask", "offset", "length")}
    arrays["mu"][:] = np.arange(len(series.mu))[:, None]
    starts = starts_of(arrays)
    assert starts["mu"][:, 0].tolist() == series.offset.tolist()
    lasts = series.offset + series.length
    assert starts["low"].tolist() == [0, 0] and set(starts["high"]) == {len(series.mu) - 1}
    assert sorted(starts["any_mu"][:, 0]) == sorted(set(range(len(series.mu))) - set(lasts))


def test_a_dream_stays_within_what_was_recorded():
    """Where the head sends z ever farther away, it stops at the recorded bounds."""
    model = MDNRNN(3, 2, 8, head_units=4)
    model.head.bias.assign(model.head.bias + 50)
    world = make_dream(model)
    zero = (np.zeros((2, 3), np.float32), model.zero_state(2), np.zeros((2, 2), np.float32))
    noise = np.zeros((2, world.noise_size), np.float32)
    assert (world.advance(*zero, noise)[0].numpy() > 10).all()
    world = make_dream(model, bounds=np.array([0.5, 1.0, 2.0]))
    np.testing.assert_array_equal(world.advance(*zero, noise)[0], [[0.5, 1.0, 2.0]] * 2)


def test_a_dreams_mask_is_what_m_predicts():
    model = MDNRNN(3, 4, 8, mask_head=True)
    bias = model.valid_head.bias.numpy()
    bias[-4:] = -50, 50, -50, -50
    model.valid_head.bias.assign(bias)
    seen = []

    def policy(z, h, c, valid, noise, params):
        tf.py_function(lambda v: seen.append(v.numpy()), [valid], [])
        return tf.one_hot(tf.argmax(tf.cast(valid, tf.int32), -1), 4)

    dream(model, policy, [1, 2], 2, max_steps=3)
    assert seen[0].all() and all((v == [False, True, False, False]).all() for v in seen[1:])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("observation", ["z", "zh", "frame"])
def test_dream_is_a_gymnasium_environment(in_toy, observation):
    env = gymnasium.make(
        "WorldModelDream-v0", run="toy", observation=observation, max_steps=20, temperature=1.15
    )
    check_env(env.unwrapped, skip_render_check=True)
    traces = []
    for _ in range(2):
        obs, _ = env.reset(seed=3)
        env.action_space.seed(3)
        steps = [env.step(env.action_space.sample()) for _ in range(5)]
        traces.append(np.stack([obs, *(s[0] for s in steps)]))
    np.testing.assert_array_equal(*traces)


def test_dream_vector_env_starts_anew_after_the_end(in_toy):
    envs = gymnasium.make_vec(
        "WorldModelDream-v0",
        3,
        vectorization_mode="vector_entry_point",
        run="toy",
        max_steps=4,
        done_threshold=0.999999,
        render_mode="rgb_array",
    )
    obs, _ = envs.reset(seed=1)
    assert obs.shape == (3, 32) and envs.render().shape == (3, 64, 64, 3)
    cut = [envs.step(envs.action_space.sample())[3].all() for _ in range(10)]
    assert cut == [False, False, False, True, False, False, False, False, True, False]
