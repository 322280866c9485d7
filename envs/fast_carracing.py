"""CarRacing-v3 with Gymnasium's physics and a drawing that is many times faster.

    import envs.fast_carracing                        # registers the id
    env = gymnasium.make("FastCarRacing-v3", rows=84)

Only the observation is drawn anew; physics, tracks, rewards and ends of episodes are
bit-identical to gymnasium.make("CarRacing-v3"). See docs/fast_carracing.md.
"""

from __future__ import annotations

import functools
import math

import gymnasium
import numpy as np
import pygame
from gymnasium import spaces
from gymnasium.envs.box2d import car_dynamics, car_racing
from gymnasium.envs.box2d.car_dynamics import SIZE, Car
from gymnasium.envs.box2d.car_racing import CarRacing, FrictionDetector

from . import fast_carracing_kernels as kernels

FIELD = car_racing.PLAYFIELD
FINE, COARSE = 6.0, 1.5  # texels a world unit; 6 puts the edges of the grass on texel borders
SAMPLES = (4, 3)
BLACK, BACKGROUND, GRASS, TOUCHED, WHITE, RED, SHADED = 0, 1, 2, 3, 4, 5, 6
SHADES = 48  # palette indices of road tiles: neighbours never share one, crossings rarely
LOSS = 2  # pygame's smoothscale darkens every even surface by two levels


def palette(road=(102, 102, 102), background=(102, 204, 102), grass=(102, 230, 102)):
    """Return the colours behind the palette indices: int64 (64, 3)."""
    colours = np.zeros((64, 3), np.int64)
    colours[[BACKGROUND, GRASS, TOUCHED, WHITE, RED]] = (
        background,
        grass,
        road,
        (255, 255, 255),
        (255, 0, 0),
    )
    for k in range(SHADES):
        colours[SHADED + k] = [int(c + 0.01 * (k % 3) * 255) for c in road]
    return colours


