"""The command line: every option of a stage, errors in one sentence, exit codes.

The preset gives the defaults, a run that exists gives back what it was made with, and the command
line has the last word. Which options and presets a script has is said in config/systems.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import errno
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

import config
import runs
from config.options import elements, flag, out_of_range
from runs import workers


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; turn what the user can mend into one sentence and exit code 1.

    An unexpected error of one MPI rank ends all of them (runs/workers.py: guard).
    """
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

    def __init__(self, doc: str | None = None, **more: Any):
        usual = {
            "description": doc,
            "formatter_class": argparse.RawDescriptionHelpFormatter,
            "allow_abbrev": False,
        }
        super().__init__(**(usual | more))

    def error(self, message: str) -> NoReturn:
        word = message.split(":", 1)[-1].split()
        if message.startswith("unrecognized arguments") and word and word[0].startswith("-"):
            message = self.unknown_option(word[0].split("=")[0])
        elif "invalid choice" in message:
            bad = message.split("invalid choice:", 1)[1].split("(")[0].strip().strip("'")
            options = message.split("choose from", 1)[1].strip(" )").replace("'", "")
            name = message.split("argument", 1)[1].split(":")[0].strip()
            message = unknown(name, bad, options.split(", "))
        self.exit(2, "" if workers.rank() else f"{self.prog}: error: {message}\n")

    def unknown_option(self, name: str) -> str:
        """Say that there is no such option, and which was meant."""
        for renamed in config.RENAMED.values():
            today = "--" + renamed.get(name[2:].replace("-", "_"), "").replace("_", "-")
            if today in self._option_string_actions:
                return f"{name} is called {today} now"
        near = difflib.get_close_matches(name, self._option_string_actions, n=1, cutoff=0.5)
        return f"unknown option {name}" + (f"; did you mean {near[0]}?" if near else "")


METAVARS = {int: "N", float: "X", str: "NAME"}


def unknown(what: str, word: str, words: Sequence[str]) -> str:
    """Say that a word is none of those that can be chosen from, and which was meant."""
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.4)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"unknown {what} {word!r}; choose from {', '.join(words)}{hint}"


def add_options(
    parser: Any, section: type, defaults: Any, prefix: str = "", leave_out: Sequence[str] = ()
) -> None:
    """Add one `--option` for each field of the dataclass `section`.

    Args:
        parser: an argument parser, or a group of one.
        defaults: a `section` whose values --help shows; the options themselves have none.
        prefix: what their names begin with, here and in what is parsed ("rnn.").
    """
    hints = get_type_hints(section)
    for field in dataclasses.fields(section):
        if field.name in leave_out:
            continue
        kind, more = hints[field.name], {}
        if get_origin(kind) is tuple:
            kind, more = get_args(kind)[0], {"nargs": "*"}
        if kind is bool:
            more = {"action": argparse.BooleanOptionalAction}
        elif field.metadata["choices"]:
            more["choices"] = field.metadata["choices"]
        else:
            more |= {"type": kind, "metavar": METAVARS[kind]}
        text = field.metadata["help"]
        default = " ".join(map(str, elements(getattr(defaults, field.name)))) or "none"
        text += "" if "(default" in text else f" (default: {default})"
        parser.add_argument(
            f"--{prefix}{flag(field)}",
            dest=prefix + field.name,
            default=argparse.SUPPRESS,
            help=text.replace("%", "%%"),
            **more,
        )


def offered(stage: str) -> dict[str, tuple[str, ...]]:
    """The sections that a script offers options of, its own first, and which it leaves out."""
    return {stage: ()} | dict(config.STAGES[stage].opens)


def make_parser(stage: str, doc: str, cfg: config.Config, options_file: bool) -> OptionParser:
    """The command line of a stage's script; --help shows the values of `cfg`."""
    parser = OptionParser(doc, usage="%(prog)s game [--option value ...]")
    systems = config.systems_of(stage)
    games = [game for system in systems for game in system.presets]
    generic = ", or what Gymnasium calls it (CartPole-v1, module:Id-v0)"
    any_game = generic if any(system.generic for system in systems) else ""
    parser.add_argument("game", help=f"the game: {', '.join(games)}{any_game}")
    parser.add_argument("--run", help="the run's folder in log/ (default: the game's name)")
    sizes = ", ".join(config.owner(cfg.game, systems).sizes(cfg.game))
    parser.add_argument(
        "--preset", help=f"sizes of a new run of {cfg.game}: {sizes} (default: full)"
    )
    if options_file:
        parser.add_argument("--options", help="JSON file in the form of Planning-in-Imagination's")
    for section, leave_out in offered(stage).items():
        mine, kind = section == stage, config.STAGES[section].options
        group = parser.add_argument_group(f"options of {'stage ' if mine else ''}{section}")
        prefix = "" if mine else f"{section}."
        add_options(group, kind, getattr(cfg, section), prefix, leave_out)
    return parser


