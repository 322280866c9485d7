"""The registry of systems and the command line: options of every kind, presets, games, old runs."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import json
import sys

import pytest

import boards
import config
import envs
import runs
from config import systems
from config.options import current, opt, out_of_range, words
from runs import cli
from tests.conftest import ROOT


@pytest.fixture
def parse(tmp_path, monkeypatch, capsys):
    """Parse a command line in an empty folder; returns (run, Config), or the error's text."""
    monkeypatch.chdir(tmp_path)

    def parsed(stage: str, *words: str):
        try:
            return cli.parse(stage, "", list(words))
        except SystemExit as end:
            shown = capsys.readouterr()
            if end.code == 0:
                return shown.out
            assert end.code == 2 and len(shown.err.strip().splitlines()) == 1
            return shown.err

    return parsed


def script_of(stage: str):
    """The module of a stage's script."""
    words = config.STAGES[stage].script
    return importlib.import_module(words.removeprefix("-m ").removesuffix(".py"))


@pytest.mark.parametrize("system", config.SYSTEMS.values(), ids=lambda s: s.name)
def test_what_a_system_says_is_there(system):
    assert system.trainer in system.stages and importlib.util.find_spec(system.evaluator)
    for name, stage in system.stages.items():
        assert isinstance(getattr(config.Config(), name), stage.options)
        assert script_of(name).main
        for section, left_out in stage.opens.items():
            fields = {f.name for f in dataclasses.fields(config.STAGES[section].options)}
            assert section in system.stages and set(left_out) <= fields
    for game in (*system.presets, *(["CartPole-v1"] if system.generic else [])):
        for name, sections in system.sizes(game).items():
            cfg = config.preset(game, name, system.name)
            assert (cfg.game, cfg.preset, cfg.system) == (game, name, system.name)
            assert sections.keys() <= system.stages.keys()
            for section in system.stages:
                for field in dataclasses.fields(getattr(cfg, section)):
                    value = getattr(getattr(cfg, section), field.name)
                    assert not out_of_range(field, value), (game, name, section, field.name)
                    assert value in (field.metadata["choices"] or (value,))


def test_every_game_is_of_some_system():
    board_games = config.SYSTEMS["boards"].presets
    assert set(config.GAMES) == set(envs.GAMES) and set(board_games) == set(boards.GAMES)
    assert not set(envs.GAMES) & set(boards.GAMES)


@pytest.mark.parametrize("stage", config.STAGES)
def test_help_explains_every_option(stage, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [stage, "--help"])
    with pytest.raises(SystemExit) as end:
        script_of(stage).main()
    text = capsys.readouterr().out
    assert end.value.code == 0
    for section, left_out in cli.offered(stage).items():
        prefix = "" if section == stage else f"{section}."
        for field in dataclasses.fields(config.STAGES[section].options):
            name = field.metadata["name"] or field.name.replace("_", "-")
            assert (f"--{prefix}{name} " in text + " ") == (field.name not in left_out) or (
                isinstance(field.default, bool) and f"--no-{prefix}{name}" in text
            )
            assert field.metadata["help"]
    assert not list(tmp_path.iterdir())


def test_help_shows_the_values_of_the_preset_and_of_the_run(parse, tmp_path):
    assert "(default: 10000)" in parse("record", "--help")
    assert "(default: 1500)" in parse("record", "carracing", "--preset", "small", "--help")
    assert "full, small, toy (default" in " ".join(parse("record", "breakout", "-h").split())
    run, cfg = parse("record", "carracing", "--episodes", "77")
    runs.claim(run, "record", cfg)
    assert "(default: 77)" in parse("record", "-h", "carracing")


