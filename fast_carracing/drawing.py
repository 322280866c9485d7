"""The drawing of FastCarRacing: palette, textures, car and indicator bar of one game.

The heavy work is in kernels.py; colours, sizes and shapes are Gymnasium's.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pygame
from gymnasium.envs.box2d import car_dynamics, car_racing
from gymnasium.envs.box2d.car_dynamics import SIZE

from fast_carracing.kernels import (
    FAR,
    FIELD_ROWS,
    NEAR,
    OBS_W,
    PAD,
    PX,
    PY,
    SCREEN_H,
    SCREEN_W,
    draw_field,
    erase,
    jit,
    paint,
    part,
    touch,
)

FIELD = car_racing.PLAYFIELD
# Palette indices. Every road tile has one of 48, so that its neighbours have others.
BLACK, WHITE, RED, BACKGROUND, GRASS, TOUCHED, TILE, TILES = 0, 1, 2, 3, 4, 5, 6, 48
LOSS = 2  # pygame's smoothscale darkens every even surface by two levels

# The car stays within these pixels of the frame, and these pixels of the flipped screen.
CAR_COL, CAR_COLS, CAR_ROW, CAR_ROWS = 45, 6, 66, 11
CAR_X, CAR_W, CAR_Y, CAR_H = 468, 64, 549, 94
CAMERA_X, CAMERA_Y = 500.0, 200.0


def shares(start: int, count: int, pitch: float, first: int, cells: int):
    """Return for `count` screen pixels from `start` on in which of `cells` frame pixels they begin
    (counted from `first`), and which shares of a frame pixel they give to it and to the next."""
    place = (start + np.arange(count)) / pitch - first
    cell = np.clip(place.astype(int), 0, cells - 1)
    share = np.minimum(1 / pitch, cell + 1 - place)
    return cell, share, 1 / pitch - share


COLS, SHARE_X, REST_X = shares(CAR_X, CAR_W, PX, CAR_COL, CAR_COLS)
ROWS, SHARE_Y, REST_Y = shares(CAR_Y, CAR_H, PY, CAR_ROW, CAR_ROWS)


def palette() -> np.ndarray:
    """Return the colours behind the palette indices: int64 (64, 3)."""
    colours = np.zeros((64, 3), np.int64)
    colours[WHITE], colours[RED], colours[TOUCHED] = (255, 255, 255), (255, 0, 0), (102, 102, 102)
    colours[BACKGROUND], colours[GRASS] = (102, 204, 102), (102, 230, 102)
    for k in range(TILES):
        colours[TILE + k] = int(102 + 0.01 * (k % 3) * 255)
    return colours


@functools.cache
def shades(n: int) -> np.ndarray:
    """Return what a sum of n samples looks like: uint8 (255 * n + 1,).

    Even surfaces lose two levels in pygame's smoothscale, one in each of two integer divisions;
    where colours mix, each division loses a fraction (0.4 a division fits best).
    """
    total = np.arange(255 * n + 1)
    level = np.where(total % n == 0, total // n - LOSS, np.floor(total / n - 0.8))
    return np.clip(level, 0, 255).astype(np.uint8)


class Layer:
    """One scale at which the playfield is painted; shared by all games of a process.

    Attributes:
        scale: texels a world unit. size: texels across.
        near, cross, far, widen: radii in texels, see kernels.paint.
        kinds, rows: the empty field's row v is rows[kinds[v]]: int64 (size,), uint8 (K, size).
    """

    def __init__(self, scale: float, near: float, cross: float, far: float, widen: float):
        self.scale, self.near, self.cross, self.far, self.widen = scale, near, cross, far, widen
        self.size = round(2 * FIELD * scale) + 2 * PAD
        place = (np.arange(self.size) + 0.5 - PAD) / scale / car_racing.GRASS_DIM  # in cells
        within = (place >= 0) & (place < 40)
        even = within & (np.floor(place) % 2 == 0)
        edge = np.abs(place - np.rint(place)) * car_racing.GRASS_DIM * scale  # texels to an edge
        signature = within + 2 * even + 4 * (edge > near) + 8 * (edge > far)
        kinds, first, self.kinds = np.unique(signature, return_index=True, return_inverse=True)
        self.rows = np.zeros((len(kinds), self.size), np.uint8)
        for row, v in zip(self.rows, first, strict=True):
            if within[v]:
                row[within] = np.where(even[v] & even[within], GRASS, BACKGROUND)
                row[within & (edge > near) & (edge[v] > near)] |= NEAR
                row[within & (edge > far) & (edge[v] > far)] |= FAR


@functools.cache
def layers() -> tuple[Layer, Layer]:
    """Return the fine and the coarse layer. 6 texels a unit put the grass on texel borders.

    The radii were fitted to Gymnasium's frames: half the diagonal of a pixel is 2.5 texels, but
    below 1.8 on it a colour hardly counts, and less for two tiles of almost the same grey.
    """
    fine = Layer(6.0, near=1.8, cross=0.6, far=8.5, widen=0.2)
    return fine, Layer(1.5, near=2.6, cross=2.6, far=6.0, widen=0.25)


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


@part
def add_polygon(mask, cover, tint, px, py, n, shade):
    """Fill a polygon behind what `mask` already holds, by pygame.draw.polygon's integer rule.

    Args:
        mask: uint8 (CAR_H, CAR_W), the screen around the car.
        cover, tint: float64 (CAR_ROWS + 1, CAR_COLS); gain the area of every new screen pixel, in
            pixels of the frame, and that times `shade`.
        px, py: int64 (>= n,), corners in screen pixels relative to (CAR_X, CAR_Y).
    """
    lo = hi = py[0]
    for i in range(1, n):
        lo, hi = min(lo, py[i]), max(hi, py[i])
    cuts = np.empty(8, np.int64)
    line = np.empty(CAR_COLS + 1)
    for y in range(max(lo, 0), min(hi, CAR_H - 1) + 1):
        m = 0
        for i in range(n):
            h = i - 1 if i else n - 1
            x0, y0, x1, y1 = px[h], py[h], px[i], py[i]
            if y0 > y1:
                x0, y0, x1, y1 = x1, y1, x0, y0
            if y0 < y1 and ((y0 <= y < y1) or (y == hi and y1 == hi)):
                cut = int((y - y0) * (x1 - x0) / (y1 - y0)) + x0  # towards zero, as in C
                k = m
                while k > 0 and cuts[k - 1] > cut:
                    cuts[k] = cuts[k - 1]
                    k -= 1
                cuts[k] = cut
                m += 1
        for c in range(CAR_COLS + 1):
            line[c] = 0.0
        for k in range(0, m - 1, 2):
            for x in range(max(cuts[k], 0), min(cuts[k + 1], CAR_W - 1) + 1):
                if not mask[y, x]:
                    mask[y, x] = 1
                    line[COLS[x]] += SHARE_X[x]
                    line[COLS[x] + 1] += REST_X[x]
        r = ROWS[y]
        for c in range(CAR_COLS):
            if line[c] > 0:
                cover[r, c] += line[c] * SHARE_Y[y]
                tint[r, c] += line[c] * SHARE_Y[y] * shade
                cover[r + 1, c] += line[c] * REST_Y[y]
                tint[r + 1, c] += line[c] * REST_Y[y] * shade


@part
def put(px, py, i, lx, ly, zoom):
    """Set corner i to a point of the hull's frame (world units), as pygame cuts it to integers."""
    px[i] = int(CAMERA_X + lx * zoom) - CAR_X
    py[i] = SCREEN_H - 1 - int(CAMERA_Y + ly * zoom) - CAR_Y


