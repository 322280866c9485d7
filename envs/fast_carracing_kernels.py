"""numba kernels."""
from __future__ import annotations
import numpy as np
from numba import njit

@njit(cache=True, fastmath=True)
def fill_convex(tex, xs, ys, n, color, only_road, shrink):
    """Fill a convex polygon: texels whose centre lies inside."""
    h, w = tex.shape
    lo, hi = 1e9, -1e9
    for k in range(n):
        lo = min(lo, ys[k]); hi = max(hi, ys[k])
    y0 = max(0, int(np.ceil(lo - 0.5))); y1 = min(h - 1, int(np.floor(hi - 0.5)))
    for y in range(y0, y1 + 1):
        c = y + 0.5
        a, b = 1e9, -1e9
        for k in range(n):
            j = k + 1 if k + 1 < n else 0
            ya, yb = ys[k], ys[j]
            if (ya <= c) != (yb <= c):
                x = xs[k] + (c - ya) / (yb - ya) * (xs[j] - xs[k])
                a = min(a, x); b = max(b, x)
        if a > b:
            continue
        x0 = max(0, int(np.ceil(a - 0.5))); x1 = min(w - 1, int(np.floor(b - 0.5)))
        if only_road:
            for x in range(x0, x1 + 1):
                if 3 <= tex[y, x] <= 5:
                    tex[y, x] = color
        else:
            for x in range(x0, x1 + 1):
                tex[y, x] = color

@njit(cache=True)
def block_of(tex, by, bx):
    v = tex[4 * by, 4 * bx]
    for y in range(4 * by, 4 * by + 4):
        for x in range(4 * bx, 4 * bx + 4):
            if tex[y, x] != v:
                return 255
    return v

@njit(cache=True)
def update_flags(tex, solo, flags, by0, by1, bx0, bx1):
    n = solo.shape[0]
    by0 = max(by0, 0); bx0 = max(bx0, 0); by1 = min(by1, n - 1); bx1 = min(bx1, n - 1)
    for by in range(by0, by1 + 1):
        for bx in range(bx0, bx1 + 1):
            solo[by, bx] = block_of(tex, by, bx)
    for by in range(max(by0 - 1, 1), min(by1 + 1, n - 2) + 1):
        for bx in range(max(bx0 - 1, 1), min(bx1 + 1, n - 2) + 1):
            v = solo[by, bx]
            if v != 255:
                for dy in range(-1, 2):
                    for dx in range(-1, 2):
                        if solo[by + dy, bx + dx] != v:
                            v = 255
            flags[by, bx] = v

@njit(cache=True)
def bake(tex, solo, flags, quads, colors):
    for k in range(len(quads)):
        fill_convex(tex, quads[k, :, 0], quads[k, :, 1], 4, colors[k], False, 0.0)
    for k in range(len(quads)):
        x0, x1 = int(quads[k, :, 0].min()) >> 2, int(quads[k, :, 0].max()) >> 2
        y0, y1 = int(quads[k, :, 1].min()) >> 2, int(quads[k, :, 1].max()) >> 2
        update_flags(tex, solo, flags, y0, y1, x0, x1)

@njit(cache=True)
def restore(tex, solo, flags, tex0, solo0, flags0, quads):
    n, m = tex.shape[0], solo.shape[0]
    for k in range(len(quads)):
        x0, x1 = (int(quads[k, :, 0].min()) >> 2) - 1, (int(quads[k, :, 0].max()) >> 2) + 2
        y0, y1 = (int(quads[k, :, 1].min()) >> 2) - 1, (int(quads[k, :, 1].max()) >> 2) + 2
        x0 = max(x0, 0); y0 = max(y0, 0); x1 = min(x1, m); y1 = min(y1, m)
        if x0 >= x1 or y0 >= y1:
            continue
        tex[4*y0:4*y1, 4*x0:4*x1] = tex0[4*y0:4*y1, 4*x0:4*x1]
        solo[y0:y1, x0:x1] = solo0[y0:y1, x0:x1]
        flags[y0:y1, x0:x1] = flags0[y0:y1, x0:x1]

@njit(cache=True)
def repaint(tex, solo, flags, quad, color):
    fill_convex(tex, quad[:, 0], quad[:, 1], 4, color, True, 0.0)
    x0, x1 = int(quad[:, 0].min()) >> 2, int(quad[:, 0].max()) >> 2
    y0, y1 = int(quad[:, 1].min()) >> 2, int(quad[:, 1].max()) >> 2
    update_flags(tex, solo, flags, y0, y1, x0, x1)

