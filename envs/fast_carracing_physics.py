"""Gymnasium's CarRacing physics with less Python in it: the car, the contacts and the track.

Every operation on a number is Gymnasium's, in Gymnasium's order, so that all results keep their
bits; NumPy scalars became Python floats, and loops over a track became numba kernels.
"""

from __future__ import annotations

import math

import numpy as np
from gymnasium.envs.box2d.car_dynamics import (
    ENGINE_POWER,
    FRICTION_LIMIT,
    SIZE,
    WHEEL_MOMENT_OF_INERTIA,
    Car,
)
from gymnasium.envs.box2d.car_racing import FrictionDetector

from .fast_carracing_kernels import jit


class FastCar(Car):
    """Gymnasium's car, stepped with Python floats: same operations, same order, same bits.

    Box2D hands out references to a body's velocity and rotation, which stay current: they are
    fetched once, and live as long as the bodies.
    """

    def __init__(self, world, init_angle, init_x, init_y):
        super().__init__(world, init_angle, init_x, init_y)
        self.views = [(w, w.joint, w.transform.q, w.linearVelocity) for w in self.wheels]

    def destroy(self) -> None:
        """Remove the car's bodies from the world."""
        self.views = []
        super().destroy()

    def gas(self, gas: float) -> None:
        """Set the rear wheels' gas (0..1), which rises by at most 0.1 a step."""
        gas = min(max(gas, 0.0), 1.0)
        for w in self.wheels[2:4]:
            w.gas += min(gas - w.gas, 0.1)

    def step(self, dt: float) -> None:
        """Advance steering, wheel speeds and forces by dt seconds, as car_dynamics.Car.step."""
        for w, joint, rotation, velocity in self.views:
            lag = w.steer - joint.angle
            push = min(50.0 * abs(lag), 3.0)
            joint.motorSpeed = push if lag > 0 else -push

            # Every tile has the friction 1.0, the grass 0.6.
            grass = not w.tiles
            friction_limit = FRICTION_LIMIT * (0.6 if grass else 1.0)

            # GetWorldVector((1, 0)) and ((0, 1)): the columns of the rotation.
            sx, sy = rotation.c, rotation.s
            fx, fy = 0.0 - sy, sx
            vx, vy = velocity.x, velocity.y
            vf = fx * vx + fy * vy
            vs = sx * vx + sy * vy

            omega, gas, brake = w.omega, w.gas, w.brake
            omega += dt * ENGINE_POWER * gas / WHEEL_MOMENT_OF_INERTIA / (abs(omega) + 5.0)
            self.fuel_spent += dt * ENGINE_POWER * gas
            if brake >= 0.9:
                omega = 0.0
            elif brake > 0:
                val = min(15 * brake, abs(omega))
                omega += -val if omega > 0 else val
            w.phase += omega * dt

            f_force = (-vf + omega * w.wheel_rad) * (205000 * SIZE * SIZE)
            p_force = -vs * (205000 * SIZE * SIZE)
            force = math.sqrt(f_force * f_force + p_force * p_force)
            if force > 2.0 * friction_limit:
                self._skid(w, grass)
            else:
                w.skid_start = w.skid_particle = None
            if force > friction_limit:
                f_force = f_force / force * friction_limit
                p_force = p_force / force * friction_limit

            w.omega = omega - dt * f_force * w.wheel_rad / WHEEL_MOMENT_OF_INERTIA
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

    def BeginContact(self, contact):
        """Note that a wheel or the hull reached a tile."""
        tile, wheel = self._tile(contact)
        if tile is None or wheel is None:
            return
        wheel.tiles.add(tile)
        env = self.env
        if not tile.road_visited:
            tile.road_visited = True
            env.reward += 1000.0 / len(env.track)
            env.tile_visited_count += 1
            if tile.idx == 0:
                done = env.tile_visited_count / len(env.track)
                env.new_lap = env.new_lap or done > self.lap_complete_percent

    def EndContact(self, contact):
        """Note that a wheel or the hull left a tile."""
        tile, wheel = self._tile(contact)
        if tile is not None and wheel is not None:
            wheel.tiles.remove(tile)

    def _tile(self, contact):
        """Return the tile of a contact and the wheel, or None for the hull; paint the tile."""
        tile, other = contact.fixtureA.body.userData, contact.fixtureB.body.userData
        if tile is None or "road_friction" not in tile.__dict__:
            tile, other = other, tile
            if tile is None or "road_friction" not in tile.__dict__:
                return None, None
        if not tile.touched:
            tile.touched = True
            tile.color[:] = self.env.road_color
            self.env.touched.append(tile.polygon)
        return tile, other


