"""Numba kernels of FastCarRacing: paint a track into a texture, draw a frame from it.

The playfield is a texture of palette indices, one byte a texel, addressed as
`texture[v * size + u]` with u = (x + PLAYFIELD) * scale + PAD and v likewise from y. The two high
bits of a texel promise that all texels nearby have its colour:

- NEAR: within the painter's `near` radius (a pixel's footprint needs one look-up),
- FAR:  within `far` (a block of 4x4 pixels needs one look-up).

Screen coordinates are those of Gymnasium's 1000x800 surface before its vertical flip. A frame's
pixel (row, column) is the area mean of 12.5 / 1.2 = 10.42 by 8.33 screen pixels.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numba import njit

PAD = 4  # black texels around the playfield; samples outside are clamped into them
NEAR, FAR = 128, 64
INDEX = 63  # the palette index within a texel
LANE = 0xFFFF  # one colour within a packed one
SCREEN_W, SCREEN_H = 1000, 800
OBS_W = OBS_H = 96
PX, PY = SCREEN_W / OBS_W, SCREEN_H / OBS_H  # a pixel of the frame, in screen pixels
CAMERA_X, CAMERA_Y = 500.0, 200.0  # where the hull stands on the screen
FIX = 65536.0  # fixed point of the texture walk: 16 bits of fraction

# The car stays within these pixels of the frame, and these pixels of the flipped screen.
CAR_COL, CAR_COLS, CAR_ROW, CAR_ROWS = 45, 6, 66, 11
CAR_X, CAR_W, CAR_Y, CAR_H = 468, 64, 549, 94
NONE, HULL, BLACK, WHITE = 0, 1, 2, 3


def jit(function):
    """Compile with numba and keep the machine code on disk if any folder for it is writable."""
    try:
        return njit(cache=True)(function)
    except RuntimeError:  # neither __pycache__ nor the user's cache folder is writable
        warnings.warn("numba finds no folder for its cache: kernels compile anew", stacklevel=2)
        return njit(function)


@jit
def fill_quad(texture, size, quad, keep, value, only):
    """Set texel = texel & keep | value where a texel's centre is inside `quad` (even-odd).

    Args:
        quad: float64 (4, 2), corners in texels.
        only: change only texels with this palette index; negative for all.
    """
    lo = min(quad[0, 1], quad[1, 1], quad[2, 1], quad[3, 1])
    hi = max(quad[0, 1], quad[1, 1], quad[2, 1], quad[3, 1])
    cuts = np.empty(4)
    for v in range(max(0, math.ceil(lo - 0.5)), min(size, math.ceil(hi - 0.5))):
        y = v + 0.5
        n = 0
        for i in range(4):
            j = (i + 1) & 3
            y0, y1 = quad[i, 1], quad[j, 1]
            if (y0 <= y) != (y1 <= y):
                cut = quad[i, 0] + (y - y0) * (quad[j, 0] - quad[i, 0]) / (y1 - y0)
                k = n
                while k > 0 and cuts[k - 1] > cut:
                    cuts[k] = cuts[k - 1]
                    k -= 1
                cuts[k] = cut
                n += 1
        for k in range(0, n, 2):
            start = v * size + max(0, math.ceil(cuts[k] - 0.5))
            stop = v * size + min(size, math.ceil(cuts[k + 1] - 0.5))
            if only < 0:
                for t in range(start, stop):
                    texture[t] = np.uint8((texture[t] & keep) | value)
            else:
                for t in range(start, stop):
                    if (texture[t] & INDEX) == only:
                        texture[t] = np.uint8((texture[t] & keep) | value)


@jit
def band(x0, y0, x1, y1, radius, quad):
    """Write into `quad` the rectangle of all points within `radius` of a segment (squared off)."""
    dx, dy = x1 - x0, y1 - y0
    length = math.sqrt(dx * dx + dy * dy)
    if length < 1e-9:  # a degenerate kerb: any direction will do
        dx, dy = 1.0, 0.0
    else:
        dx, dy = dx / length, dy / length
    ax, ay = dx * radius, dy * radius
    quad[0, 0], quad[0, 1] = x0 - ax - ay, y0 - ay + ax
    quad[1, 0], quad[1, 1] = x0 - ax + ay, y0 - ay - ax
    quad[2, 0], quad[2, 1] = x1 + ax + ay, y1 + ay - ax
    quad[3, 0], quad[3, 1] = x1 + ax - ay, y1 + ay + ax


@jit
def grow(quad, by, out):
    """Write into `out` the convex quad `quad` with every edge moved outwards by `by`."""
    area = 0.0
    for i in range(4):
        j = (i + 1) & 3
        area += quad[i, 0] * quad[j, 1] - quad[j, 0] * quad[i, 1]
    side = by if area > 0 else -by
    for i in range(4):
        h, j = (i + 3) & 3, (i + 1) & 3
        ax, ay = quad[i, 0] - quad[h, 0], quad[i, 1] - quad[h, 1]
        bx, by_ = quad[j, 0] - quad[i, 0], quad[j, 1] - quad[i, 1]
        la, lb = math.sqrt(ax * ax + ay * ay), math.sqrt(bx * bx + by_ * by_)
        out[i, 0], out[i, 1] = quad[i, 0], quad[i, 1]
        if la < 1e-9 or lb < 1e-9:
            continue
        ax, ay, bx, by_ = ax / la, ay / la, bx / lb, by_ / lb
        cos = ax * bx + ay * by_
        if cos < -0.9:  # a needle: leave its tip
            continue
        # The corner moves along the sum of both outward normals (y, -x).
        k = side / (1.0 + cos)
        out[i, 0] += k * (ay + by_)
        out[i, 1] -= k * (ax + bx)


@jit
def paint(texture, size, scale, field, quads, indices, dirty, near, far, widen):
    """Paint polygons in order, then break the promises of NEAR and FAR along every edge.

    Args:
        texture: uint8 (size * size,).
        quads: float64 (M, 4, 2) in world units; indices: uint8 (M,), their palette indices.
        dirty: uint8 (blocks, blocks), set to 1 for every block of 64 texels that may change.
        near, far: radii in texels. widen: how far edges are moved outwards, in texels.
    """
    local = np.empty((4, 2))
    wide = np.empty((4, 2))
    blocks = dirty.shape[0]
    for m in range(quads.shape[0]):
        for i in range(4):
            local[i, 0] = (quads[m, i, 0] + field) * scale + PAD
            local[i, 1] = (quads[m, i, 1] + field) * scale + PAD
        grow(local, widen, wide)
        fill_quad(texture, size, wide, np.uint8(0), np.uint8(indices[m] | NEAR), -1)
        x0 = max(0, int(wide[:, 0].min() - far - 2) >> 6)
        x1 = min(blocks - 1, int(wide[:, 0].max() + far + 2) >> 6)
        y0 = max(0, int(wide[:, 1].min() - far - 2) >> 6)
        y1 = min(blocks - 1, int(wide[:, 1].max() + far + 2) >> 6)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                dirty[y, x] = 1
    for m in range(quads.shape[0]):
        for i in range(4):
            local[i, 0] = (quads[m, i, 0] + field) * scale + PAD
            local[i, 1] = (quads[m, i, 1] + field) * scale + PAD
        for i in range(4):
            j = (i + 1) & 3
            x0, y0, x1, y1 = local[i, 0], local[i, 1], local[j, 0], local[j, 1]
            band(x0, y0, x1, y1, near + widen, wide)
            fill_quad(texture, size, wide, np.uint8(255 - NEAR), np.uint8(0), -1)
            band(x0, y0, x1, y1, far + widen, wide)
            fill_quad(texture, size, wide, np.uint8(255 - FAR), np.uint8(0), -1)


@jit
def restore(texture, template, size, dirty):
    """Copy the dirty blocks of 64x64 texels back from the empty field and mark them clean."""
    for by in range(dirty.shape[0]):
        for bx in range(dirty.shape[1]):
            if dirty[by, bx]:
                dirty[by, bx] = 0
                stop = min(size, bx * 64 + 64)
                for v in range(by * 64, min(size, by * 64 + 64)):
                    for t in range(v * size + bx * 64, v * size + stop):
                        texture[t] = template[t]


@jit
def shrink(texture, size, palette, small, small_size, dirty):
    """Average 4x4 texels of the dirty blocks into `small`: uint32 (small_size^2,), 0xBBGGRR."""
    for by in range(dirty.shape[0]):
        for bx in range(dirty.shape[1]):
            if not dirty[by, bx]:
                continue
            for v in range(by * 16, min(small_size, by * 16 + 16)):
                for u in range(bx * 16, min(small_size, bx * 16 + 16)):
                    r, g, b = 0, 0, 0
                    for dv in range(4):
                        for du in range(4):
                            t = texture[(v * 4 + dv) * size + u * 4 + du] & INDEX
                            r += palette[t, 0]
                            g += palette[t, 1]
                            b += palette[t, 2]
                    mean = ((r + 8) >> 4) | ((g + 8) >> 4) << 8 | ((b + 8) >> 4) << 16
                    small[v * small_size + u] = np.uint32(mean)


@jit
def draw_field(
    out, texture, size, scale, field, packed, shades, x, y, angle, zoom, nx, ny, near, far
):
    """Draw the playfield around the hull into rows 0:84 of `out`.

    Args:
        out: uint8 (rows >= 84, 96, 3).
        packed: int64 (64,), the palette as r | g << 16 | b << 32.
        shades: uint8 (nx * ny * 255 + 1,), what a sum of nx * ny samples looks like.
        x, y, angle: the hull's pose; zoom: screen pixels a world unit.
        nx, ny: samples across and down a pixel.
        near, far: the texel bits that allow one look-up a pixel, or a 4x4 block; 0 for never.
    """
    step = scale / zoom
    cos, sin = math.cos(angle), math.sin(angle)
    uc, vc = PX * step * cos, PX * step * sin  # one column to the right
    ur, vr = PY * step * sin, -PY * step * cos  # one row down
    left, top = -CAMERA_X / PX, (CAMERA_Y - SCREEN_H) / PY  # frame corner, in pixels from the hull
    u0 = (x + field) * scale + PAD + left * uc + top * ur
    v0 = (y + field) * scale + PAD + left * vc + top * vr

    n = nx * ny
    du = np.empty(n, np.int64)
    dv = np.empty(n, np.int64)
    for j in range(ny):
        for i in range(nx):
            a, b = (i + 0.5) / nx - 0.5, (j + 0.5) / ny - 0.5
            du[j * nx + i] = int(math.floor((a * uc + b * ur) * FIX))
            dv[j * nx + i] = int(math.floor((a * vc + b * vr) * FIX))
    fuc, fvc = int(uc * FIX), int(vc * FIX)
    fur, fvr = int(ur * FIX), int(vr * FIX)
    reach = 2.5 * (abs(uc) + abs(ur) + abs(vc) + abs(vr)) + 2.0
    last = size - 1

    for br in range(0, 84, 4):
        for bc in range(0, OBS_W, 4):
            uf, vf = u0 + (bc + 2) * uc + (br + 2) * ur, v0 + (bc + 2) * vc + (br + 2) * vr
            inside = uf > reach and vf > reach and uf < last - reach and vf < last - reach
            if inside:
                t = texture[np.uint64(int(vf) * size + int(uf))]
                if t & far:
                    p = packed[t & INDEX]
                    r, g, b = (
                        shades[(p & LANE) * n],
                        shades[(p >> 16 & LANE) * n],
                        shades[(p >> 32) * n],
                    )
                    for row in range(br, br + 4):
                        for col in range(bc, bc + 4):
                            out[row, col, 0] = r
                            out[row, col, 1] = g
                            out[row, col, 2] = b
                    continue
            fu = int((uf - 1.5 * (uc + ur)) * FIX)
            fv = int((vf - 1.5 * (vc + vr)) * FIX)
            for i in range(4):
                pu, pv = fu + i * fur, fv + i * fvr
                for j in range(4):
                    if inside:
                        t = texture[np.uint64((pv >> 16) * size + (pu >> 16))]
                        if t & near:
                            total = packed[t & INDEX] * n
                        else:
                            total = 0
                            for k in range(n):
                                s = ((pv + dv[k]) >> 16) * size + ((pu + du[k]) >> 16)
                                total += packed[texture[np.uint64(s)] & INDEX]
                    else:
                        total = 0
                        for k in range(n):
                            su = min(max((pu + du[k]) >> 16, 0), last)
                            sv = min(max((pv + dv[k]) >> 16, 0), last)
                            total += packed[texture[np.uint64(sv * size + su)] & INDEX]
                    out[br + i, bc + j, 0] = shades[total & LANE]
                    out[br + i, bc + j, 1] = shades[(total >> 16) & LANE]
                    out[br + i, bc + j, 2] = shades[total >> 32]
                    pu += fuc
                    pv += fvc


@jit
def draw_small(out, small, small_size, scale, field, x, y, angle, zoom):
    """Draw rows 0:84 from the averaged texture: the first frames, where the whole field shows."""
    step = scale / zoom
    cos, sin = math.cos(angle), math.sin(angle)
    uc, vc = PX * step * cos, PX * step * sin
    ur, vr = PY * step * sin, -PY * step * cos
    left, top = -CAMERA_X / PX, (CAMERA_Y - SCREEN_H) / PY
    u0 = (x + field) * scale + PAD / 4 + left * uc + top * ur
    v0 = (y + field) * scale + PAD / 4 + left * vc + top * vr
    last = small_size - 1
    for row in range(84):
        for col in range(OBS_W):
            r, g, b = 0, 0, 0
            for j in range(4):
                for i in range(4):
                    a, c = col + (i + 0.5) / 4, row + (j + 0.5) / 4
                    u = min(max(int(u0 + a * uc + c * ur), 0), last)
                    v = min(max(int(v0 + a * vc + c * vr), 0), last)
                    p = np.int64(small[v * small_size + u])
                    r += p & 255
                    g += p >> 8 & 255
                    b += p >> 16
            out[row, col, 0] = max(0, (r - 12) >> 4)
            out[row, col, 1] = max(0, (g - 12) >> 4)
            out[row, col, 2] = max(0, (b - 12) >> 4)


@jit
def add_polygon(mask, cover, tint, px, py, n, colour, shade):
    """Fill a polygon behind what `mask` already holds, by pygame.draw.polygon's integer rule.

    Adds the area of every new screen pixel to `cover` (66,), in pixels of the frame, and to
    `tint` times `shade`. px, py: int64, flipped screen pixels relative to (CAR_X, CAR_Y).
    """
    lo, hi = py[0], py[0]
    for i in range(1, n):
        lo, hi = min(lo, py[i]), max(hi, py[i])
    cuts = np.empty(8, np.int64)
    row_sum = np.empty(CAR_COLS)
    for y in range(max(lo, 0), min(hi, CAR_H - 1) + 1):
        m = 0
        for i in range(n):
            h = i - 1 if i else n - 1
            x0, y0, x1, y1 = px[h], py[h], px[i], py[i]
            if y0 == y1:
                continue
            if y0 > y1:
                x0, y0, x1, y1 = x1, y1, x0, y0
            if (y0 <= y < y1) or (y == hi and y1 == hi):
                # C's integer division truncates towards zero.
                cut = int((y - y0) * (x1 - x0) / (y1 - y0)) + x0
                k = m
                while k > 0 and cuts[k - 1] > cut:
                    cuts[k] = cuts[k - 1]
                    k -= 1
                cuts[k] = cut
                m += 1
        row_sum[:] = 0.0
        for k in range(0, m - 1, 2):
            for x in range(max(cuts[k], 0), min(cuts[k + 1], CAR_W - 1) + 1):
                if mask[y, x]:
                    continue
                mask[y, x] = colour
                left = (x + CAR_X) / PX - CAR_COL
                c = int(math.floor(left))
                first = min(1 / PX, c + 1 - left)
                if 0 <= c < CAR_COLS:
                    row_sum[c] += first
                if 0 <= c + 1 < CAR_COLS:
                    row_sum[c + 1] += 1 / PX - first
        top = (y + CAR_Y) / PY - CAR_ROW
        r = int(math.floor(top))
        first = min(1 / PY, r + 1 - top)
        for c in range(CAR_COLS):
            if row_sum[c] > 0:
                if 0 <= r < CAR_ROWS:
                    cover[r * CAR_COLS + c] += row_sum[c] * first
                    tint[r * CAR_COLS + c] += row_sum[c] * first * shade
                if 0 <= r + 1 < CAR_ROWS:
                    cover[(r + 1) * CAR_COLS + c] += row_sum[c] * (1 / PY - first)
                    tint[(r + 1) * CAR_COLS + c] += row_sum[c] * (1 / PY - first) * shade


@jit
def to_screen(lx, ly, zoom, px, py, i):
    """Write a point of the hull's frame as point i, in flipped pixels, cut as pygame does."""
    px[i] = int(CAMERA_X + lx * zoom) - CAR_X
    py[i] = SCREEN_H - 1 - int(CAMERA_Y + ly * zoom) - CAR_Y