@njit(cache=True, fastmath=True)
def draw(out, rows, tex, flags, palette, px, py, angle, zoom, scale, half):
    n = tex.shape[0]
    ca, sa = np.cos(angle), np.sin(angle)
    # world = pos + R(-angle) * (s - s0) / zoom
    k = scale / zoom
    # texel coordinates per surface unit
    ux, uy = ca * k, -sa * k     # d(texel)/d(surface x)
    vx, vy = sa * k, ca * k      # d(texel)/d(surface y), y up
    sw, sh = 1000.0 / 96, 800.0 / 96
    nx = max(4, int(np.ceil(sw * k / 4))); ny = max(3, int(np.ceil(sh * k / 4)))
    ox, oy = (px + half) * scale, (py + half) * scale
    quick = nx == 4 and ny == 3
    inv = 1.0 / (nx * ny)
    for i in range(rows):
        for j in range(96):
            cx = (j + 0.5) * sw - 500.0
            cy = 800.0 - (i + 0.5) * sh - 200.0
            tx = ox + cx * ux + cy * vx
            ty = oy + cx * uy + cy * vy
            if quick and 0.0 <= tx < n and 0.0 <= ty < n:
                f = flags[int(ty) >> 2, int(tx) >> 2]
                if f != 255:
                    out[i, j, 0] = palette[f, 0]; out[i, j, 1] = palette[f, 1]; out[i, j, 2] = palette[f, 2]
                    continue
            r = 0.0; g = 0.0; b = 0.0
            for q in range(ny):
                dy = -((q + 0.5) / ny - 0.5) * sh
                for p in range(nx):
                    dx = ((p + 0.5) / nx - 0.5) * sw
                    x = tx + dx * ux + dy * vx
                    y = ty + dx * uy + dy * vy
                    if 0.0 <= x < n and 0.0 <= y < n:
                        c = tex[int(y), int(x)]
                        r += palette[c, 0]; g += palette[c, 1]; b += palette[c, 2]
            out[i, j, 0] = int(r * inv); out[i, j, 1] = int(g * inv); out[i, j, 2] = int(b * inv)

@njit(cache=True, fastmath=True)
def draw_car(out, rows, canvas, polys, counts, colors, number, shades):
    """polys in image pixels (x right, y down)."""
    SX, SY = 8, 8
    x0, x1, y0, y1 = 1e9, -1e9, 1e9, -1e9
    for k in range(number):
        for v in range(counts[k]):
            x0 = min(x0, polys[k, v, 0]); x1 = max(x1, polys[k, v, 0])
            y0 = min(y0, polys[k, v, 1]); y1 = max(y1, polys[k, v, 1])
    c0 = max(0, int(np.floor(x0))); c1 = min(95, int(np.floor(x1)))
    r0 = max(0, int(np.floor(y0))); r1 = min(rows - 1, int(np.floor(y1)))
    if c0 > c1 or r0 > r1:
        return
    w, h = min(c1 - c0 + 1, canvas.shape[1] // SX), min(r1 - r0 + 1, canvas.shape[0] // SY)
    canvas[: h * SY, : w * SX] = 0
    sub = canvas[: h * SY, : w * SX]
    xs = np.empty(8); ys = np.empty(8)
    for k in range(number):
        for v in range(counts[k]):
            xs[v] = (polys[k, v, 0] - c0) * SX; ys[v] = (polys[k, v, 1] - r0) * SY
        fill_convex(sub, xs, ys, counts[k], colors[k], False, 0.0)
    for i in range(h):
        for j in range(w):
            n = 0; r = 0.0; g = 0.0; b = 0.0
            for y in range(i * SY, i * SY + SY):
                for x in range(j * SX, j * SX + SX):
                    c = sub[y, x]
                    if c:
                        n += 1; r += shades[c, 0]; g += shades[c, 1]; b += shades[c, 2]
            if n:
                rest = 64 - n
                o = out[r0 + i, c0 + j]
                o[0] = int((r + rest * o[0]) / 64); o[1] = int((g + rest * o[1]) / 64); o[2] = int((b + rest * o[2]) / 64)