@jit
def draw_hull(mask, cover, red, zoom, polygons, sizes):
    """Cover the pixels around the car with the hull: polygons float64 (4, 8, 2), world units."""
    px, py = np.empty(8, np.int64), np.empty(8, np.int64)
    for y in range(CAR_H):
        for x in range(CAR_W):
            mask[y, x] = 0
    for i in range(CAR_ROWS + 1):
        for j in range(CAR_COLS):
            cover[i, j] = red[i, j] = 0.0
    for m in range(polygons.shape[0]):
        for i in range(sizes[m]):
            put(px, py, i, polygons[m, i, 0], polygons[m, i, 1], zoom)
        add_polygon(mask, cover, red, px, py, sizes[m], 202.0)


@jit
def draw_car(words, hull_mask, hull_cover, hull_red, zoom, wheels, turn, phase):
    """Blend the car over a frame: wheels with their white marks, under a hull from draw_hull.

    Args:
        wheels: float64 (5, 2), world units: the wheels' places on the hull; half width and radius.
        turn: 4 floats, the wheels' angles to the hull; phase: 4 floats, how far they have rolled.
    """
    frame = words.view(np.uint8)
    mask, cover = hull_mask.copy(), hull_cover.copy()
    grey = np.zeros_like(cover)
    px, py = np.empty(8, np.int64), np.empty(8, np.int64)
    w, r = wheels[4, 0], wheels[4, 1]
    for k in range(4):
        cos, sin = math.cos(turn[k]), math.sin(turn[k])
        s1, s2 = math.sin(phase[k]), math.sin(phase[k] + 1.2)
        c1, c2 = math.cos(phase[k]), math.cos(phase[k] + 1.2)
        if s1 > 0:
            c1 = np.sign(c1)
        if s2 > 0:
            c2 = np.sign(c2)
        for body in range(1 if s1 > 0 and s2 > 0 else 0, 2):  # the white mark, then the wheel
            front, back = (r, -r) if body else (r * c1, r * c2)
            for i in range(4):
                lx, ly = w if i == 1 or i == 2 else -w, front if i < 2 else back
                ax, ay = wheels[k, 0] + cos * lx - sin * ly, wheels[k, 1] + sin * lx + cos * ly
                put(px, py, i, ax, ay, zoom)
            add_polygon(mask, cover, grey, px, py, 4, 0.0 if body else 75.0)
    for i in range(CAR_ROWS):
        for j in range(CAR_COLS):
            if cover[i, j] > 0:
                rest = 1.0 - cover[i, j] + 1e-9
                for k in range(3):
                    at = 3 * (CAR_COL + j) + k
                    light = frame[CAR_ROW + i, at] * rest + grey[i, j]
                    frame[CAR_ROW + i, at] = int(light + (hull_red[i, j] if k == 0 else 0.0) + 0.5)