class Layer:
    """A texture of the playfield at one scale and how it is painted and read.

    Attributes:
        empty: uint8 (size * size,), the field without a track.
        near, far: radii in texels that the bits NEAR and FAR of a texel promise.
        widen: how far gfxdraw's pixels spread a polygon's edges, in texels.
    """

    def __init__(self, scale: float, near: float, far: float, widen: float):
        self.scale, self.near, self.far, self.widen = scale, near, far, widen
        self.size = round(2 * FIELD * scale) + 2 * kernels.PAD
        self.blocks = -(-self.size // 64)
        self.empty = self._paint_field()

    def _paint_field(self) -> np.ndarray:
        place = (np.arange(self.size) + 0.5 - kernels.PAD) / self.scale  # 0 .. 2 * FIELD
        cell = np.floor(place / car_racing.GRASS_DIM).astype(int)
        within = (place >= 0) & (place < 2 * FIELD)
        even = within & (cell % 2 == 0)
        from_edge = np.abs(place / car_racing.GRASS_DIM - np.rint(place / car_racing.GRASS_DIM))
        from_edge *= car_racing.GRASS_DIM * self.scale
        field = np.where(even[:, None] & even, GRASS, BACKGROUND).astype(np.uint8)
        field[~within] = BLACK
        field[:, ~within] = BLACK
        for bit, radius in ((kernels.NEAR, self.near), (kernels.FAR, self.far)):
            clear = from_edge > radius + 1
            field[clear[:, None] & clear] |= bit
        return field.ravel()


@functools.cache
def layers() -> tuple[Layer, Layer]:
    """Return the fine and the coarse layer, shared by all environments of a process."""
    fine = Layer(FINE, near=3.2, far=12.0, widen=0.15)
    return fine, Layer(COARSE, near=2.6, far=6.0, widen=0.15)


@functools.cache
def hull_polygons() -> tuple[np.ndarray, np.ndarray]:
    """Return the hull's polygons, float64 (4, 8, 2) in world units, and their lengths."""
    shapes = [getattr(car_dynamics, f"HULL_POLY{k}") for k in (1, 2, 3, 4)]
    polygons = np.zeros((4, 8, 2))
    for polygon, shape in zip(polygons, shapes, strict=True):
        polygon[: len(shape)] = np.array(shape) * SIZE
    return polygons, np.array([len(shape) for shape in shapes])


@functools.cache
def score_picture(text: str) -> np.ndarray:
    """Return the score as the frame shows it: uint8 (12, 12, 3), rows 84:96, columns 0:12."""
    pygame.font.init()
    font = pygame.font.Font(pygame.font.get_default_font(), 42)
    surface = pygame.Surface((125, 100), depth=32)
    picture = font.render(text, True, (255, 255, 255), (0, 0, 0))
    surface.blit(picture, picture.get_rect(center=(60, 50)))
    small = pygame.transform.smoothscale(surface, (12, 12))
    return pygame.surfarray.array3d(small).transpose(1, 0, 2).copy()


class Painter:
    """Draws one environment's frames: textures with its track, and the car."""

    def __init__(self):
        self.layers = layers()
        self.textures = [layer.empty.copy() for layer in self.layers]
        self.dirty = [np.zeros((layer.blocks, layer.blocks), np.uint8) for layer in self.layers]
        self.small_size = self.layers[1].size // 4
        self.small = np.zeros(self.small_size**2, np.uint32)
        self.set_palette(palette())
        self.shades = {n: shades(n) for n in (SAMPLES[0] * SAMPLES[1], 30)}
        self.anchors = np.array(car_dynamics.WHEELPOS) * SIZE
        self.wheel = (car_dynamics.WHEEL_W * SIZE, car_dynamics.WHEEL_R * SIZE)
        self.turn, self.phase, self.omega = np.zeros(4), np.zeros(4), np.zeros(4)
        self.mask = np.zeros((kernels.CAR_H, kernels.CAR_W), np.uint8)
        self.cover = np.zeros(kernels.CAR_ROWS * kernels.CAR_COLS)
        self.red = np.zeros_like(self.cover)
        self.hull_zoom = 0.0

    def set_palette(self, colours: np.ndarray) -> None:
        self.colours = colours
        self.packed = colours[:, 0] | colours[:, 1] << 16 | colours[:, 2] << 32
        for dirty in self.dirty:
            dirty[:] = 1

    def start(self, quads: np.ndarray, indices: np.ndarray) -> None:
        """Paint a new track: quads float64 (M, 4, 2) in world units, indices uint8 (M,)."""
        old = self.dirty[1].copy()
        for layer, texture, dirty in zip(self.layers, self.textures, self.dirty, strict=True):
            kernels.restore(texture, layer.empty, layer.size, dirty)
            kernels.paint(
                texture,
                layer.size,
                layer.scale,
                FIELD,
                quads,
                indices,
                dirty,
                layer.near,
                layer.far,
                layer.widen,
            )
        kernels.shrink(
            self.textures[1],
            self.layers[1].size,
            self.colours,
            self.small,
            self.small_size,
            old | self.dirty[1],
        )

    def touch(self, quad: np.ndarray, index: int) -> None:
        """Give a tile that was touched the plain colour of the road."""
        for layer, texture in zip(self.layers, self.textures, strict=True):
            local = (quad + FIELD) * layer.scale + kernels.PAD
            kernels.fill_quad(texture, layer.size, local, np.uint8(192), np.uint8(TOUCHED), index)

    def draw(self, out: np.ndarray, x: float, y: float, angle: float, zoom: float) -> None:
        """Draw field and car into rows 0:84 of `out` (>= 84, 96, 3)."""
        if zoom < 2.0:
            layer = self.layers[1]
            kernels.draw_small(
                out, self.small, self.small_size, layer.scale / 4, FIELD, x, y, angle, zoom
            )
        else:
            if zoom < 6.0:
                which, nx, ny = 1, 6, 5
                near, far = (kernels.NEAR, kernels.FAR) if zoom > 4.2 else (kernels.FAR, 0)
                far = 0
            else:
                which, nx, ny = 0, *SAMPLES
                near, far = (kernels.NEAR, kernels.FAR) if zoom > 15.5 else (kernels.FAR, 0)
            layer = self.layers[which]
            kernels.draw_field(
                out,
                self.textures[which],
                layer.size,
                layer.scale,
                FIELD,
                self.packed,
                self.shades[nx * ny],
                x,
                y,
                angle,
                zoom,
                nx,
                ny,
                near,
                far,
            )
        if zoom != self.hull_zoom:
            kernels.draw_hull(self.mask, self.cover, self.red, zoom, *hull_polygons())
            self.hull_zoom = zoom
        kernels.draw_car(
            out,
            self.mask,
            self.cover,
            self.red,
            zoom,
            self.anchors,
            self.wheel,
            self.turn,
            self.phase,
        )


def shades(n: int) -> np.ndarray:
    """Return what a sum of n samples looks like: uint8 (255 * n + 1,).

    Even surfaces lose two levels in pygame's smoothscale; mixed ones lose the fractions of two
    integer divisions, about one and a half.
    """
    total = np.arange(255 * n + 1)
    even = total % n == 0
    level = np.where(even, total / n - LOSS, np.floor(total / n - 1.0))
    return np.clip(level, 0, 255).astype(np.uint8)


class FastCar(Car):
    """Gymnasium's car, stepped with Python floats: same operations, same order, same bits."""

    def gas(self, gas):
        """Set the rear wheels' gas (0..1), rising by at most 0.1 a step."""
        gas = min(max(float(gas), 0.0), 1.0)
        for w in self.wheels[2:4]:
            w.gas += min(gas - w.gas, 0.1)

    def step(self, dt):
        """Advance steering, wheel speeds and forces by dt seconds (car_dynamics.Car.step)."""
        for w in self.wheels:
            steer, joint = w.steer, w.joint
            lag = steer - joint.angle
            push = min(50.0 * abs(lag), 3.0)
            joint.motorSpeed = push if lag > 0 else -push if lag < 0 else 0.0 * push

            grass = True
            friction_limit = car_dynamics.FRICTION_LIMIT * 0.6
            for tile in w.tiles:
                friction_limit = max(
                    friction_limit, car_dynamics.FRICTION_LIMIT * tile.road_friction
                )
                grass = False

            forw = w.GetWorldVector((0, 1))
            side = w.GetWorldVector((1, 0))
            v = w.linearVelocity
            fx, fy = forw[0], forw[1]
            sx, sy = side[0], side[1]
            vx, vy = v[0], v[1]
            vf = fx * vx + fy * vy
            vs = sx * vx + sy * vy

            omega, gas, brake = w.omega, w.gas, w.brake
            omega += (
                dt
                * car_dynamics.ENGINE_POWER
                * gas
                / car_dynamics.WHEEL_MOMENT_OF_INERTIA
                / (abs(omega) + 5.0)
            )
            self.fuel_spent += dt * car_dynamics.ENGINE_POWER * gas
            if brake >= 0.9:
                omega = 0.0
            elif brake > 0:
                val = min(15 * brake, abs(omega))
                omega += -val if omega > 0 else val if omega < 0 else 0.0
            w.phase += omega * dt

            f_force = -vf + omega * w.wheel_rad
            p_force = -vs
            f_force *= 205000 * SIZE * SIZE
            p_force *= 205000 * SIZE * SIZE
            force = math.sqrt(f_force * f_force + p_force * p_force)

            if force > 2.0 * friction_limit:
                self._skid(w, grass)
            else:
                w.skid_start = None
                w.skid_particle = None

            if force > friction_limit:
                f_force /= force
                p_force /= force
                f_force *= friction_limit
                p_force *= friction_limit

            w.omega = omega - dt * f_force * w.wheel_rad / car_dynamics.WHEEL_MOMENT_OF_INERTIA
            w.ApplyForceToCenter((p_force * sx + f_force * fx, p_force * sy + f_force * fy), True)

    def _skid(self, w, grass: bool) -> None:
        """Lengthen or start a skid mark (only videos show them)."""
        mark = w.skid_particle
        if mark and mark.grass == grass and len(mark.poly) < 30:
            mark.poly.append((w.position[0], w.position[1]))
        elif w.skid_start is None:
            w.skid_start = w.position
        else:
            w.skid_particle = self._create_particle(w.skid_start, w.position, grass)
            w.skid_start = None


class Contacts(FrictionDetector):
    """Gymnasium's contact listener, which also notes the tiles that lost their shade."""

    def _contact(self, contact, begin):
        for body in (contact.fixtureA.body, contact.fixtureB.body):
            tile = body.userData
            if tile and "road_friction" in tile.__dict__ and not tile.touched:
                tile.touched = True
                self.env.touched.append(tile.idx)
        super()._contact(contact, begin)


class FastCarRacing(CarRacing):
    """CarRacing-v3 with the same physics, tracks and rewards, and observations drawn fast.

    Args:
        rows: 96 for Gymnasium's frame; 84 leaves out the indicator bar.
        render_mode, verbose, lap_complete_percent, continuous: as in Gymnasium. `render()` draws
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
            raise ValueError("FastCarRacing draws no domain_randomize: use CarRacing-v3 for it")
        super().__init__(render_mode, verbose, lap_complete_percent, domain_randomize, continuous)
        self._ezpickle_kwargs = {"rows": rows}
        self.rows = rows
        self.observation_space = spaces.Box(0, 255, (rows, 96, 3), np.uint8)
        self.touched: list[int] = []
        self.painter = Painter()

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Start a new track, as Gymnasium does; see CarRacing.reset."""
        gymnasium.Env.reset(self, seed=seed)
        self._destroy()
        self.world.contactListener_bug_workaround = Contacts(self, self.lap_complete_percent)
        self.world.contactListener = self.world.contactListener_bug_workaround
        self.reward = 0.0
        self.prev_reward = 0.0
        self.tile_visited_count = 0
        self.t = 0.0
        self.new_lap = False
        self.road_poly = []
        while not self._create_track():
            pass
        self._start_painter()
        self.car = FastCar(self.world, *self.track[0][1:4])
        if self.render_mode == "human":
            self.render()
        return self.step(None)[0], {}

    def _start_painter(self) -> None:
        self.touched.clear()  # destroying the old tiles ended their contacts
        quads = np.array([polygon for polygon, _ in self.road_poly])
        indices = np.empty(len(quads), np.uint8)
        self.tile_quads = []
        for k, (_, colour) in enumerate(self.road_poly):
            if isinstance(colour, tuple):
                indices[k] = WHITE if colour[1] else RED
            else:
                indices[k] = SHADED + len(self.tile_quads) % SHADES
                self.tile_quads.append(quads[k])
        for tile in self.road:
            tile.touched = False
        self.painter.start(quads, indices)

    def observe(self, out: np.ndarray) -> np.ndarray:
        """Draw what the game shows now into `out`: uint8 (rows, 96, 3), C-contiguous."""
        painter, car = self.painter, self.car
        for i in self.touched:
            painter.touch(self.tile_quads[i], SHADED + i % SHADES)
        self.touched.clear()
        for k, w in enumerate(car.wheels):
            painter.turn[k] = w.joint.angle
            painter.phase[k] = w.phase
            painter.omega[k] = w.omega
        hull = car.hull
        x, y = hull.position
        scale = car_racing.SCALE
        zoom = 0.1 * scale * max(1 - self.t, 0) + car_racing.ZOOM * scale * min(self.t, 1)
        painter.draw(out, x, y, hull.angle, zoom)
        if self.rows > 84 or painter.omega.max() > 400:
            vx, vy = hull.linearVelocity
            kernels.draw_indicators(
                out,
                score_picture(f"{self.reward:04.0f}"),
                math.sqrt(vx * vx + vy * vy),
                painter.omega,
                painter.turn[0],
                hull.angularVelocity,
            )
        return out

    def _render(self, mode: str):
        if mode != "state_pixels":
            return super()._render(mode)
        return self.observe(np.empty((self.rows, 96, 3), np.uint8))


def register() -> None:
    """Register FastCarRacing-v3 with Gymnasium; a second call changes nothing."""
    if "FastCarRacing-v3" not in gymnasium.registry:
        gymnasium.register(
            "FastCarRacing-v3",
            entry_point=f"{__name__}:FastCarRacing",
            max_episode_steps=1000,
            reward_threshold=900,
        )


register()
