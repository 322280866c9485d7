"""The game FastCarRacing-v3: Gymnasium's CarRacing-v3 with another drawing of its observations.

Physics, tracks, rewards and ends of episodes are bit-identical to gymnasium.make("CarRacing-v3").
"""

from __future__ import annotations

import math

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.box2d.car_racing import (
    FPS,
    PLAYFIELD,
    SCALE,
    ZOOM,
    CarRacing,
)
from gymnasium.error import InvalidAction

from fast_carracing.drawing import RED, TILE, TILES, WHITE, Painter, draw_indicators, score_picture
from fast_carracing.kernels import OBS_W
from fast_carracing.physics import Contacts, FastCar


class FastCarRacing(CarRacing):
    """CarRacing-v3 with the same physics, tracks and rewards, and observations drawn fast.

    Args:
        rows: 96 for Gymnasium's frame; 84 leaves out the indicator bar.
        render_mode, verbose, lap_complete_percent, continuous: as in Gymnasium. render() draws
            with Gymnasium's own renderer.
        domain_randomize: must be False.

    Raises:
        ValueError: rows is neither 84 nor 96, or domain_randomize is True.
    """

    def __init__(
        self,
        render_mode: str | None = None,
        verbose: bool = False,
        lap_complete_percent: float = 0.95,
        domain_randomize: bool = False,
        continuous: bool = True,
        rows: int = 96,
    ):
        if rows not in (84, 96):
            raise ValueError(f"rows must be 84 or 96, not {rows}")
        if domain_randomize:
            raise ValueError("FastCarRacing cannot draw domain_randomize: use CarRacing-v3 for it")
        super().__init__(render_mode, verbose, lap_complete_percent, domain_randomize, continuous)
        self._ezpickle_kwargs = {"rows": rows}
        self.rows = rows
        self.observation_space = spaces.Box(0, 255, (rows, OBS_W, 3), np.uint8)
        self.touched: list[int] = []  # polygons to paint anew before the next frame
        self.painter = Painter()
        # Where observations are drawn, uint32 (rows, 72); None for a new array every step.
        self.words: np.ndarray | None = None

    def _create_track(self) -> bool:
        """Lay a random track, as Gymnasium does, and paint it; False if it does not close."""
        if not super()._create_track():
            return False
        indices = np.empty(len(self.road_poly), np.uint8)
        tiles = iter(self.road)
        for m, (_, color) in enumerate(self.road_poly):
            if isinstance(color, tuple):  # a kerb
                indices[m] = WHITE if color == (255, 255, 255) else RED
                continue
            tile = next(tiles)
            tile.touched, tile.polygon = False, m
            indices[m] = TILE + tile.idx % TILES
        self.painter.start(np.array([corners for corners, _ in self.road_poly]), indices)
        return True

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Start a new episode on a new track, as Gymnasium does.

        Returns:
            The first observation, uint8 (rows, 96, 3), and an empty dict.
        """
        gymnasium.Env.reset(self, seed=seed)
        self._destroy()
        self.world.contactListener_bug_workaround = Contacts(self, self.lap_complete_percent)
        self.world.contactListener = self.world.contactListener_bug_workaround
        self.reward = self.prev_reward = 0.0
        self.tile_visited_count = 0
        self.t = 0.0
        self.new_lap = False
        self.road_poly = []
        self.touched.clear()  # destroying the old tiles ended their contacts
        while not self._create_track():
            if self.verbose:
                print("retry to generate track")
        self.car = FastCar(self.world, *self.track[0][1:4])
        if self.render_mode == "human":
            self.render()
        return self.step(None)[0], {}

    def _steer(self, action) -> None:
        """Hand an action to the car."""
        car = self.car
        if self.continuous:
            steer, gas, brake = action.tolist()
            car.steer(-steer)
            car.gas(gas)
            car.brake(brake)
            return
        if not self.action_space.contains(action):
            raise InvalidAction(f"action {action} is not in {self.action_space}")
        car.steer(-0.6 * (action == 1) + 0.6 * (action == 2))
        car.gas(0.2 * (action == 3))
        car.brake(0.8 * (action == 4))

    def step(self, action):
        """Play one step (1/50 s), as Gymnasium does.

        Args:
            action: array (3,) of steer, gas, brake; an integer 0..4 if not continuous.

        Returns:
            observation uint8 (rows, 96, 3), reward, terminated, truncated (False), info.
        """
        if action is not None:
            self._steer(action)
        self.car.step(1.0 / FPS)
        self.world.Step(1.0 / FPS, 6 * 30, 2 * 30)
        self.t += 1.0 / FPS
        self.state = self._render("state_pixels")
        reward, terminated, info = 0, False, {}
        if action is not None:
            self.reward -= 0.1
            self.car.fuel_spent = 0.0
            reward = self.reward - self.prev_reward
            self.prev_reward = self.reward
            if self.tile_visited_count == len(self.track) or self.new_lap:
                terminated = True
                info["lap_finished"] = True
            x, y = self.car.hull.position
            if abs(x) > PLAYFIELD or abs(y) > PLAYFIELD:
                terminated = True
                info["lap_finished"] = False
                reward = -100
        if self.render_mode == "human":
            self.render()
        return self.state, reward, terminated, False, info

    def observe(self, out: np.ndarray) -> np.ndarray:
        """Draw what the game shows now into `out`: uint8 (rows, 96, 3), C-contiguous."""
        self._draw(out.reshape(self.rows, 3 * OBS_W).view(np.uint32))
        return out

    def _draw(self, words: np.ndarray) -> None:
        """Draw the game into the words of a frame: uint32 (rows, 72)."""
        for m in self.touched:
            self.painter.touch(m)
        self.touched.clear()
        car, hull, t = self.car, self.car.hull, self.t
        w0, w1, w2, w3 = car.wheels
        turn = (w0.joint.angle, w1.joint.angle, w2.joint.angle, w3.joint.angle)
        phase = (w0.phase, w1.phase, w2.phase, w3.phase)
        zoom = 0.1 * SCALE * max(1 - t, 0) + ZOOM * SCALE * min(t, 1)
        x, y = hull.position
        self.painter.draw(words, x, y, hull.angle, zoom, turn, phase)
        omega = (w0.omega, w1.omega, w2.omega, w3.omega)
        if self.rows > 84 or max(omega) > 400:
            vx, vy = hull.linearVelocity
            text = score_picture(f"{self.reward:04.0f}")
            speed = math.sqrt(vx * vx + vy * vy)
            draw_indicators(words, text, speed, omega, turn[0], hull.angularVelocity)

    def _render(self, mode: str):
        if mode != "state_pixels":
            return super()._render(mode)
        words = self.words
        if words is None:
            words = np.empty((self.rows, 3 * OBS_W // 4), np.uint32)
        self._draw(words)
        return words.view(np.uint8).reshape(self.rows, OBS_W, 3)