@jit
def draw_hull(mask, cover, red, zoom, polygons, sizes):
    """Cover the pixels around the car with the hull; polygons: float64 (4, 8, 2), world units."""
    px, py = np.empty(8, np.int64), np.empty(8, np.int64)
    mask[:] = NONE
    cover[:] = 0.0
    red[:] = 0.0
    for m in range(polygons.shape[0]):
        for i in range(sizes[m]):
            to_screen(polygons[m, i, 0], polygons[m, i, 1], zoom, px, py, i)
        add_polygon(mask, cover, red, px, py, sizes[m], HULL, 202.0)


@jit
def draw_car(out, hull_mask, hull_cover, hull_red, zoom, anchors, wheel, turn, phase):
    """Blend the car over `out`: wheels with their white marks under a hull made by draw_hull.

    Args:
        anchors: float64 (4, 2), the wheels' places on the hull; wheel: half width and radius.
        turn: float64 (4,), the wheels' angles to the hull.
        phase: float64 (4,), how far they rolled.
    """
    mask = hull_mask.copy()
    cover = hull_cover.copy()
    grey = np.zeros(CAR_ROWS * CAR_COLS)
    px, py = np.empty(8, np.int64), np.empty(8, np.int64)
    w, r = wheel
    for k in range(4):
        cos, sin = math.cos(turn[k]), math.sin(turn[k])
        s1, s2 = math.sin(phase[k]), math.sin(phase[k] + 1.2)
        c1, c2 = math.cos(phase[k]), math.cos(phase[k] + 1.2)
        marked = s1 <= 0 or s2 <= 0
        if s1 > 0:
            c1 = np.sign(c1)
        if s2 > 0:
            c2 = np.sign(c2)
        for part in range(0 if marked else 1, 2):
            top, bottom = (c1 * r, c2 * r) if part == 0 else (r, -r)
            for i in range(4):
                lx = -w if i == 0 or i == 3 else w
                ly = top if i < 2 else bottom
                to_screen(
                    anchors[k, 0] + cos * lx - sin * ly,
                    anchors[k, 1] + sin * lx + cos * ly,
                    zoom,
                    px,
                    py,
                    i,
                )
            add_polygon(
                mask, cover, grey, px, py, 4, BLACK if part else WHITE, 0.0 if part else 75.0
            )
    for i in range(CAR_ROWS):
        for j in range(CAR_COLS):
            k = i * CAR_COLS + j
            if cover[k] > 0:
                rest = 1.0 - cover[k]
                row, col = CAR_ROW + i, CAR_COL + j
                out[row, col, 0] = int(out[row, col, 0] * rest + hull_red[k] + grey[k] + 0.5)
                out[row, col, 1] = int(out[row, col, 1] * rest + grey[k] + 0.5)
                out[row, col, 2] = int(out[row, col, 2] * rest + grey[k] + 0.5)


