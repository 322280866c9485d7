"""Gymnasium's CarRacing physics with less Python in it: the car and the contacts.

Every operation on a number is that of gymnasium.envs.box2d (MIT), in its order, so that all results
keep their bits; NumPy scalars became Python floats.
"""

from __future__ import annotations

import math

from gymnasium.envs.box2d.car_dynamics import (
    ENGINE_POWER,
    FRICTION_LIMIT,
    SIZE,
    WHEEL_MOMENT_OF_INERTIA,
    Car,
)
from gymnasium.envs.box2d.car_racing import FrictionDetector


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
