"""Any game of Gymnasium's, and any of one's own, is a game here."""

from __future__ import annotations

import json

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

import envs
import runs
from envs import gymnasium_games, pictures
from record.episodes import load_episode
from tests.conftest import commands


class Own(gymnasium.Env):
    """A game that a test describes: its observations are all `shown`; it is over after `length`."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, shown, space, actions=None, length=3, cut=False, render_mode=None):
        self.shown, self.observation_space, self.length, self.cut = shown, space, length, cut
        self.action_space = Discrete(2) if actions is None else actions
        self.render_mode, self.played = render_mode, []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.played.clear()
        return self.shown, {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.played.append(action)
        over = len(self.played) == self.length
        return self.shown, 0.5, over and not self.cut, over and self.cut, {}

    def render(self):
        return np.full((20, 30, 3), 7, np.uint8)


class Blind(Own):
    """The same without a picture of its own."""

    metadata = {"render_modes": []}


@pytest.fixture
def own():
    """Registers a game and returns its spec; it is forgotten afterwards."""
    made = []

    def register(*what, entry=Own, limit=None, **more):
        name = f"Own{len(made)}-v0"
        made.append(name)
        words = dict(zip(("shown", "space"), what, strict=False)) | more
        gymnasium.register(name, entry_point=entry, kwargs=words, max_episode_steps=limit)
        gymnasium_games.load.cache_clear()
        return envs.load(name)

    yield register
    for name in made:
        del gymnasium.registry[name]


PICTURE = np.arange(20 * 30 * 3).reshape(20, 30, 3).astype(np.uint8)


@pytest.mark.parametrize("shape", [(20, 30, 3), (20, 30, 1), (20, 30)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
def test_a_picture_is_seen_as_it_is(shape, kind, own):
    shown = PICTURE[..., : shape[2] if len(shape) == 3 else 1].reshape(shape)
    high = 255 if kind == np.uint8 else 1
    spec = own((shown / 255).astype(kind) if high == 1 else shown, Box(0, high, shape, kind))
    games = spec.make(2)
    games.reset(seed=0)
    want = np.repeat(shown.reshape(20, 30, -1), 3 // (shown.size // 600), 2)
    rows, columns = np.arange(64) * 20 // 64, np.arange(64) * 30 // 64  # nearest, since it is small
    np.testing.assert_array_equal(games.obs[1], want[rows][:, columns])
    assert (spec.make(1, view="render").reset(seed=0)[0] == 7).all()
    picture = games.picture()
    assert picture.shape == (400, 600, 3) and (picture[:400, :600] == 7).all()


def test_pictures_keep_their_shape_for_people():
    tall = pictures.framed(np.full((800, 400, 3), 9, np.uint8))
    assert (tall[:, 200:400] == 9).all() and tall.sum() == 9 * 400 * 200 * 3


def test_actions_reach_the_game_in_its_own_form(own):
    square = Box(np.float32([[-1, 0], [2, -4]]), np.float32([[1, 1], [5, 4]]))
    spec = own(PICTURE, Box(0, 255, (20, 30, 3), np.uint8), actions=square)
    assert (spec.action_size, spec.discrete, spec.squash) == (4, False, "scale")
    games = spec.make(1)
    games.reset(seed=0)
    games.step(np.float32([[0.5, 9, 2, -9]]))
    np.testing.assert_array_equal(games.games[0].unwrapped.played, [[[0.5, 1], [2, -4]]])
    for maker in spec.policies.values():
        policy = maker(np.random.default_rng(0))
        drawn = np.stack([policy(games) for _ in range(200)])
        assert spec.action_space.contains(drawn.min(0)) and spec.action_space.contains(drawn.max(0))
        assert (drawn.std(0) > 0.05).all()
    from controller.agent import squash_of

    raw = np.float32([[-1, -1, -1, -1], [1, 1, 1, 1], [0, 0, 0, 0]])
    np.testing.assert_allclose(
        squash_of(spec)(raw), [[-1, 0, 2, -4], [1, 1, 5, 4], [0, 0.5, 3.5, 0]]
    )
    late = own(PICTURE, Box(0, 255, (20, 30, 3), np.uint8), actions=Discrete(3, start=-1))
    games = late.make(1)
    games.reset(seed=0)
    games.step(np.array([2]))
    assert games.games[0].unwrapped.played == [1] and late.keys.pressed == {"0": 0, "1": 1, "2": 2}


def test_an_episode_is_as_long_as_the_game_or_the_option_says(own):
    space = Box(0, 255, (20, 30, 3), np.uint8)

    def ends(spec, **options):
        games, out = spec.make(1, **options), []
        games.reset(seed=0)
        while not games.over[0]:
            _, _, ended, cut, _ = games.step(np.zeros(1, int))
            out.append((bool(ended[0]), bool(cut[0])))
        return len(out), out[-1]

    assert ends(own(PICTURE, space, length=5)) == (5, (True, False))
    assert ends(own(PICTURE, space, length=5, cut=True)) == (5, (False, True))
    assert ends(own(PICTURE, space, length=5, limit=4)) == (4, (False, True))
    assert ends(own(PICTURE, space, length=5, limit=5)) == (5, (True, False))
    assert ends(own(PICTURE, space, length=5), max_steps=3) == (3, (False, True))
    endless = own(PICTURE, space, length=1200)
    assert endless.max_steps == 1000 and ends(endless) == (1000, (False, True))


def test_classic_games_are_gymnasiums_own():
    """Rendered, and as vectors; a copy of a game goes on as the game does."""
    spec, rng = envs.load("CartPole-v1"), np.random.default_rng(0)
    assert (spec.max_steps, spec.solved, spec.action_size) == (500, 475, 2)
    theirs = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    games, vectors = spec.make(2), spec.make(2, view="vector")
    obs, _ = theirs.reset(seed=6)
    for batch in (games, vectors):
        batch.reset(seed=[5, 6])
    over = False
    while not over:
        np.testing.assert_array_equal(vectors.obs[1], obs)
        np.testing.assert_array_equal(games.obs[1], pictures.seen(theirs.render()))
        action = rng.integers(2)
        obs, reward, over, *_ = theirs.step(action)
        for batch in (games, vectors):
            said = batch.step(np.full(2, action))
            assert (said[1][1], said[2][1]) == (reward, over)
    games.reset(seed=1)
    saved, actions = games.save(0), rng.integers(2, size=5)
    lines = []
    for i in (0, 1, 0):
        games.over[:] = True
        games.load(i, saved)
        lines.append([games.step(np.full(2, a))[0][i].copy() for a in actions])
    np.testing.assert_array_equal(lines[0], lines[1])
    np.testing.assert_array_equal(lines[0], lines[2])
    swing = envs.load("Pendulum-v1")
    assert (swing.max_steps, swing.action_space.high.tolist()) == (200, [2])
    assert swing.keys.pressed == {"left": [-2], "right": [2]} and swing.keys.rest == [0]


def test_what_cannot_be_copied_cannot_be_searched():
    games = envs.load("LunarLander-v3").make(1, view="vector")
    games.reset(seed=0)
    for batch in (games, envs.load("binpacking").make(1)):
        with pytest.raises(runs.RunError, match="no search can step through it"):
            batch.save(0)


VECTOR = Box(-1, 1, (3,), np.float32)
REFUSED = {
    "MultiDiscrete": ({"actions": MultiDiscrete([2, 2])}, "only Discrete and a Box"),
    "whole": ({"actions": Box(0, 9, (2,), np.int64)}, "only Discrete and a Box"),
    "endless": ({"actions": Box(-np.inf, np.inf, (2,))}, "without bounds"),
    "blind": ({"entry": Blind}, "has no picture"),
    "Dict": ({"space": Dict(a=VECTOR)}, "shows a Dict"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_work_is_one_sentence(what, own):
    words, said = REFUSED[what]
    with pytest.raises(runs.RunError, match=said) as error:
        own(**({"shown": np.zeros(3, np.float32), "space": VECTOR} | words)).make(1)
    assert "\n" not in str(error.value)


def test_a_game_that_nobody_knows_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "torn_module.py").write_text("import nothing_of_the_kind")
    for name, said in {
        "CartPol-v1": "Did you mean: `CartPole`",
        "torn_module:My-v0": "No module named 'nothing_of_the_kind'",
        "no_module:My-v0": "no_module cannot be imported",
    }.items():
        with pytest.raises(runs.RunError, match=said):
            envs.load(name)


MODULE = """
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class Walk(gymnasium.Env):
    \"\"\"Walk along twelve cells; the right end earns 1, and either ends the game.\"\"\"

    def __init__(self, render_mode=None):
        self.observation_space = Box(0, 1, (12, 12), np.float32)
        self.action_space = Discrete(2)

    def show(self):
        picture = np.zeros((12, 12), np.float32)
        picture[5:7, self.at] = 1
        return picture

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = int(self.np_random.integers(4, 8))
        return self.show(), {}

    def step(self, action):
        self.at += 2 * int(action) - 1
        return self.show(), float(self.at == 11), self.at in (0, 11), False, {}


