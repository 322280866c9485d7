"""Files written in one piece, and read without running code."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from runs.errors import RunError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file as a whole: a temporary one beside it is renamed when the block ends well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep(path: Path) -> None:
    """Delete temporary files that a killed process left in a folder."""
    for file in [*path.rglob(".*.tmp"), *path.rglob(".*.tmp.*")]:
        file.unlink(missing_ok=True)


def write_json(path: Path, data: Any, **how: Any) -> None:
    """Write JSON in one piece."""
    with replacing(path) as file:
        file.write((json.dumps(data, **({"indent": 1} | how)) + "\n").encode())


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an uncompressed npz in one piece."""
    with replacing(path) as file:
        np.savez(file, **arrays)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read an npz, pickles refused.

    Raises:
        RunError: the file is truncated, empty or not an npz of plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except FileNotFoundError:
        raise RunError(f"no file {path}") from None
    except Exception as error:
        raise RunError(f"{path} is truncated or not an npz of ours ({error})") from None


def fingerprint(path: Path) -> str:
    """First 16 hex digits of a file's SHA-256: tells whether an artefact is still the same."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
