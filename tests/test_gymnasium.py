"""Our games are environments of Gymnasium's, for its checkers, its wrappers and another library."""

from __future__ import annotations

import configparser
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers import vector as wrappers

import config
import envs
import runs
from envs import minatar_games
from tests.conftest import ROOT

IDS = [f"world-models/{name}-v0" for _, name in envs.GAMES.values()]


def test_registering_loads_nothing_heavy():
    code = "import sys, envs; print({'tensorflow', 'numba', 'cv2', 'pygame'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
    assert tuple(envs.GAMES) == config.GAMES


@pytest.mark.parametrize("name", IDS)
@pytest.mark.filterwarnings("ignore:builtin type [sS]wig")
def test_gymnasium_accepts_our_games(name):
    """A batch is what Gymnasium makes of single ones, to the bit."""
    env = gymnasium.make(name)
    check_env(env.unwrapped)
    env.close()
    by_hand = {"autoreset_mode": AutoresetMode.DISABLED}
    ones = gymnasium.make_vec(name, 2, vectorization_mode="sync", vector_kwargs=by_hand)
    batch = gymnasium.make_vec(name, 2, vectorization_mode="vector_entry_point")
    assert isinstance(batch, VectorEnv) and batch.metadata["autoreset_mode"] in AutoresetMode
    for which in ("observation_space", "action_space"):
        assert getattr(batch, which) == getattr(ones, which)
    batch.action_space.seed(0)
    answers = [(env.reset(seed=5), env.reset(seed=7))[1] for env in (ones, batch)]
    for _ in range(8):
        for obs, *_, info in answers:
            assert batch.observation_space.contains(obs)
            assert ("action_mask" in info) == (batch.mask is not None)
        for one, many in zip(*(answer[:-1] for answer in answers), strict=True):
            np.testing.assert_array_equal(one, many)
        if batch.over.any():  # then Gymnasium's own refuses to go on
            break
        actions = batch.action_space.sample()
        answers = [ones.step(actions), batch.step(actions)]
    ones.close()
    batch.close()


def test_games_are_started_by_hand():
    games = envs.load("breakout").make(3, "exact")
    assert games.over.all() and not games.step(np.zeros(3, int))[1].any()
    games.reset(seed=0)
    shared, _ = games.reset(seed=[4, 4, 9], options={"reset_mask": np.array([True, True, False])})
    assert shared is games.obs  # the live buffer
    np.testing.assert_array_equal(shared[0], shared[1])
    games.over[2] = True  # stands from now on
    while not games.over.all():
        _, _, ended, cut, _ = games.step(np.zeros(3, int))
    assert ended.tolist() == [True, True, False] and not cut.any()
    assert games.steps[0] == games.steps[1] > games.steps[2] == 0
    still = games.obs[:2].copy()
    _, reward, ended, cut, _ = games.step(np.zeros(3, int))
    assert not (reward[:2].any() or ended[:2].any() or cut[:2].any())
    np.testing.assert_array_equal(games.obs[:2], still)
    with pytest.raises(ValueError, match="one a game"):
        games.reset(options={"reset_mask": np.ones(2, bool)})
    with pytest.raises(ValueError, match="2 seeds for 3 games"):
        games.reset(seed=[1, 2])
    games.start(0, 1)
    with pytest.raises(runs.RunError, match="no such action"):
        games.step(np.array([0, 0, 6]))


def test_without_a_seed_a_game_goes_on_from_its_last():
    """What follows depends on the seed before, not on the other games or on how long they were."""
    games, other = (envs.load("catch").make(n) for n in (2, 1))
    games.reset(seed=3)
    other.reset(seed=4)
    games.step(np.zeros(2, int))
    first = games.reset()[0][1].copy()
    np.testing.assert_array_equal(first, other.reset()[0][0])
    assert not np.array_equal(games.reset()[0][1], first)
    fresh = [envs.load("catch").make(4).reset()[0] for _ in range(2)]
    assert not np.array_equal(*fresh)


@pytest.mark.parametrize("name", minatar_games.SPECS)
def test_minatars_cells_are_the_packages(name):
    """And its two protocols: which actions, how sticky, and how long."""
    hidden = {"breakout": [2], "asterix": [2], "freeway": [2, 3, 4, 5, 6]}
    hidden |= {"space_invaders": [2, 3], "seaquest": [3]}
    spec = envs.load(name)
    whole, part, drawn = (
        spec.make(2, "exact", view=view, actions="minimal", cap=6, **more)
        for view, more in (("cells", {}), ("cells", {"partial": True}), ("pixels", {}))
    )
    space = whole.single_observation_space
    channels = whole.games[0].state_shape()[2]
    assert space.shape == (10, 10, channels) and space.dtype == bool
    assert whole.single_action_space.n == len(whole.games[0].minimal_action_set())
    assert whole.game.action_size == whole.single_action_space.n
    for games in (whole, part, drawn):
        games.reset(seed=1)
    for step in range(6):
        for i in range(2):
            np.testing.assert_array_equal(whole.obs[i], whole.games[i].state())
            np.testing.assert_array_equal(whole.pixels(i), drawn.obs[i])
        np.testing.assert_array_equal(np.delete(whole.obs, hidden[name], -1), part.obs)
        np.testing.assert_array_equal(whole.picture(), drawn.picture())
        action = np.full(2, step % whole.game.action_size)
        _, _, _, cut, _ = [games.step(action) for games in (whole, part, drawn)][0]
        chosen = whole.games[0].minimal_action_set()[action[0]]
        assert whole.last == [chosen, chosen]
    assert (cut | whole.over).all() and whole.steps.max() == 6
    native = spec.make(1, "sticky", actions="minimal", cap=0)
    assert native.longest == np.inf and native.repeat == 0.1
    assert spec.make(1, "exact", sticky=0.3, cap=1000, max_steps=7).max_steps == 7
    for words in ({"actions": "some"}, {"colour": 1}, {"view": "vector"}):
        with pytest.raises(runs.RunError, match=f"{name} has no"):
            spec.make(1, **words)