@jit
def lay_track(noise, radius, detail, turn_rate, scale, start_alpha, max_steps):
    """Lay a track through random checkpoints: the middle of CarRacing._create_track, bit by bit.

    Args:
        noise: float64 (12, 2), angle and radius of each checkpoint as drawn.
        radius, detail, turn_rate, scale: TRACK_RAD, TRACK_DETAIL_STEP, TRACK_TURN_RATE, SCALE.

    Returns:
        float64 (n, 4): alpha, beta, x, y of the closed loop; n = 0 if it does not close.
    """
    count = noise.shape[0]
    points = np.empty((count, 3))
    for c in range(count):
        alpha = 2 * math.pi * c / count + noise[c, 0]
        rad = noise[c, 1]
        if c == 0:
            alpha, rad = 0.0, 1.5 * radius
        if c == count - 1:
            alpha, rad = 2 * math.pi * c / count, 1.5 * radius
        points[c, 0] = alpha
        points[c, 1], points[c, 2] = rad * math.cos(alpha), rad * math.sin(alpha)
    track = np.empty((max_steps, 4))
    n = 0
    x, y, beta = 1.5 * radius, 0.0, 0.0
    target, laps, other_side = 0, 0, False
    while n < max_steps:
        alpha = math.atan2(y, x)
        if other_side and alpha > 0:
            laps += 1
            other_side = False
        if alpha < 0:
            other_side = True
            alpha += 2 * math.pi
        while True:
            failed = True
            while True:
                if alpha <= points[target % count, 0]:
                    failed = False
                    break
                target += 1
                if target % count == 0:
                    break
            if not failed:
                break
            alpha -= 2 * math.pi
        r1x, r1y = math.cos(beta), math.sin(beta)
        dest_dx, dest_dy = points[target % count, 1] - x, points[target % count, 2] - y
        proj = r1x * dest_dx + r1y * dest_dy
        while beta - alpha > 1.5 * math.pi:
            beta -= 2 * math.pi
        while beta - alpha < -1.5 * math.pi:
            beta += 2 * math.pi
        before = beta
        proj *= scale
        if proj > 0.3:
            beta -= min(turn_rate, abs(0.001 * proj))
        if proj < -0.3:
            beta += min(turn_rate, abs(0.001 * proj))
        x += -r1y * detail
        y += r1x * detail
        track[n, 0], track[n, 1], track[n, 2], track[n, 3] = alpha, before * 0.5 + beta * 0.5, x, y
        n += 1
        if laps > 4:
            break
    first, last = -1, -1  # the second loop counts, found from behind
    i = n
    while first == -1:
        i -= 1
        if i == 0:
            return track[:0]
        if track[i, 0] > start_alpha and track[i - 1, 0] <= start_alpha:
            if last == -1:
                last = i
            else:
                first = i
    return track[first : last - 1]


@jit
def lay_kerbs_and_tiles(track, width, border, count, bend):
    """Turn a track into polygons, bit by bit as CarRacing._create_track does.

    Args:
        track: float64 (n, 4) from lay_track. width, border: half the road, and a kerb.
        count, bend: a kerb needs `count` bends to one side, each above `bend` radians.

    Returns:
        quads float64 (M, 4, 2) in drawing order, and owners int64 (M,): the number of the tile,
        or ~number for the kerb of that tile.
    """
    n = track.shape[0]
    kerb = np.zeros(n, np.bool_)
    for i in range(n):
        good, side = True, 0.0
        for k in range(count):
            turn = track[(i - k) % n, 1] - track[(i - k - 1) % n, 1]
            good &= abs(turn) > bend
            side += np.sign(turn)
        kerb[i] = good and abs(side) == count
    for i in range(n):
        for k in range(count):
            kerb[(i - k) % n] |= kerb[i]
    quads = np.empty((2 * n, 4, 2))
    owners = np.empty(2 * n, np.int64)
    m = 0
    for i in range(n):
        b1, x1, y1 = track[i, 1], track[i, 2], track[i, 3]
        b2, x2, y2 = track[i - 1, 1], track[i - 1, 2], track[i - 1, 3]
        c1, s1, c2, s2 = math.cos(b1), math.sin(b1), math.cos(b2), math.sin(b2)
        for part in range(2 if kerb[i] else 1):
            near, far = -width, width
            if part:
                side = np.sign(b2 - b1)
                near, far = side * width, side * (width + border)
            quads[m, 0, 0], quads[m, 0, 1] = x1 + near * c1, y1 + near * s1
            quads[m, 1, 0], quads[m, 1, 1] = x1 + far * c1, y1 + far * s1
            quads[m, 2, 0], quads[m, 2, 1] = x2 + far * c2, y2 + far * s2
            quads[m, 3, 0], quads[m, 3, 1] = x2 + near * c2, y2 + near * s2
            owners[m] = ~i if part else i
            m += 1
    return quads[:m], owners[:m]
