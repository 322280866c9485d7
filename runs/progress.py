"""How fast work goes, and how long it will take."""

from __future__ import annotations

import time


class Progress:
    """Count work and print how fast it goes: a line every few seconds, not a bar, so that a log
    file can be read too."""

    def __init__(self, total: int, unit: str, done: int = 0, every: float = 5.0):
        self.total, self.unit, self.every = total, unit, every
        self.done = self.first = done
        self.start = self.last = time.monotonic()

    def add(self, n: int, note: str = "") -> None:
        """Count `n` more; print a line if it is time, or if this was the last."""
        self.done += n
        now = time.monotonic()
        if now - self.last < self.every and self.done < self.total:
            return
        self.last = now
        rate = (self.done - self.first) / max(now - self.start, 1e-9)
        left = clock((self.total - self.done) / rate) if rate > 0 else "?"
        print(
            f"  {self.done:,}/{self.total:,} {self.unit} · {rate:,.4g}/s · {left} left"
            + (f" · {note}" if note else ""),
            flush=True,
        )


def clock(seconds: float) -> str:
    """Write seconds as 1:02:03 or 2:03."""
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