WRONG = {
    ("record", "carracing", "--run"): "expected one argument",
    ("record", "carracing", "--episodes", "0"): "--episodes is 0; it must be at least 1",
    ("record", "carracing", "--episods", "3"): "did you mean --episodes?",
    ("record", "carracing", "--engine", "fastt"): "did you mean fast?",
    ("record", "--episodes", "many", "carracing"): "invalid int value",
    ("record", "carracing", "--preset", "tiny"): "choose from full, small",
    ("record", "carracin"): "did you mean carracing?",
    ("record",): "required: game",
    ("record", "connect4"): "connect4 is not for this script",
    ("vae", "carracing", "--holdout", "0.9"): "--holdout is 0.9; it must be at most 0.5",
    ("series", "carracing", "--batch-size", "0"): "--batch-size is 0",
    ("rnn", "carracing", "--validate-every", "0"): "--validate-every is 0",
    ("controller", "takecover", "--preset", "demo"): "unknown preset 'demo'",
    ("controller", "carracing", "--eval-every", "0"): "--eval-every is 0",
    ("planner", "carracing"): "carracing is not for this script; choose from breakout",
    ("planner", "catch", "--hiden-size", "3"): "did you mean --rnn.hidden-size?",
    ("planner", "catch", "--rnn.holdout", "2"): "--rnn.holdout is 2.0; it must be at most 0.5",
    ("planner", "catch", "--rnn.steps", "9"): "unknown option --rnn.steps",
    ("planner", "catch", "--warmup", "9"): "--warmup is called --policy-warmup now",
    ("boards", "conect4"): "did you mean connect4?",
    ("boards", "connect4", "--max-iter", "-1"): "--max-iter is -1; it must be at least 0",
    ("boards", "CartPole-v1"): "CartPole-v1 is not for this script",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_one_sentence(words, parse):
    assert WRONG[words] in parse(*words)


def test_the_game_is_the_word_in_its_place(parse):
    run, cfg = parse("record", "--source", "takecover", "carracing")
    assert (run, cfg.game, cfg.record.source) == ("carracing", "carracing", "takecover")
    run, cfg = parse("boards", "--run", "tictactoe", "connect4")
    assert (run, cfg.game) == ("tictactoe", "connect4")


def test_a_script_opens_several_sections(parse, tmp_path):
    typed = ("--c", "2", "--rnn.hidden-size", "64", "--vae.z-size", "16", "--no-vae.standardize")
    run, cfg = parse("planner", "catch", *typed)
    assert (cfg.planner.c, cfg.rnn.hidden_size, cfg.vae.z_size) == (2.0, 64, 16)
    assert cfg.system == "alphazero" and not cfg.vae.standardize
    for stage in ("planner", "vae", "rnn"):
        runs.claim(run, stage, cfg)
    assert parse("rnn", "catch") == (run, cfg)  # the stage's own script goes on with them
    _, other = parse("planner", "catch", "--rnn.hidden-size", "32", "--vae.learning-rate", "0.5")
    runs.claim(run, "vae", other)
    with pytest.raises(runs.RunError, match="rnn .* made with hidden_size=64, not 32"):
        runs.claim(run, "rnn", other)


@dataclasses.dataclass(frozen=True)
class Section:
    tau: tuple[int, ...] = opt((1, 2), "periods", low=1)
    names: tuple[str, ...] = opt(("a",), "words", choices=("a", "b"), free=True)
    scale: float = opt(0.5, "of all", high=1.0, name="by")
    loud: bool = opt(True, "or not")


def test_an_option_may_be_a_list(capsys):
    parser = cli.OptionParser("")
    cli.add_options(parser, Section, Section(), "cw.")
    given = vars(parser.parse_args(["--cw.tau", "1", "2", "4", "--cw.names", "b", "--no-cw.loud"]))
    values = {k.removeprefix("cw."): cli.as_option(v) for k, v in given.items()}
    section = dataclasses.replace(Section(), **values)
    assert section == Section(tau=(1, 2, 4), names=("b",), loud=False)
    assert "(default: 1 2)" in parser.format_help()
    saved = json.loads(json.dumps(dataclasses.asdict(section)))
    assert saved["tau"] == [1, 2, 4] and Section(**current(saved, {})) == section
    said = words(dataclasses.replace(section, scale=0.25), Section())
    assert said == ["--tau", "1", "2", "4", "--names", "b", "--by", "0.25", "--no-loud"]
    for values, wrong in (
        ({"tau": (1, 0)}, "--cw.tau is 0; it must be at least 1"),
        ({"scale": 1.5}, "--cw.by is 1.5; it must be at most 1"),
        ({"scale": float("nan")}, "--cw.by is nan"),
    ):
        with pytest.raises(SystemExit):
            cli.check_ranges(parser, Section, values, "cw.")
        assert wrong in capsys.readouterr().err


def test_a_system_with_lists_moves_in(parse, monkeypatch, tmp_path):
    """What config/systems.py asks for is all that it takes."""
    stage = systems.Stage(Section, "train_clocks.py", opens={"rnn": ()})
    sizes = {"full": {"clocks": {"tau": (2, 4)}}, "toy": {"rnn": {"hidden_size": 3}}}
    system = systems.System(
        name="clocks",
        stages={"rnn": config.STAGES["rnn"], "clocks": stage},
        trainer="clocks",
        presets={"catch": sizes},
        generic={},
        evaluator="evaluate",
    )
    field = ("clocks", Section, Section())
    whole = dataclasses.make_dataclass("Whole", [field], bases=(config.Config,), frozen=True)
    monkeypatch.setitem(config.SYSTEMS, "clocks", system)
    monkeypatch.setitem(config.STAGES, "clocks", stage)
    monkeypatch.setattr(config, "Config", whole)
    run, cfg = parse("clocks", "catch", "--preset", "toy", "--rnn.passes", "2")
    assert (cfg.clocks.tau, cfg.rnn.hidden_size, cfg.rnn.passes) == ((2, 4), 3, 2)
    runs.claim(run, "clocks", cfg)
    runs.claim(run, "rnn", cfg)
    data = json.loads((tmp_path / "log/catch/config.json").read_text())
    assert data["clocks"]["tau"] == [2, 4] and data["system"] == "clocks"
    assert parse("clocks", "catch") == (run, cfg)
    _, cfg = parse("clocks", "catch", "--tau", "2", "8")
    with pytest.raises(runs.RunError, match=r"tau=\(2, 4\), not \(2, 8\)"):
        runs.claim(run, "clocks", cfg)
    assert "breakout is not for this script; choose from catch" in parse("clocks", "breakout")


def write(path, **data):
    path.mkdir(parents=True)
    runs.write_json(path / "config.json", data)


def test_options_of_older_runs_are_read_under_their_names_of_today(parse, tmp_path):
    old = {"c": 2.0, "warmup": 7, "decay": 0.5, "seed": 4}
    write(tmp_path / "log/old", game="catch", preset="full", planner=old)
    (tmp_path / "log/old/planner").mkdir()
    run, cfg = parse("planner", "catch", "--run", "old")
    assert (cfg.planner.policy_warmup, cfg.planner.temperature_decay) == (7, 0.5)
    assert cfg.system == "alphazero" and cfg.planner.c == 2.0
    runs.claim(run, "planner", cfg)
    kept = json.loads((tmp_path / "log/old/config.json").read_text())
    assert kept["planner"]["policy_warmup"] == 7 and "warmup" not in kept["planner"]
    assert kept["system"] == "alphazero"
    for section, names in config.RENAMED.items():
        fields = {f.name for f in dataclasses.fields(config.STAGES[section].options)}
        assert set(names.values()) <= fields and not set(names) & fields
    write(tmp_path / "log/board", game="othello", boards={"max_iter": -1, "lr": 0.5})
    _, cfg = parse("boards", "othello", "--run", "board")
    assert (cfg.boards.max_iter, cfg.boards.lr, cfg.system) == (0, 0.5, "boards")


SYSTEMS = {"breakout": "alphazero", "freeway": "alphazero", "connect4": "boards"}


@pytest.mark.parametrize("path", sorted((ROOT / "pretrained").iterdir()), ids=lambda p: p.name)
def test_shipped_runs_open_and_go_on(path, parse):
    """Every option that their config.json names is read, and the stage's script takes it."""
    system = config.system_of(path)
    assert system.name == SYSTEMS.get(path.name, "worldmodels")
    _, cfg = runs.find(str(path))
    data = json.loads((path / "config.json").read_text())
    for stage in system.stages:
        if stage not in data:
            continue
        assert (
            config.read(stage, data[stage]).items()
            <= dataclasses.asdict(getattr(cfg, stage)).items()
        )
        assert parse(stage, cfg.game, "--run", str(path))[1] == cfg


def test_the_system_of_a_run_is_that_of_what_plays(parse, tmp_path):
    run, cfg = parse("record", "breakout", "--preset", "toy")
    assert cfg.system == "alphazero"  # whose presets they are
    runs.claim(run, "record", cfg)
    _, cfg = parse("controller", "breakout")
    assert cfg.system == "worldmodels"
    runs.claim(run, "controller", cfg)
    assert config.system_of(tmp_path / "log/breakout").name == "worldmodels"
    assert parse("vae", "breakout")[1].system == "worldmodels"
    assert "was trained by train.py" in parse("planner", "breakout")
    assert config.system_of({"game": "catch", "controller": {}}).name == "worldmodels"
    assert config.system_of({"game": "catch", "planner": {}, "rnn": {}}).name == "alphazero"
    assert config.system_of({"game": "catch"}).name == "alphazero"
    assert config.system_of({"game": "carracing"}).name == "worldmodels"
    write(tmp_path / "log/strange", system="dreams", game="catch", preset="toy")
    assert "damaged or of another version" in parse("vae", "catch", "--run", "strange")


def test_a_game_of_ones_own_has_presets_and_a_folder(parse, tmp_path):
    run, cfg = parse("record", "a_module.games:My-v0", "--preset", "small")
    assert run == "My-v0" and cfg.game == "a_module.games:My-v0"
    assert cfg.record.engine == cfg.controller.engine == "gymnasium"
    assert cfg.rnn.reward_head and cfg.system == "worldmodels"
    runs.claim(run, "record", cfg)
    assert parse("vae", cfg.game)[1] == cfg
    command = f"{config.STAGES['vae'].script} {cfg.game}"
    assert runs.command(tmp_path / "log/My-v0", "vae") == f"python {command}"
    assert runs.command(runs.folder(run), "vae") == f"python {command}"
    assert config.run_name("ALE/Pong-v5") == "ALE-Pong-v5"
    assert config.run_name("carracing") == "carracing"
    _, cfg = parse("planner", "CartPole-v1")
    assert cfg.planner.engine == "gymnasium" and cfg.rnn.planning_heads
    assert "unknown game 'CartPole'" in parse("record", "CartPole")
    assert "unknown game '../x-v1 y'" in parse("record", "../x-v1 y")