gymnasium.register("Walk-v0", entry_point=Walk, max_episode_steps=40)
"""


TOY, ALONE = ("--preset", "toy"), ("--workers", "1")


def stages(game, *more):
    """Commands of the five stages of a game at toy size; `more` are words of the last one."""
    return [
        ("-m", "record.extract", game, *TOY, *ALONE, "--max-steps", "20"),
        ("-m", "vae.train", game),
        ("-m", "series.encode", game),
        ("-m", "rnn.train", game),
        ("train.py", game, *ALONE, *more),
    ]


def test_the_pipeline_of_a_game_that_is_not_ours(tmp_path):
    """It is rendered, and takes numbers: all stages, its score, a video, what its C plays."""
    game = "Pendulum-v1"
    steps = stages(game, "--max-steps", "20")
    commands(
        *steps,
        ("evaluate.py", f"log/{game}", "--episodes", "2", *ALONE, "--baselines"),
        ("evaluate.py", f"log/{game}", "--video"),
        (*steps[0], "--run", "second", "--policy", "controller", "--source", game),
        cwd=tmp_path,
    )
    log = tmp_path / "log"
    result = json.loads((log / game / "result.json").read_text())
    assert result["engine"] == "gymnasium" and "gymnasium" in result["versions"]
    assert result["baselines"]["random"]["mean"] < -100 and set(result["lengths"]) == {200}
    assert (log / game / "drive.mp4").stat().st_size > 1000
    played = load_episode(log / "second" / "record" / "0.npz")
    assert played.action.dtype == np.float32 and np.abs(played.action).max() <= 2
    assert played.obs.shape == (21, 64, 64, 3) and played.obs.std() > 1


def test_the_pipeline_of_a_game_of_ones_own(tmp_path):
    """A module beside the run registers it: all stages in the dream, and AlphaZero's loop."""
    (tmp_path / "own.py").write_text(MODULE)
    loop = ("--max-iter", "1", "--vae-growth", "0")
    commands(
        *stages("own:Walk-v0", "--in", "dream"),
        ("train_alphazero.py", "own:Walk-v0", "--run", "planned", *TOY, *loop),
        ("evaluate.py", "log/planned", "--episodes", "2"),
        cwd=tmp_path,
    )
    for file in (tmp_path / "log/Walk-v0/record").glob("*.npz"):
        played = load_episode(file)
        assert played.action.dtype == np.int32 and {*played.action.tolist()} <= {0, 1}
        lit = (played.obs > 0).any(-1).sum((1, 2))  # two cells of twelve: 57 pixels, and edges
        assert lit.min() >= 50 and lit.max() <= 70
    assert (tmp_path / "log/Walk-v0/controller/controller.npz").exists()
    assert json.loads((tmp_path / "log/planned/result.json").read_text())["episodes"] == 2
