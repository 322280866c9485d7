"""The rows of `metrics.jsonl`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from runs.files import replacing


class Metrics:
    """Append rows to `metrics.jsonl`; on opening, drop a torn last line and rows from `start` on.

    Args:
        path: the stage's folder.
        key: the column that counts (epoch, step, generation).
        start: first value of `key` that will be written again; None keeps all rows.
    """

    def __init__(self, path: Path, key: str = "", start: float | None = None):
        self.file = path / "metrics.jsonl"
        first = float("inf") if start is None else start
        rows = [row for row in read_metrics(self.file) if row.get(key, 0) < first]
        with replacing(self.file) as file:
            file.writelines((json.dumps(row) + "\n").encode() for row in rows)

    def write(self, **row: Any) -> None:
        """Append one row."""
        with open(self.file, "a") as file:
            file.write(json.dumps(row) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Rows of a `metrics.jsonl`; a torn last line is left out."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text().splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            rows.append(json.loads(line))
    return rows
