"""Self-play, and the positions that training learns from."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import runs
from boards.players import Planner, opened
from config import Boards

Positions = dict[str, np.ndarray]  # boards int8 (n, R, C), policy float16 (n, A), value int8 (n,)


def self_play(
    rules: ModuleType, player: Planner, options: Boards, rng: np.random.Generator
) -> tuple[Positions, dict[str, float]]:
    """Play n_self_plays games side by side, a share of them from drawn openings.

    Returns:
        What happened: boards, the searches' policies, and the outcome for who was to move; and
        numbers about the games.
    """
    games = options.n_self_plays
    strange = round(options.drawn_starts * games)
    boards, at = rules.start(games), np.arange(games)
    if strange:
        boards[:strange] = opened(rules, strange, options.openings, rng)
    final, length = np.zeros(games, np.int8), np.zeros(games, int)
    seen: list[tuple[np.ndarray, ...]] = []
    progress, start, noise = (
        runs.Progress(games, "games"),
        time.monotonic(),
        (options.dirichlet_noise, options.noise_ratio),
    )
    while len(at):
        drawn = len(seen) < options.policy_warmup
        moves, policy = player.plan(boards, noise, rng, drawn)
        seen.append((at, boards, policy))
        boards, reward, over = rules.play(boards, moves)
        final[at[over]], length[at[over]] = reward[over], len(seen)
        at, boards = at[~over], boards[~over]
        progress.add(int(over.sum()), f"move {len(seen)}")
    game = np.concatenate([g for g, _, _ in seen])
    move = np.repeat(np.arange(len(seen)), [len(g) for g, _, _ in seen])
    value = np.where((length[game] - move) % 2 == 1, final[game], -final[game])
    positions = {
        "boards": np.concatenate([b for _, b, _ in seen]),
        "policy": np.concatenate([p for _, _, p in seen]).astype(np.float16),
        "value": value.astype(np.int8),
    }
    before = np.where(np.arange(games) < strange, options.openings, 0)
    first = np.where((before + length) % 2 == 1, final, -final)  # the outcome for who began
    facts = {
        "plies": round(float(length.mean()), 1),
        "first_won": round(float((first > 0).mean()), 3),
        "drawn": round(float((final == 0).mean()), 3),
        "plies_per_second": round(len(value) / (time.monotonic() - start), 1),
    }
    return positions, facts


class Replay:
    """The newest positions, in one file.

    Raises:
        RunError: the file is damaged.

    Attributes:
        positions: the oldest first.
        iteration: whose training has its games here. games: played so far.
        facts: numbers about the newest games.
    """

    def __init__(self, file: Path, rules: ModuleType):
        self.file, self.iteration, self.games = file, 0, 0
        self.facts: dict[str, Any] = {}
        self.positions = {
            "boards": rules.start(0),
            "policy": np.zeros((0, len(rules.NAMES)), np.float16),
            "value": np.zeros(0, np.int8),
        }
        if file.exists():
            data = runs.read_npz(file)
            if data.keys() != self.positions.keys() | {"state"}:
                raise runs.RunError(f"{file} is no replay; delete it to play anew")
            state = json.loads(data.pop("state").tobytes())
            self.positions = data
            self.iteration, self.games = state["iteration"], state["games"]
            self.facts = state["facts"]

    def __len__(self) -> int:
        return len(self.positions["value"])

    def add(self, new: Positions, limit: int) -> None:
        """Append positions; keep the newest `limit`."""
        for name, old in self.positions.items():
            self.positions[name] = np.concatenate([old, new[name]])[-limit:]

    def save(self) -> None:
        """Write the file in one piece."""
        state = {"iteration": self.iteration, "games": self.games, "facts": self.facts}
        text = np.frombuffer(json.dumps(state).encode(), np.uint8)
        runs.write_npz(self.file, self.positions | {"state": text})

    def batch(
        self, rows: np.ndarray, rules: ModuleType, turn: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boards, policy and value of rows (B,), each turned or mirrored as `turn` draws."""
        boards, policy, value = (part[rows] for part in self.positions.values())
        if turn is not None:
            cells, moves = (table for table in rules.SYMMETRIES)
            drawn = turn.integers(0, len(cells), len(rows))
            flat = boards.reshape(len(rows), -1)
            boards = np.take_along_axis(flat, cells[drawn], 1).reshape(boards.shape)
            policy = np.take_along_axis(policy, moves[drawn], 1)
        return boards, policy.astype(np.float32), value.astype(np.float32)