def neat_config(path, inputs: int, outputs: int, population: int):
    """NEAT's settings: networks without hidden units at first, which change often."""
    import neat

    number = {
        "init_mean": 0, "init_stdev": 1, "init_type": "gaussian", "max_value": 9, "min_value": -9,
        "mutate_power": 0.5, "mutate_rate": 0.3, "replace_rate": 0.02,
    }  # fmt: skip
    genome = {
        f"{part}_{name}": value
        for part in ("bias", "response", "weight", "time_constant")
        for name, value in number.items()
    }
    for part, only in {"activation": "tanh", "aggregation": "sum"}.items():
        genome |= {f"{part}_default": only, f"{part}_options": only, f"{part}_mutate_rate": 0}
    genome |= {
        "enabled_default": True, "enabled_mutate_rate": 0, "enabled_rate_to_true_add": 0,
        "enabled_rate_to_false_add": 0, "conn_add_prob": 0.2, "conn_delete_prob": 0.1,
        "node_add_prob": 0.1, "node_delete_prob": 0.1, "single_structural_mutation": False,
        "structural_mutation_surer": "default", "compatibility_disjoint_coefficient": 1,
        "compatibility_weight_coefficient": 0.5, "compatibility_excess_coefficient": "auto",
        "compatibility_include_node_genes": True, "compatibility_enable_penalty": 1,
        "feed_forward": True, "initial_connection": "full_direct", "num_hidden": 0,
        "num_inputs": inputs, "num_outputs": outputs,
    }  # fmt: skip
    parser = configparser.ConfigParser()
    parser.read_dict(
        {
            "NEAT": {
                "pop_size": population, "fitness_criterion": "max", "fitness_threshold": 0,
                "reset_on_extinction": True, "no_fitness_termination": True, "seed": 1,
            },
            "DefaultGenome": genome,
            "DefaultSpeciesSet": {"compatibility_threshold": 3},
            "DefaultStagnation": {
                "species_fitness_func": "max", "max_stagnation": 20, "species_elitism": 2
            },
            "DefaultReproduction": {
                "elitism": 2, "survival_threshold": 0.2, "min_species_size": 2
            },
        }
    )  # fmt: skip
    with open(path, "w") as file:
        parser.write(file)
    kinds = neat.DefaultReproduction, neat.DefaultSpeciesSet, neat.DefaultStagnation
    return neat.Config(neat.DefaultGenome, *kinds, str(path))


def test_another_librarys_agent_learns_in_our_vector_environment(tmp_path):
    """NEAT (neat-python) learns to catch: every network of a generation plays one game of a batch,
    and sees, through a wrapper of Gymnasium's, how far the ball is from the paddle."""
    import neat

    def way(obs):  # blue is the ball's alone, below the marks; green in the last row
        ball, paddle = obs[:, 2:, :, 2].max(1).argmax(1), obs[:, 56:62, :, 1].max(1).argmax(1)
        return ((ball - paddle) / 16).astype(np.float32)[:, None]

    n, means = 30, []
    env = gymnasium.make_vec("envs:world-models/Catch-v0", num_envs=n)
    spaces = Box(-4, 4, (1,), np.float32), Box(-4, 4, (n, 1), np.float32)
    env = wrappers.TransformObservation(env, way, spaces[1], spaces[0])
    env = wrappers.RecordEpisodeStatistics(env)

    def play(genomes, settings):
        networks = [neat.nn.FeedForwardNetwork.create(genome, settings) for _, genome in genomes]
        obs, _ = env.reset(seed=[7] * n)
        total, over = np.zeros(n), np.zeros(n, bool)
        while not over.all():
            chosen = [
                int(np.argmax(net.activate(x))) for net, x in zip(networks, obs, strict=False)
            ]
            actions = np.array(chosen + [1] * (n - len(chosen)))
            obs, reward, ended, cut, _ = env.step(actions)
            total, over = total + reward, over | ended | cut
        for (_, genome), score in zip(genomes, total, strict=False):
            genome.fitness = float(score)
        means.append(total[: len(genomes)].mean())

    settings = neat_config(tmp_path / "neat.ini", 1, env.single_action_space.n, n - 4)
    neat.Population(settings).run(play, 6)
    assert means[-1] > means[0] + 2, means
    env.close()