@jit
def draw_bar(out, x0, y0, x1, y1, r, g, b):
    """Blend a rectangle of screen pixels x0..x1, y0..y1 (both ends included) over `out`."""
    x0, x1 = min(x0, x1), max(x0, x1) + 1
    y0, y1 = min(y0, y1), max(y0, y1) + 1
    x0, x1, y0, y1 = max(x0, 0), min(x1, SCREEN_W), max(y0, 0), min(y1, SCREEN_H)
    if x0 >= x1 or y0 >= y1:
        return
    left, right, top, bottom = x0 / PX, x1 / PX, y0 / PY, y1 / PY
    for row in range(int(top), min(out.shape[0], math.ceil(bottom))):
        high = min(bottom, row + 1) - max(top, row)
        for col in range(int(left), min(OBS_W, math.ceil(right))):
            area = high * (min(right, col + 1) - max(left, col))
            out[row, col, 0] = int(out[row, col, 0] * (1 - area) + r * area + 0.5)
            out[row, col, 1] = int(out[row, col, 1] * (1 - area) + g * area + 0.5)
            out[row, col, 2] = int(out[row, col, 2] * (1 - area) + b * area + 0.5)


@jit
def draw_indicators(out, text, speed, omega, steer, gyro):
    """Draw the bar over rows 84:96, and above them where a wheel spins faster than 400 rad/s.

    Args:
        text: uint8 (12, 12, 3), the score; omega: float64 (4,), the wheels' speeds.
    """
    for row in range(84, out.shape[0]):
        for col in range(OBS_W):
            for k in range(3):
                out[row, col, k] = text[row - 84, col, k] if col < 12 else 0
    if abs(speed) > 1e-4:
        draw_bar(out, 125, int(780 - 20 * (0.02 * speed)), 150, 780, 253, 253, 253)
    for k in range(4):
        if abs(omega[k]) > 1e-4:
            x = 175 + 25 * k
            y = int(800 - (20 + 20 * (0.01 * omega[k])))
            draw_bar(out, x, y, x + 25, 780, 0 if k < 2 else 49, 0, 253)
    if abs(steer) > 1e-4:
        draw_bar(out, 500, 720, int((20 - 10.0 * steer) * 25), 760, 0, 253, 0)
    if abs(gyro) > 1e-4:
        draw_bar(out, 750, 720, int((30 - 0.8 * gyro) * 25), 760, 253, 0, 0)
