"""Board games: a toy run by the commands, killed, resumed, matched and played against."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

import boards
import evaluate
import runs
import train_boards
from boards import clash, cross_play, human_play, networks
from boards.players import load_player
from boards.replay import Replay
from tests.conftest import ROOT, command

TOY = ("train_boards.py", "tictactoe", "--run", "toy", "--preset", "toy", "--threads", "1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("boards")
    command(*TOY, cwd=cwd)
    return cwd


def test_training_goes_on_after_a_kill_as_if_nothing_had_been(trained, tmp_path):
    words = [str(ROOT / TOY[0]), *TOY[1:]]
    process = subprocess.Popen(
        [sys.executable, *words], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    for line in process.stdout:
        if line.startswith("iteration 1"):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    done = command(*TOY, cwd=tmp_path)
    assert "goes on at iteration" in done.stdout and "done" in done.stdout
    ours, theirs = tmp_path / "log/toy", trained / "log/toy"
    for name in ("checkpoint.npz", "replay.npz"):
        a, b = runs.read_npz(ours / name), runs.read_npz(theirs / name)
        for key in a.keys() - {"state"}:  # the time it took is part of that
            np.testing.assert_array_equal(a[key], b[key], err_msg=f"{name} {key}")
    assert [r["iteration"] for r in runs.read_metrics(ours / "metrics.jsonl")] == [1, 2]
    assert (ours / "training.png").exists() and not list(ours.rglob("*.tmp*"))


def test_a_network_says_the_same_whatever_is_beside_a_board(trained, monkeypatch):
    monkeypatch.chdir(trained)
    rules = boards.load("tictactoe")
    judge = load_player(networks.find("toy")).model.look
    at = rules.play(np.repeat(rules.start(9), 60, 0), np.tile(np.arange(9), 60))[0]
    logits, value = judge(at)
    assert logits.shape == (540, 9) and (np.abs(value) <= 1).all()
    for i in range(9):
        alone = judge(at[i : i + 1])
        np.testing.assert_allclose(logits[i::9], np.repeat(alone[0], 60, 0), atol=1e-5)
        np.testing.assert_allclose(value[i::9], np.repeat(alone[1], 60), atol=1e-5)


def run_main(monkeypatch, module, *words: str, typed: str = "") -> None:
    """Run the main function of a module here: TensorFlow is loaded already."""
    monkeypatch.setattr(sys, "argv", [module.__name__, *words])
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    module.main()


def test_clash_and_cross_play(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    run_main(monkeypatch, clash, "toy", "random", "--games", "10", "--render")
    run_main(monkeypatch, clash, "log/toy", "every")
    shown = capsys.readouterr().out
    assert "toy against random, tictactoe:" in shown and "second to move" in shown
    run_main(monkeypatch, cross_play, "toy", "minimax", "random", "--games", "6", "--csv", "a.csv")
    table = (trained / "a.csv").read_text().splitlines()
    assert len(table) == 4 and table[1].startswith("minimax")


def test_evaluate_answers_for_a_board_run(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    run_main(monkeypatch, evaluate, "log/toy", "--episodes", "6")
    shown = capsys.readouterr().out
    assert "toy against random, tictactoe:" in shown and "toy against mcts:500" in shown
    result = json.loads((trained / "log/toy/result.json").read_text())
    for row in (result["random"], result["mcts:500"]):
        assert row["wins"] + row["draws"] + row["losses"] == result["episodes"] == 6
        assert row["mean"] == pytest.approx((row["wins"] + row["draws"] / 2) / 6, abs=1e-4)
    assert result["simulations"] == 4
    run_main(
        monkeypatch, evaluate, "log/toy", "--games", "4", "--n-simulations", "8", "--seed", "3"
    )
    other = json.loads((trained / "log/toy/result-simulations-8-seed-3.json").read_text())
    assert (other["simulations"], other["episodes"]) == (8, 4)
    with pytest.raises(runs.RunError, match="tictactoe allows 0 to 4"):
        run_main(monkeypatch, evaluate, "log/toy", "--openings", "9")


def test_a_human_plays_through_a_pipe(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    cells = [f"{c}{r}" for r in "123" for c in "abc"]
    run_main(monkeypatch, human_play, "toy", typed="\n".join(["z9", "b2", "b2", *cells]))
    shown = capsys.readouterr().out
    assert "z9 is no move; choose from a1" in shown and "b2 is not possible here" in shown
    assert any(end in shown for end in ("you win", "the agent wins", "a draw"))
    run_main(monkeypatch, human_play, "toy", "--second", typed="")
    assert "stopped" in capsys.readouterr().out


def test_a_full_column_is_refused(monkeypatch, capsys):
    rules = boards.load("connect4")
    board = rules.start(1)
    for _ in range(6):
        board = rules.play(board, np.array([2]))[0]
    monkeypatch.setattr(sys, "stdin", io.StringIO("3\n8\n4\n"))
    assert human_play.ask(rules, board[0]) == 3
    shown = capsys.readouterr().out
    assert "3 is not possible here; choose from 1 2 4 5 6 7" in shown and "8 is no move" in shown


WRONG = {
    (train_boards, "tictactoe", "--run", "toy", "--dense-size", "9"): "dense_size=8, not 9",
    (train_boards, "tictactoe", "--openings", "5"): "tictactoe allows at most 4",
    (clash, "toi", "random"): "did you mean toy?",
    (clash, "mcts:x", "random", "--game", "othello"): "no player mcts:x",
    (clash, "mcts", "random"): "name the game with --game",
    (clash, "toy", "random", "--game", "othello"): "a match is of one game",
    (clash, "minimax", "random", "--game", "othello"): "too many positions",
    (human_play, "carracing"): "which is no board game",
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_input_is_one_sentence(words, trained, monkeypatch):
    monkeypatch.chdir(trained)
    (trained / "log/carracing").mkdir(exist_ok=True)
    runs.write_json(trained / "log/carracing/config.json", {"game": "carracing", "preset": "toy"})
    with pytest.raises(runs.RunError, match=re.escape(WRONG[words])):
        run_main(monkeypatch, *words)


def test_an_unknown_game_is_one_sentence(tmp_path):
    done = command("train_boards.py", "conect4", cwd=tmp_path, check=False)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "did you mean connect4?" in done.stderr and not list(tmp_path.iterdir())


def test_damaged_files_are_one_sentence(trained, tmp_path, monkeypatch):
    run = shutil.copytree(trained / "log/toy", tmp_path / "log/toy")
    monkeypatch.chdir(tmp_path)
    (run / "replay.npz").write_bytes(b"torn")
    with pytest.raises(runs.RunError, match="truncated"):
        Replay(run / "replay.npz", boards.load("tictactoe"))
    (run / "network.weights.h5").write_bytes(b"torn")
    with pytest.raises(runs.RunError, match="damaged"):
        run_main(monkeypatch, clash, "toy", "random")
    (run / "config.json").write_text(json.dumps({"game": "tictactoe"}))
    with pytest.raises(runs.RunError, match="damaged"):
        networks.find("toy")
