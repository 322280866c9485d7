"""Numba kernels of FastCarRacing: paint a track into a texture, draw a frame from it.

The playfield is a texture of palette indices, one byte a texel, addressed as
`texture[v * size + u]` with u = (x + field) * scale + PAD and v likewise from y. The two high bits
of a texel promise that the texels around it have its colour:

- NEAR: over the footprint of a pixel, which then needs one look-up;
- FAR: over the footprint of a block of 4x4 pixels.

The screen is Gymnasium's surface of 1000x800 before its vertical flip. A pixel of the frame is the
area mean of 10.42 x 8.33 screen pixels. A frame is handled as `words`: uint32 (rows, 72), the bytes
of (rows, 96, 3) in little-endian order, so that four pixels are three stores.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numba import njit

PAD = 4  # black texels around the playfield; samples outside are clamped into them
NEAR, FAR = 128, 64
INDEX = 63  # the palette index within a texel
LANE = 0xFFFF  # one colour within a packed sum
FIX, BITS = 65536.0, 16  # fixed point of the walk through the texture
SCREEN_W, SCREEN_H = 1000, 800
OBS_W = OBS_H = 96
FIELD_ROWS = 84  # the indicator bar hides the rows below
PX, PY = SCREEN_W / OBS_W, SCREEN_H / OBS_H  # a pixel of the frame, in screen pixels
CAMERA_X, CAMERA_Y = 500.0, 200.0  # where the hull stands on the screen


part = njit(error_model="numpy")  # compiled into the kernels of its own file that call it


def jit(function):
    """Compile with numba and keep the machine code on disk if any folder for it is writable."""
    try:
        return njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # neither __pycache__ nor the user's cache folder is writable
        warnings.warn("numba finds no folder for its cache: kernels compile anew", stacklevel=2)
        return part(function)


@part
def spans(q, size, starts, stops):
    """Find the texels whose centres lie in a convex quad: columns starts[v]..stops[v] of row v.

    Args:
        q: float64 (4, 2), corners in texels. starts, stops: int64 (size,), written between the
            rows returned.

    Returns:
        The first row and the one after the last.
    """
    lo = min(q[0, 1], q[1, 1], q[2, 1], q[3, 1])
    hi = max(q[0, 1], q[1, 1], q[2, 1], q[3, 1])
    first, end = max(0, math.ceil(lo - 0.5)), min(size, math.ceil(hi - 0.5))
    for v in range(first, end):
        starts[v], stops[v] = size, 0
    for i in range(4):
        j = (i + 1) & 3
        x0, y0, x1, y1 = q[i, 0], q[i, 1], q[j, 0], q[j, 1]
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        slope = (x1 - x0) / (y1 - y0)  # not used where y0 == y1
        for v in range(max(0, math.ceil(y0 - 0.5)), min(size, math.ceil(y1 - 0.5))):
            cut = math.ceil(x0 + (v + 0.5 - y0) * slope - 0.5)
            starts[v] = max(0, min(starts[v], cut))
            stops[v] = min(size, max(stops[v], cut))
    return first, end


@part
def fill_quad(texture, size, q, keep, value, starts, stops):
    """Set texel = texel & keep | value in a convex quad; see spans."""
    first, end = spans(q, size, starts, stops)
    for v in range(first, end):
        start = np.uint64(v * size + starts[v])  # unsigned indices let LLVM vectorise
        for u in range(stops[v] - starts[v]):
            t = start + np.uint64(u)
            texture[t] = np.uint8((texture[t] & keep) | value)


@part
def band(x0, y0, x1, y1, radius, out):
    """Write into `out` (4, 2) the rectangle of all points within `radius` of a segment."""
    dx, dy = x1 - x0, y1 - y0
    length = math.sqrt(dx * dx + dy * dy)
    if length < 1e-9:  # a degenerate kerb: any direction will do
        dx, dy, length = 1.0, 0.0, 1.0
    ax, ay = dx / length * radius, dy / length * radius
    out[0, 0], out[0, 1] = x0 - ax - ay, y0 - ay + ax
    out[1, 0], out[1, 1] = x0 - ax + ay, y0 - ay - ax
    out[2, 0], out[2, 1] = x1 + ax + ay, y1 + ay - ax
    out[3, 0], out[3, 1] = x1 + ax - ay, y1 + ay + ax


@part
def grow(q, by, out):
    """Write into `out` the convex quad `q` with every edge moved outwards by `by`."""
    area = 0.0
    for i in range(4):
        j = (i + 1) & 3
        area += q[i, 0] * q[j, 1] - q[j, 0] * q[i, 1]
    for i in range(4):
        h, j = (i + 3) & 3, (i + 1) & 3
        ax, ay, bx, by_ = q[i, 0] - q[h, 0], q[i, 1] - q[h, 1], q[j, 0] - q[i, 0], q[j, 1] - q[i, 1]
        a, b = math.sqrt(ax * ax + ay * ay), math.sqrt(bx * bx + by_ * by_)
        out[i, 0], out[i, 1] = q[i, 0], q[i, 1]
        if a < 1e-9 or b < 1e-9:
            continue
        ax, ay, bx, by_ = ax / a, ay / a, bx / b, by_ / b
        cos = ax * bx + ay * by_
        if cos > -0.9:  # the tip of a needle stays; other corners follow both outward normals
            k = (by if area > 0 else -by) / (1.0 + cos)
            out[i, 0] += k * (ay + by_)
            out[i, 1] -= k * (ax + bx)


@jit
def paint(texture, size, scale, field, quads, indices, kerb, near, cross, far, widen):
    """Paint the polygons of a track in order, then break the promises of NEAR and FAR near edges.

    Args:
        texture: uint8 (size * size,).
        quads: float64 (M, 4, 2), world units: left and right end of a tile's first edge, right
            and left end of its second, which is the first edge of the tile before it.
        indices: uint8 (M,), palette indices; indices below `kerb` + 2 belong to kerbs.
        near, cross, far: radii in texels: of NEAR along the road, of NEAR between two tiles, which
            differ by five levels at most, and of FAR. widen: how far edges move outwards.
    """
    keep, drop_near = np.uint8(0), np.uint8(255 - NEAR)
    both, none = np.uint8(255 - NEAR - FAR), np.uint8(0)
    starts, stops = np.empty(size, np.int64), np.empty(size, np.int64)
    local = np.empty((4, 2))
    wide = np.empty((4, 2))
    for step in range(2):
        for m in range(quads.shape[0]):
            for i in range(4):
                local[i, 0] = (quads[m, i, 0] + field) * scale + PAD
                local[i, 1] = (quads[m, i, 1] + field) * scale + PAD
            is_kerb = indices[m] < kerb + 2
            if step == 0:
                grow(local, widen, wide)
                value = indices[m] if is_kerb else indices[m] | np.uint8(NEAR)
                fill_quad(texture, size, wide, keep, np.uint8(value), starts, stops)
            elif is_kerb:
                grow(local, widen + near, wide)
                fill_quad(texture, size, wide, both, none, starts, stops)
            else:
                for i in range(1, 4):
                    j = (i + 1) & 3
                    radius = cross if i == 2 else near + widen
                    band(local[i, 0], local[i, 1], local[j, 0], local[j, 1], radius, wide)
                    fill_quad(texture, size, wide, drop_near, none, starts, stops)
            if step == 1:
                grow(local, widen + far, wide)
                fill_quad(texture, size, wide, np.uint8(255 - FAR), none, starts, stops)


@jit
def erase(texture, size, scale, field, quads, far, kinds, rows):
    """Take the polygons of a track off the texture: the empty field's row v is `rows` from
    kinds[v] * size on.

    Args:
        far: at least widen + far of `paint`. kinds: int64 (size,). rows: uint8 (K * size,).
    """
    starts, stops = np.empty(size, np.int64), np.empty(size, np.int64)
    local = np.empty((4, 2))
    wide = np.empty((4, 2))
    for m in range(quads.shape[0]):
        for i in range(4):
            local[i, 0] = (quads[m, i, 0] + field) * scale + PAD
            local[i, 1] = (quads[m, i, 1] + field) * scale + PAD
        grow(local, far, wide)
        first, end = spans(wide, size, starts, stops)
        for v in range(first, end):
            to, source = np.uint64(v * size + starts[v]), np.uint64(kinds[v] * size + starts[v])
            for u in range(stops[v] - starts[v]):
                texture[to + np.uint64(u)] = rows[source + np.uint64(u)]


@jit
def touch(texture, size, scale, field, quad, index, touched, widen):
    """Give the texels of one tile, which have palette index `index`, the index `touched`."""
    wide = np.empty((4, 2))
    local = np.empty((4, 2))
    for i in range(4):
        local[i, 0] = (quad[i, 0] + field) * scale + PAD
        local[i, 1] = (quad[i, 1] + field) * scale + PAD
    grow(local, widen, wide)
    starts, stops = np.empty(size, np.int64), np.empty(size, np.int64)
    first, end = spans(wide, size, starts, stops)
    for v in range(first, end):
        start = np.uint64(v * size + starts[v])
        for u in range(stops[v] - starts[v]):
            t = start + np.uint64(u)
            if texture[t] & INDEX == index:
                texture[t] = np.uint8((texture[t] & (NEAR | FAR)) | touched)


@part
def store(words, row, block, left, right):
    """Write four pixels: two pairs, each r | g << 8 | b << 16 in 24 bits, the left pixel low."""
    words[row, 3 * block] = np.uint32(left & 0xFFFFFFFF)
    words[row, 3 * block + 1] = np.uint32((left >> 32 | right << 16) & 0xFFFFFFFF)
    words[row, 3 * block + 2] = np.uint32(right >> 16)


@part
def seen(total, shades):
    """Return the pixel, r | g << 8 | b << 16, that a packed sum of samples looks like."""
    r, g, b = shades[total & LANE], shades[total >> 16 & LANE], shades[total >> 32]
    return np.int64(r) | np.int64(g) << 8 | np.int64(b) << 16


@part
def walk(scale, field, x, y, angle, zoom):
    """Return where the frame's corner lies in the texture, and the steps to the right and down."""
    step = scale / zoom
    cos, sin = math.cos(angle), math.sin(angle)
    uc, vc, ur, vr = PX * step * cos, PX * step * sin, PY * step * sin, -PY * step * cos
    left, top = -CAMERA_X / PX, (CAMERA_Y - SCREEN_H) / PY
    u0 = (x + field) * scale + PAD + left * uc + top * ur
    v0 = (y + field) * scale + PAD + left * vc + top * vr
    return u0, v0, uc, vc, ur, vr


