"""Watch or drive: an agent or the keyboard, in the game or in the dream, to a video or a window.

A scene is painted as pictures, uint8 (400, 800, 3): the game as it draws itself for people, beside
it what the agent sees (above) and what V makes of its z (below). A dream has only the last, large;
side by side, it stands right of what the agent sees of the game.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

import config
import envs
from controller.agent import Agent, Controller, valid_of
from controller.rollout import Pilot
from envs.batch import Batch
from envs.spec import Spec
from record import driver
from record.driver import Notes, Turn, make_games, play
from rnn.dream import Dream
from rnn.dream_games import DreamGames
from runs.video import Closed, Video, Window, big, write_on
from vae.model import to_uint8

Decode = Callable[[np.ndarray], Any]  # V's: z (k, Z) to frames (k, 64, 64, 3)
Show = Callable[[np.ndarray], None]  # takes a picture
Ask = Callable[[np.ndarray], Any]  # the keyboard: valid actions (A or 0,) to an action of the game
Start = tuple[np.ndarray, np.ndarray]  # z (1, Z) and valid actions (1, A or 0)


class Scene(NamedTuple):
    """Who plays where, and how that looks. The agent notes `z`."""

    games: Batch
    agent: driver.Agent
    paint: Callable[[Turn], np.ndarray]


class Actors(Protocol):
    """What there is to see of a run."""

    game: Spec
    longest: int  # steps of a dream

    def awake(self) -> Scene:
        """The agent in the game."""

    def asleep(self, start: Start | None = None) -> Scene:
        """The agent in the dream of it, from `start` on or from a recorded frame."""


def decoded(decode: Decode, z: np.ndarray) -> np.ndarray:
    """What V makes of z (1, Z): uint8 (64, 64, 3)."""
    return to_uint8(decode(z)[0])


def paint_game(games: Batch, decode: Decode, turn: Turn) -> np.ndarray:
    """Paint a step of the genuine game."""
    seen, inner = games.obs[0], decoded(decode, turn.notes["z"])
    side = np.concatenate([big(seen, 200, 200), big(inner, 200, 200)])
    picture = np.ascontiguousarray(np.concatenate([games.picture(), side], axis=1))
    return write_on(picture, f"seed {games.seeds[0]}   {told(games, turn)}")


def paint_dream(games: DreamGames, turn: Turn) -> np.ndarray:
    """Paint a step of a dream."""
    picture = np.zeros((400, 800, 3), np.uint8)
    picture[:, 200:600] = big(games.pixels(0), 400, 400)
    return write_on(picture, f"dream {games.seeds[0]}   {told(games, turn)}")


def told(games: Batch, turn: Turn) -> str:
    """The step, and the return so far, if what is played pays any."""
    dreamt = games if isinstance(games, DreamGames) else None
    pays = dreamt is None or dreamt.dream.rnn.reward_head or dreamt.dream.living_reward
    return f"step {turn.length[0]}" + (f"   return {turn.total[0]:.0f}" if pays else "")


def act_out(
    scene: Scene, seed: int, show: Show, ask: Ask | None = None, steps: float = math.inf
) -> None:
    """Play one episode, and show a picture of every step, at most `steps`.

    `ask` says what is played instead.
    """
    games = scene.games

    def watch(turn: Turn) -> np.ndarray | None:
        show(scene.paint(turn))
        return None if ask is None else games.game.one_hot(np.array([ask(valid_of(games)[0])]))

    list(play(games, scene.agent, [seed], watch=watch, budget=steps))


def side_by_side(actors: Actors, seed: int, show: Show) -> None:
    """Show the agent in the game, as it sees it, and its dream from the same frame on.

    Each goes its own way; the one that ends first stays, darkened.
    """
    begun: list[Start] = []

    def frames(scene: Scene, name: str) -> list[tuple[np.ndarray, str]]:
        """Play an episode; return of each step what V is shown, or made, and what is told of it."""
        seen: list[tuple[np.ndarray, str]] = []

        def watch(turn: Turn) -> None:
            if not begun:
                begun.append((turn.notes["z"].copy(), valid_of(scene.games).copy()))
            seen.append((scene.games.pixels(0).copy(), f"{name}   {told(scene.games, turn)}"))

        list(play(scene.games, scene.agent, [seed], watch=watch, budget=actors.longest))
        return seen

    awake = frames(actors.awake(), "game")
    asleep = frames(actors.asleep(begun[0]), "dream")
    pictures = [np.zeros((400, 400, 3), np.uint8)] * 2
    for pair in itertools.zip_longest(awake, asleep):
        for side, now in enumerate(pair):
            if now is not None:
                pictures[side] = write_on(big(now[0], 400, 400), now[1])
        on = [p if now else p // 2 for p, now in zip(pictures, pair, strict=True)]
        show(np.concatenate(on, axis=1))


class Sleeper:
    """C as an agent in its own dream, in which M is the world: an agent of one of DreamGames."""

    def __init__(self, controller: Controller, params: np.ndarray):
        self.act_on = tf.function(controller.act)
        self.weights, self.size = params[None].astype(np.float32), controller.action_size

    def begin(self, slot: int, number: int, seed: int) -> None:
        pass

    def act(self, games: DreamGames, at: np.ndarray) -> tuple[np.ndarray, Notes]:
        known = games.obs, games.h, games.c, valid_of(games), games.noise[:, : self.size]
        vectors = self.act_on(*(x[at] for x in known), self.weights)
        return vectors.numpy(), {"z": games.obs[at]}


class Controlled:
    """V, M and C with params (P,), in the game (`engine`, or the official one) and in the dream."""

    def __init__(
        self,
        cfg: config.Config,
        agent: Agent,
        params: np.ndarray,
        dream: Dream | None = None,
        engine: str | None = None,
    ):
        self.cfg, self.agent, self.params, self.dream = cfg, agent, params, dream
        self.game = envs.load(cfg.game)
        self.engine = engine or self.game.official
        self.longest = dream.max_steps if dream else 0

    def awake(self) -> Scene:
        games = make_games(self.cfg, 1, self.engine)
        paint = functools.partial(paint_game, games, self.agent.vae.decode)
        return Scene(games, Pilot(self.agent, self.params[None], 1), paint)

    def asleep(self, start: Start | None = None) -> Scene:
        games = DreamGames(self.game, self.dream, self.agent.vae.decode, start=start)
        agent = Sleeper(self.agent.controller, self.params)
        return Scene(games, agent, functools.partial(paint_dream, games))


def watch(path: Path, actors: Actors, args: argparse.Namespace) -> None:
    """Show the game or the dream, in a window, or as a video of one episode."""
    scenes = actors.asleep if args.dream else actors.awake
    if args.video:
        file = path / ("dream.mp4" if args.dream else "drive.mp4")
        with Video(file, actors.game.fps) as video:
            if args.dream:
                side_by_side(actors, args.seed, video.show)
            else:
                act_out(scenes(), args.seed, video.show, steps=args.steps)
        print(f"{video.count} frames written to {file}")
        return
    title = f"{path.name}: {'dream' if args.dream else 'game'}"
    game = actors.game
    window = Window(title, game.keys, game.action_size, game.fps)
    scene = scenes()
    try:
        for seed in range(args.seed, args.seed + args.episodes):
            act_out(scene, seed, window.show, window.ask if args.play else None, args.steps)
    except Closed:
        pass
