"""mine"""
from __future__ import annotations
import functools, math
import gymnasium, numpy as np
from gymnasium.envs.box2d import car_dynamics as cd
from gymnasium.envs.box2d import car_racing as cr
from gymnasium.envs.box2d.car_racing import CarRacing, FrictionDetector
from envs import fast_carracing_kernels as kernels

S = 6.0
N = 4000
BLACK, BG, GRASS, ROAD, WHITE, RED = 0, 1, 2, 3, 6, 7
PAL = np.array([[0,0,0],[102,204,102],[102,230,102],[102,102,102],[104,104,104],[107,107,107],[255,255,255],[255,0,0]], float)
PALETTE = np.where(PAL > 0, PAL - 2, 0)
SHADES = np.array([[0,0,0],[0,0,0],[75,75,75],[202,0,0]], float)

@functools.cache
def template():
    tex = np.full((N, N), BG, np.uint8)
    d = cr.GRASS_DIM
    for x in range(-20, 20, 2):
        for y in range(-20, 20, 2):
            a, b = (d*x + cr.PLAYFIELD)*S, (d*x + d + cr.PLAYFIELD)*S
            e, f = (d*y + cr.PLAYFIELD)*S, (d*y + d + cr.PLAYFIELD)*S
            tex[int(round(e)):int(round(f)), int(round(a)):int(round(b))] = GRASS
    solo = np.zeros((N//4, N//4), np.uint8); flags = np.full_like(solo, 255)
    kernels.update_flags(tex, solo, flags, 0, N//4-1, 0, N//4-1)
    return tex, solo, flags

class Listener(FrictionDetector):
    def _contact(self, contact, begin):
        for u in (contact.fixtureA.body.userData, contact.fixtureB.body.userData):
            if u is not None and "road_friction" in u.__dict__ and u.idx in self.env._fresh:
                self.env._fresh.discard(u.idx); self.env._queue.append(u.idx)
        super()._contact(contact, begin)

class FastCar(cd.Car):
    def steer(self, s): super().steer(float(s))
    def brake(self, b): super().brake(float(b))
    def gas(self, gas):
        gas = min(max(float(gas), 0.0), 1.0)
        for w in self.wheels[2:4]:
            w.gas += min(gas - w.gas, 0.1)
    def step(self, dt):
        for w in self.wheels:
            joint = w.joint
            off = w.steer - joint.angle
            joint.motorSpeed = math.copysign(min(50.0 * abs(off), 3.0), off) if off else 0.0
            grass = True
            limit = cd.FRICTION_LIMIT * 0.6
            for tile in w.tiles:
                limit = max(limit, cd.FRICTION_LIMIT * tile.road_friction)
                grass = False
            fx, fy = w.GetWorldVector((0, 1)); sx, sy = w.GetWorldVector((1, 0))
            vx, vy = w.linearVelocity
            vf = fx * vx + fy * vy
            vs = sx * vx + sy * vy
            omega = w.omega
            omega += dt * cd.ENGINE_POWER * w.gas / cd.WHEEL_MOMENT_OF_INERTIA / (abs(omega) + 5.0)
            self.fuel_spent += dt * cd.ENGINE_POWER * w.gas
            if w.brake >= 0.9:
                omega = 0
            elif w.brake > 0:
                val = 15 * w.brake
                if val > abs(omega):
                    val = abs(omega)
                if omega: omega += -math.copysign(1.0, omega) * val
            w.phase += omega * dt
            f = (-vf + omega * w.wheel_rad) * (205000 * cd.SIZE * cd.SIZE) if False else -vf + omega * w.wheel_rad
            p = -vs
            f *= 205000 * cd.SIZE * cd.SIZE
            p *= 205000 * cd.SIZE * cd.SIZE
            force = math.sqrt(f * f + p * p)
            if force > 2.0 * limit:
                if w.skid_particle and w.skid_particle.grass == grass and len(w.skid_particle.poly) < 30:
                    w.skid_particle.poly.append((w.position[0], w.position[1]))
                elif w.skid_start is None:
                    w.skid_start = w.position
                else:
                    w.skid_particle = self._create_particle(w.skid_start, w.position, grass)
                    w.skid_start = None
            else:
                w.skid_start = None; w.skid_particle = None
            if force > limit:
                f /= force; p /= force
                f *= limit; p *= limit
            w.omega = omega - dt * f * w.wheel_rad / cd.WHEEL_MOMENT_OF_INERTIA
            w.ApplyForceToCenter((p * sx + f * fx, p * sy + f * fy), True)

HULL = [np.array(p, float) * cd.SIZE for p in (cd.HULL_POLY1, cd.HULL_POLY2, cd.HULL_POLY3, cd.HULL_POLY4)]

class FastCarRacing(CarRacing):
    def __init__(self, rows=96, **kw):
        super().__init__(**kw)
        self.rows = rows
        self.observation_space = gymnasium.spaces.Box(0, 255, (rows, 96, 3), np.uint8)
        self._tex = None
        self._polys = np.zeros((12, 8, 2)); self._counts = np.zeros(12, np.int64); self._colors = np.zeros(12, np.uint8)
        self._canvas = np.zeros((40 * 8, 40 * 8), np.uint8)

    def _create_track(self):
        ok = super()._create_track()
        if ok: self._bake()
        return ok

    def _bake(self):
        tex0, solo0, flags0 = template()
        if self._tex is None:
            self._tex, self._solo, self._flags = tex0.copy(), solo0.copy(), flags0.copy()
        else:
            kernels.restore(self._tex, self._solo, self._flags, tex0, solo0, flags0, self._quads)
        quads, colors, self._tile_quads = [], [], {}
        tiles = iter(self.road)
        for poly, color in self.road_poly:
            q = (np.array([(p[0], p[1]) for p in poly]) + cr.PLAYFIELD) * S
            quads.append(q)
            if color[1] == 0 or color[0] > 200: colors.append(WHITE if color[1] else RED)
            else: colors.append(ROAD + int(round((color[0] - 102) / 2.55)))
        self._quads = np.array(quads); kernels.bake(self._tex, self._solo, self._flags, self._quads, np.array(colors, np.uint8))
        roads = [i for i, c in enumerate(colors) if c < WHITE]
        self._tile_quad = roads
        self._fresh = set(range(len(self.road)))
        self._queue = []

    def reset(self, **kw):
        super().reset(**kw)
        self.car.__class__ = FastCar
        self.world.contactListener_bug_workaround = Listener(self, self.lap_complete_percent)
        self.world.contactListener = self.world.contactListener_bug_workaround
        for t in self.road:
            if t.color[0] == 102 and t.idx % 3: self._queue.append(t.idx); self._fresh.discard(t.idx)
        self.state = self._render("state_pixels")
        return self.state, {}

    def _render(self, mode):
        if mode != "state_pixels": return super()._render(mode)
        for i in self._queue:
            kernels.repaint(self._tex, self._solo, self._flags, self._quads[self._tile_quad[i]], ROAD)
        self._queue.clear()
        out = np.empty((self.rows, 96, 3), np.uint8)
        hull = self.car.hull
        px, py = hull.position
        angle = hull.angle
        zoom = 0.1 * cr.SCALE * max(1 - self.t, 0) + cr.ZOOM * cr.SCALE * min(self.t, 1)
        kernels.draw(out, self.rows, self._tex, self._flags, PALETTE, px, py, -angle, zoom, S, cr.PLAYFIELD)
        k = 0
        W, R = cd.WHEEL_W * cd.SIZE, cd.WHEEL_R * cd.SIZE
        ca, sa = math.cos(-angle), math.sin(-angle)
        fx, fy = 96 / 1000, 96 / 800
        for w in self.car.wheels:
            x, y = w.position
            dx, dy = x - px, y - py
            cx, cy = ca * dx - sa * dy, sa * dx + ca * dy
            a = w.angle - angle
            c, s = math.cos(a), math.sin(a)
            s1, s2 = math.sin(w.phase), math.sin(w.phase + 1.2)
            c1, c2 = math.cos(w.phase), math.cos(w.phase + 1.2)
            boxes = [(R, -R, 1)]
            if not (s1 > 0 and s2 > 0):
                if s1 > 0: c1 = np.sign(c1)
                if s2 > 0: c2 = np.sign(c2)
                boxes.append((R * c1, R * c2, 2))
            for top, bottom, color in boxes:
                for v, (ax, ay) in enumerate(((-W, top), (W, top), (W, bottom), (-W, bottom))):
                    self._polys[k, v, 0] = (500 + (cx + c * ax - s * ay) * zoom) * fx
                    self._polys[k, v, 1] = (600 - (cy + s * ax + c * ay) * zoom) * fy
                self._counts[k] = 4; self._colors[k] = color; k += 1
        for h in HULL:
            n = len(h)
            self._polys[k, :n, 0] = (500 + h[:, 0] * zoom) * fx
            self._polys[k, :n, 1] = (600 - h[:, 1] * zoom) * fy
            self._counts[k] = n; self._colors[k] = 3; k += 1
        kernels.draw_car(out, self.rows, self._canvas, self._polys, self._counts, self._colors, k, SHADES)
        return out
if "FastCarRacing-v3" not in gymnasium.registry:
    gymnasium.register("FastCarRacing-v3", entry_point=FastCarRacing, max_episode_steps=1000)