@jit
def draw_field(
    words, texture, size, scale, field, packed, flat, shades, x, y, angle, zoom, nx, ny, near, far
):
    """Draw the playfield, black outside it, into rows 0:84.

    Args:
        packed: int64 (64,), the palette as r | g << 16 | b << 32.
        flat: int64 (64,), the palette as it is seen, r | g << 8 | b << 16.
        shades: uint8 (255 * nx * ny + 1,), what a sum of nx * ny samples looks like.
        x, y, angle: the hull's pose. zoom: screen pixels a world unit.
        nx, ny: samples across and down a pixel.
        near, far: the bits that cover the footprint of a pixel and of a 4x4 block at this zoom,
            or 0.
    """
    u0, v0, uc, vc, ur, vr = walk(scale, field, x, y, angle, zoom)
    n = nx * ny
    du, dv = np.empty(n, np.int64), np.empty(n, np.int64)
    for k in range(n):
        a, b = (k % nx + 0.5) / nx - 0.5, (k // nx + 0.5) / ny - 0.5
        du[k], dv[k] = int((a * uc + b * ur) * FIX), int((a * vc + b * vr) * FIX)
    fuc, fvc, fur, fvr = int(uc * FIX), int(vc * FIX), int(ur * FIX), int(vr * FIX)
    reach = 2 * (abs(uc) + abs(ur) + abs(vc) + abs(vr)) + 2
    last = size - 1
    for br in range(0, FIELD_ROWS, 4):
        for block in range(OBS_W // 4):
            uf = u0 + (4 * block + 2) * uc + (br + 2) * ur
            vf = v0 + (4 * block + 2) * vc + (br + 2) * vr
            margin = min(uf, vf, last - uf, last - vf)
            inside = margin > reach
            c = np.int64(0)
            t = far
            if inside:
                t = texture[np.uint64(int(vf) * size + int(uf))]
                c = flat[t & INDEX]
            if (inside and t & far) or margin < -reach:
                for row in range(br, br + 4):
                    store(words, row, block, c | c << 24, c | c << 24)
                continue
            u, v = int((uf - 1.5 * (uc + ur)) * FIX), int((vf - 1.5 * (vc + vr)) * FIX)
            for row in range(br, br + 4):
                left = right = np.int64(0)
                for col in range(4):
                    pu, pv = u + col * fuc, v + col * fvc
                    total = np.int64(0)
                    if inside:
                        t = texture[np.uint64((pv >> BITS) * size + (pu >> BITS))]
                        c = flat[t & INDEX]
                        if not t & near:
                            for k in range(n):
                                s = ((pv + dv[k]) >> BITS) * size + ((pu + du[k]) >> BITS)
                                total += packed[texture[np.uint64(s)] & INDEX]
                            c = seen(total, shades)
                    else:
                        for k in range(n):
                            su = min(max((pu + du[k]) >> BITS, 0), last)
                            sv = min(max((pv + dv[k]) >> BITS, 0), last)
                            total += packed[texture[np.uint64(sv * size + su)] & INDEX]
                        c = seen(total, shades)
                    if col < 2:
                        left |= c << 24 * col
                    else:
                        right |= c << 24 * (col - 2)
                store(words, row, block, left, right)
                u += fur
                v += fvr