def parse(
    stage: str,
    doc: str,
    argv: list[str] | None = None,
    read_options: Callable[[str, config.Config], config.Config] | None = None,
) -> tuple[str, config.Config]:
    """Read the command line of a stage's script.

    Args:
        read_options: applies the file named by `--options` to a config, if the script has one.

    Returns the run's name and its options: the preset's, over them what `log/<run>/config.json`
    says the run was made with, over them the command line. Exits with one sentence on an error.
    """
    argv = sys.argv[1:] if argv is None else argv
    game = next(iter(config.systems_of(stage)[0].presets))
    parser = make_parser(stage, doc, config.preset(game, "full"), bool(read_options))
    if {"-h", "--help"} & set(argv):
        cfg = meant(parser, stage, argv) or config.preset(game, "full")
        make_parser(stage, doc, cfg, bool(read_options)).parse_args(["--help"])
    given = vars(parser.parse_args(argv))
    run, cfg = opened(parser, stage, given)
    if given.get("options"):
        cfg = read_options(given["options"], cfg)
    return run, changed(parser, stage, cfg, given)


def changed(
    parser: OptionParser, stage: str, cfg: config.Config, given: dict[str, Any]
) -> config.Config:
    """Put what was typed into the sections that a stage's script offers."""
    for section in offered(stage):
        prefix, kind = "" if section == stage else f"{section}.", config.STAGES[section].options
        names = {field.name: prefix + field.name for field in dataclasses.fields(kind)}
        values = {k: as_option(given[name]) for k, name in names.items() if name in given}
        check_ranges(parser, kind, values, prefix)
        options = dataclasses.replace(getattr(cfg, section), **values)
        cfg = dataclasses.replace(cfg, **{section: options})
    return cfg


def as_option(value: Any) -> Any:
    """A parsed value as an option keeps it."""
    return tuple(value) if isinstance(value, list) else value


def meant(parser: OptionParser, stage: str, argv: list[str]) -> config.Config | None:
    """The options that a command line with --help speaks of; None if it is not a whole one."""
    words = [word for word in argv if word not in ("-h", "--help")]
    parser.exit = quietly
    try:
        return opened(parser, stage, vars(parser.parse_args(words)))[1]
    except ValueError:
        return None


def quietly(status: int = 0, message: str | None = None) -> NoReturn:
    """In place of a parser's `exit`: what is wrong is not said now."""
    raise ValueError(message)


def opened(parser: OptionParser, stage: str, given: dict[str, Any]) -> tuple[str, config.Config]:
    """The run that a command line names, and its options: those of a run that exists, or else of a
    preset."""
    game, name, systems = given["game"], given["preset"], config.systems_of(stage)
    if not any(system.sizes(game) for system in systems):
        games = [game for system in systems for game in system.presets]
        if any(system.sizes(game) for system in config.SYSTEMS.values()):
            parser.error(f"{game} is not for this script; choose from {', '.join(games)}")
        parser.error(unknown("game", game, games))
    run = given["run"] or config.run_name(game)
    trains = systems[0].name if systems[0].trainer == stage else ""
    if (runs.folder(run) / "config.json").exists():
        saved = reopened(parser, run, game, name, trains)
        return run, dataclasses.replace(saved, system=trains or saved.system)
    owner = config.owner(game, systems)
    if (name or "full") not in owner.sizes(game):
        parser.error(unknown("preset", name, list(owner.sizes(game))))
    return run, config.preset(game, name or "full", trains or owner.name)


def reopened(
    parser: OptionParser, run: str, game: str, preset: str | None, trains: str
) -> config.Config:
    """The options of a run that exists; exit with one sentence if it is not the one that is meant.

    Args:
        trains: the system whose trainer is called, if it is one.
    """
    path = runs.folder(run)
    try:
        saved = config.load(path / "config.json")
    except ValueError as error:
        parser.error(str(error))
    hint = f"choose another --run, or delete {path}"
    if saved.game != game:
        parser.error(f"run {run} plays {saved.game}, not {game}; {hint}")
    if preset and saved.preset != preset:
        parser.error(f"run {run} has preset {saved.preset}, not {preset}; {hint}")
    theirs = config.SYSTEMS[saved.system]
    if trains not in ("", theirs.name) and (path / theirs.trainer).exists():
        parser.error(f"run {run} was trained by {theirs.stages[theirs.trainer].script}; {hint}")
    return saved


def check_ranges(
    parser: OptionParser, section: type, given: dict[str, Any], prefix: str = ""
) -> None:
    """Exit with one sentence if a number is out of its option's range."""
    for field in dataclasses.fields(section):
        wrong = out_of_range(field, given[field.name]) if field.name in given else ""
        if wrong:
            parser.error(f"--{prefix}{flag(field)} is {wrong}")