@part
def draw_bar(frame, x0, y0, x1, y1, r, g, b):
    """Blend a rectangle of screen pixels x0..x1, y0..y1 (both ends included) over a frame."""
    left, right = max(min(x0, x1), 0) / PX, min(max(x0, x1) + 1, SCREEN_W) / PX
    top, bottom = max(min(y0, y1), 0) / PY, min(max(y0, y1) + 1, SCREEN_H) / PY
    for row in range(int(top), min(frame.shape[0], math.ceil(bottom))):
        high = max(0.0, min(bottom, row + 1) - max(top, row))
        for col in range(int(left), math.ceil(right)):
            area = high * (min(right, col + 1) - max(left, col))
            at = 3 * col
            frame[row, at] = int(frame[row, at] * (1 - area) + r * area + 0.5)
            frame[row, at + 1] = int(frame[row, at + 1] * (1 - area) + g * area + 0.5)
            frame[row, at + 2] = int(frame[row, at + 2] * (1 - area) + b * area + 0.5)


@jit
def draw_indicators(words, text, speed, omega, steer, gyro):
    """Draw the bar over rows 84:96, and above them where a wheel spins faster than 400 rad/s.

    Args:
        text: uint8 (12, 12, 3), the score. omega: 4 floats, the wheels' speeds.
    """
    frame = words.view(np.uint8)
    for row in range(FIELD_ROWS, frame.shape[0]):
        for at in range(3 * OBS_W):
            frame[row, at] = text[row - FIELD_ROWS, at // 3, at % 3] if at < 36 else 0
    if abs(speed) > 1e-4:
        draw_bar(frame, 125, int(800 - (20 + 20 * (0.02 * speed))), 150, 780, 253, 253, 253)
    for k in range(4):
        if abs(omega[k]) > 1e-4:
            x, y = 175 + 25 * k, int(800 - (20 + 20 * (0.01 * omega[k])))
            draw_bar(frame, x, y, x + 25, 780, 0 if k < 2 else 49, 0, 253)
    if abs(steer) > 1e-4:
        draw_bar(frame, 500, 720, int((20 - 10.0 * steer) * 25), 760, 0, 253, 0)
    if abs(gyro) > 1e-4:
        draw_bar(frame, 750, 720, int((30 - 0.8 * gyro) * 25), 760, 253, 0, 0)


class Painter:
    """One game's textures, with its track on them; draws frames of it.

    `scene` in draw() is (x, y, angle) of the hull, the camera's zoom in screen pixels a world
    unit, and the angles and phases of the four wheels.
    """

    def __init__(self):
        self.layers = layers()
        self.textures = [layer.rows[layer.kinds].ravel() for layer in self.layers]
        self.quads, self.indices = np.zeros((0, 4, 2)), np.zeros(0, np.uint8)
        colours = palette()
        self.packed = colours @ [1, 1 << 16, 1 << 32]
        self.flat = np.maximum(colours - LOSS, 0) @ [1, 1 << 8, 1 << 16]
        self.wheels = np.array([*car_dynamics.WHEELPOS, (car_dynamics.WHEEL_W, 0)]) * SIZE
        self.wheels[4, 1] = car_dynamics.WHEEL_R * SIZE
        shapes = [getattr(car_dynamics, f"HULL_POLY{k}") for k in (1, 2, 3, 4)]
        self.hull, self.hull_sizes = np.zeros((4, 8, 2)), np.array([len(x) for x in shapes])
        for polygon, shape in zip(self.hull, shapes, strict=True):
            polygon[: len(shape)] = np.array(shape) * SIZE
        self.hull_zoom = 0.0
        self.mask = np.zeros((CAR_H, CAR_W), np.uint8)
        self.cover, self.red = np.zeros((2, CAR_ROWS + 1, CAR_COLS))

    def start(self, quads: np.ndarray, indices: np.ndarray) -> None:
        """Paint a new track: quads float64 (M, 4, 2) in world units, indices uint8 (M,)."""
        for layer, texture in zip(self.layers, self.textures, strict=True):
            place = (texture, layer.size, layer.scale, FIELD)
            radii = (layer.near, layer.cross, layer.far, layer.widen)
            erase(*place, self.quads, layer.far + layer.widen, layer.kinds, layer.rows.ravel())
            paint(*place, quads, indices, WHITE, *radii)
        self.quads, self.indices = quads, indices

    def touch(self, m: int) -> None:
        """Give polygon m, a tile that was touched, the plain colour of the road."""
        index = int(self.indices[m])
        for layer, texture in zip(self.layers, self.textures, strict=True):
            place = (texture, layer.size, layer.scale, FIELD)
            touch(*place, self.quads[m], index, TOUCHED, layer.widen + 0.5)

    def draw(self, words: np.ndarray, x: float, y: float, angle: float, zoom: float, *car) -> None:
        """Draw field and car into rows 0:84 of `words`: uint32 (>= 84, 72)."""
        # Half the diagonal of a pixel's footprint is 6.67 / zoom world units.
        which = 0 if zoom > 4 else 1
        layer = self.layers[which]
        nx, ny = (4, 3) if zoom > 4 else (6, 5)
        near = NEAR if zoom > 15 else FAR if zoom > 1.7 else 0
        far = FAR if zoom > 16 else 0
        place = (self.textures[which], layer.size, layer.scale, FIELD, self.packed, self.flat)
        draw_field(words, *place, shades(nx * ny), x, y, angle, zoom, nx, ny, near, far)
        if zoom != self.hull_zoom:
            draw_hull(self.mask, self.cover, self.red, zoom, self.hull, self.hull_sizes)
            self.hull_zoom = zoom
        draw_car(words, self.mask, self.cover, self.red, zoom, self.wheels, *car)
