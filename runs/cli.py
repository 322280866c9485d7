"""The command line: every option of a stage, errors in one sentence, exit codes.

The preset gives the defaults, a run that exists gives back what it was made with, and the command
line has the last word.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import errno
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, get_type_hints

import config
import runs
from runs import workers


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; turn what the user can mend into one sentence and exit code 1."""
    try:
        main()
    except runs.RunError as error:
        sys.exit(1 if workers.rank() else f"error: {error}")
    except KeyboardInterrupt:
        if not workers.rank():
            print("\nstopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        if error.errno not in runs.MENDABLE:
            raise
        where = f" while writing {error.filename}" if error.filename else ""
        hint = "free some space, then the same command goes on"
        if error.errno in (errno.EACCES, errno.EROFS):
            hint = "make it writable, then run the same command"
        sys.exit(
            1 if workers.rank() else f"error: {os.strerror(error.errno).lower()}{where}; {hint}"
        )


class OptionParser(argparse.ArgumentParser):
    """argparse whose errors are one sentence, with the nearest name for an unknown option."""

    def error(self, message: str) -> NoReturn:
        word = message.split(":", 1)[-1].split()
        if message.startswith("unrecognized arguments") and word and word[0].startswith("-"):
            name = word[0].split("=")[0]
            near = difflib.get_close_matches(name, self._option_string_actions, n=1, cutoff=0.5)
            message = f"unknown option {name}" + (f"; did you mean {near[0]}?" if near else "")
        elif "invalid choice" in message:
            bad = message.split("invalid choice:", 1)[1].split("(")[0].strip().strip("'")
            options = message.split("choose from", 1)[1].strip(" )").replace("'", "")
            near = difflib.get_close_matches(bad, options.split(", "), n=1, cutoff=0.4)
            name = message.split("argument", 1)[1].split(":")[0].strip()
            message = f"unknown {name} {bad!r}; choose from {options}"
            message += f" (did you mean {near[0]}?)" if near else ""
        self.exit(2, "" if workers.rank() else f"{self.prog}: error: {message}\n")


def add_options(parser: argparse.ArgumentParser, section: type, defaults: Any) -> None:
    """Add one `--option` for each field of the dataclass `section`."""
    hints = get_type_hints(section)
    for field in dataclasses.fields(section):
        kind = hints[field.name]
        default = getattr(defaults, field.name)
        more: dict[str, Any] = {"type": kind}
        if kind is bool:
            more = {"action": argparse.BooleanOptionalAction}
        elif field.metadata["choices"]:
            more = {"choices": field.metadata["choices"]}
        text = field.metadata["help"]
        text += "" if "(default" in text else f" (default: {default})"
        name = "--" + (field.metadata["name"] or field.name.replace("_", "-"))
        parser.add_argument(
            name, dest=field.name, default=argparse.SUPPRESS, help=text.replace("%", "%%"), **more
        )


def parse(
    stage: str,
    doc: str,
    argv: list[str] | None = None,
    read_options: Callable[[str, config.Config], config.Config] | None = None,
) -> tuple[str, config.Config]:
    """Read a stage's command line.

    Args:
        read_options: applies the file named by `--options` to a config, if the script has one.

    Returns the run's name and its options: the preset's, over them what `log/<run>/config.json`
    says the run was made with, over them the command line. Exits with one sentence on an error.
    """
    argv = sys.argv[1:] if argv is None else argv
    formatter = argparse.RawDescriptionHelpFormatter
    parser = OptionParser(description=doc, formatter_class=formatter, allow_abbrev=False)
    presets = sorted({name for game in config.PRESETS.values() for name in game})
    parser.add_argument("game", choices=config.GAMES, help="the game")
    parser.add_argument("--run", help="the run's folder in log/ (default: the game's name)")
    parser.add_argument("--preset", choices=presets, help="sizes of a new run (default: full)")
    if read_options:
        parser.add_argument("--options", help="JSON file in the form of Planning-in-Imagination's")
    options = parser.add_argument_group(f"options of stage {stage}")

    # The defaults that --help shows, and the options themselves, depend on these three words.
    peek = OptionParser(add_help=False, allow_abbrev=False, prog=parser.prog)
    peek.add_argument("--run")
    peek.add_argument("--preset")
    peek.add_argument("--options")
    early, rest = peek.parse_known_args([a for a in argv if a not in ("-h", "--help")])
    game = next((word for word in rest if word in config.GAMES), config.GAMES[0])
    run = early.run or game
    base = known(run, game, early.preset, parser)
    if read_options and early.options:
        base = read_options(early.options, base)
    add_options(options, config.STAGES[stage], getattr(base, stage))
    given = vars(parser.parse_args(argv))
    changes = {k: v for k, v in given.items() if k not in ("game", "run", "preset", "options")}
    check_ranges(parser, config.STAGES[stage], changes)
    section = dataclasses.replace(getattr(base, stage), **changes)
    return run, dataclasses.replace(base, **{stage: section})


def check_ranges(parser: argparse.ArgumentParser, section: type, given: dict[str, Any]) -> None:
    """Exit with one sentence if a number is out of its option's range."""
    for field in dataclasses.fields(section):
        value, meta = given.get(field.name), field.metadata
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and not meta["low"] <= value <= meta["high"]:
            bound = f"at least {meta['low']:g}" if value < meta["low"] else ""
            bound = bound or f"at most {meta['high']:g}"
            parser.error(f"--{field.name.replace('_', '-')} is {value}; it must be {bound}")


def known(
    run: str, game: str, preset: str | None, parser: argparse.ArgumentParser
) -> config.Config:
    """The options of a run that exists, or of a preset for one that does not."""
    path = runs.folder(run) / "config.json"
    if not path.exists():
        if (preset or "full") not in config.PRESETS[game]:
            parser.error(
                f"{game} has no preset {preset}; choose from {', '.join(config.PRESETS[game])}"
            )
        return config.preset(game, preset or "full")
    try:
        saved = config.load(path)
    except ValueError as error:
        parser.error(str(error))
    hint = f"choose another --run, or delete {path.parent}"
    if saved.game != game:
        parser.error(f"run {run} plays {saved.game}, not {game}; {hint}")
    if preset and saved.preset != preset:
        parser.error(f"run {run} has preset {saved.preset}, not {preset}; {hint}")
    return saved
