"""How an option is declared, read from JSON, checked and written as words of a command."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any


def opt(
    default: Any,
    help: str,
    *,
    choices: tuple = (),
    free: bool = False,
    low: float = 0,
    high: float = math.inf,
    name: str = "",
) -> Any:
    """Declare one option of a section: a field of its dataclass.

    Its kind is the field's: bool, int, float, str, or a list of one of them (`tuple[int, ...]`).

    Args:
        choices: the words that it may be; else any.
        free: it may change between two starts of a run; else it is fixed at the first.
        low, high: range of a number, or of every number of a list, both included.
        name: what it is called on the command line, if not as its field (`--in`).
    """
    meta = {"help": help, "choices": choices, "free": free, "low": low, "high": high, "name": name}
    return dataclasses.field(default=default, metadata=meta)


def flag(field: dataclasses.Field) -> str:
    """What an option is called on the command line, without the dashes before it."""
    return field.metadata["name"] or field.name.replace("_", "-")


def elements(value: Any) -> tuple:
    """The values of an option: those of a list, or the one."""
    return value if isinstance(value, tuple) else (value,)


def out_of_range(field: dataclasses.Field, value: Any) -> str:
    """What is wrong with an option's value, as "1.5; it must be at most 1"; or nothing."""
    low, high = field.metadata["low"], field.metadata["high"]
    for number in elements(value):
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            continue
        if not number >= low:
            return f"{number}; it must be at least {low:g}"
        if not number <= high:
            return f"{number}; it must be at most {high:g}"
    return ""


def frozen(section: Any) -> dict[str, Any]:
    """The options of a section that are fixed when a run first uses it."""
    fields = dataclasses.fields(section)
    return {f.name: getattr(section, f.name) for f in fields if not f.metadata["free"]}


def current(data: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """A section of a `config.json` under the names of today, lists as tuples.

    Args:
        renamed: today's names of options by the names that older runs know them by.
    """
    values = {renamed.get(name, name): value for name, value in data.items()}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def words(options: Any, base: Any, leave_out: tuple[str, ...] = ()) -> list[str]:
    """The words of a command that turn the options `base` of a section into `options`."""
    said = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if field.name in leave_out or value == getattr(base, field.name):
            continue
        if isinstance(value, bool):
            said.append(f"--{flag(field)}" if value else f"--no-{flag(field)}")
        else:
            said += [f"--{flag(field)}", *map(str, elements(value))]
    return said
