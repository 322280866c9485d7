"""Board games: rules against published counts, the search against plain ones, runs by command."""

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
import runs
import train_boards
from boards import clash, cross_play, human_play, match, options
from boards.grid import in_a_row
from boards.players import BoardModel, Minimax, Planner, Random, Rollouts, make_player
from boards.replay import Replay, self_play
from planner.mcts import Settings, search
from tests.conftest import ROOT, command

TOY = (
    "train_boards.py", "tictactoe", "--run", "toy", "--threads", "1", "--max-iter", "2",
    "--conv-filters", "4", "--residual-filters", "4", "--dense-size", "8", "--n-simulations", "4",
    "--n-self-plays", "6", "--min-examples", "40", "--n-tournaments", "4", "--batch-size", "16",
)  # fmt: skip


def uniform(rules):
    """A judge that knows nothing."""
    return lambda b: (np.zeros((len(b), len(rules.NAMES)), np.float32), np.zeros(len(b)))


def plies(game: str, depth: int) -> np.ndarray:
    """Play every sequence; a row a ply: sequences, those that are over, those that are won, and
    how many different boards there are."""
    rules, rows = boards.load(game), []
    at, ways = rules.start(1), np.ones(1, int)
    mark = np.random.default_rng(0).integers(-(2**62), 2**62, rules.ROWS * rules.COLS)
    for _ in range(depth):
        before, moves = np.nonzero(rules.valid(at))
        at, reward, over = rules.play(at[before], moves)
        ways = ways[before]
        keys = at.reshape(len(at), -1) @ mark  # a number a board, as good as unique
        _, first, same = np.unique(keys, return_index=True, return_inverse=True)
        rows.append((ways.sum(), ways[over].sum(), ways[reward > 0].sum(), len(first)))
        ways, at, over = np.bincount(same, ways).astype(int), at[first], over[first]
        at, ways = at[~over], ways[~over]
    return np.array(rows)


def test_tictactoe_has_255168_games_and_5478_positions():
    counts = plies("tictactoe", 9)
    assert counts[:, 1].sum() == 255_168 and counts[:, 3].sum() + 1 == 5_478
    assert counts[::2, 2].sum() == 131_184 and counts[1::2, 2].sum() == 77_904  # first, second


def test_connect_four_sequences_and_positions():
    counts = plies("connect4", 8)
    assert list(counts[:7, 0]) == [7, 49, 343, 2401, 16807, 117649, 823536]
    assert list(counts[:, 3]) == [7, 49, 238, 1120, 4263, 16422, 54859, 184275]  # OEIS A212693


def test_othello_sequences():
    assert list(plies("othello", 7)[:, 0]) == [4, 12, 56, 244, 1396, 8200, 55092]


def slow_othello(board: list[int], cell: int) -> list[int]:
    """Cells that a disc on `cell` turns, by walking."""
    turned = []
    for down, right in ((a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b):
        r, c, run = cell // 8 + down, cell % 8 + right, []
        while 0 <= r < 8 and 0 <= c < 8 and board[8 * r + c] == -1:
            run.append(8 * r + c)
            r, c = r + down, c + right
        if 0 <= r < 8 and 0 <= c < 8 and board[8 * r + c] == 1:
            turned += run
    return [] if board[cell] else turned


def test_othello_turns_passes_and_ends_as_a_slow_player_says():
    rules, rng = boards.load("othello"), np.random.default_rng(0)
    at, passes = rules.start(20), 0
    while len(at):
        valid, moves = rules.valid(at), Random(rules, rng).choose(at)
        after, reward, over = rules.play(at, moves)
        for i in range(0, len(at), 5):
            board = at[i].reshape(-1).tolist()
            turned = [slow_othello(board, cell) for cell in range(64)]
            can = [bool(cells) for cells in turned]
            assert valid[i].tolist() == [*can, not any(can)]
            for cell in [moves[i], *turned[moves[i]]] if moves[i] < 64 else []:
                board[cell] = 1
            assert (-after[i]).reshape(-1).tolist() == board
            sides = (board, [-x for x in board])
            stuck = not any(slow_othello(side, cell) for side in sides for cell in range(64))
            assert over[i] == stuck and reward[i] == np.sign(sum(board)) * stuck
        passes += int((moves == 64).sum())
        at = after[~over]
    assert passes


@pytest.mark.parametrize(("shape", "length"), [((15, 15), 5), ((6, 7), 4), ((3, 3), 3)])
def test_lines_as_a_slow_checker_finds_them(shape, length):
    marks = np.random.default_rng(0).random((200, *shape)) < (0.3 if length > 3 else 0.5)
    rows, cols = shape

    def has(grid) -> bool:
        steps = ((0, 1), (1, 0), (1, 1), (1, -1))
        lines = (
            [(r + k * d, c + k * e) for k in range(length)]
            for r in range(rows) for c in range(cols) for d, e in steps
        )  # fmt: skip
        return any(all(0 <= r < rows and 0 <= c < cols and grid[r, c] for r, c in x) for x in lines)

    found = in_a_row(marks, length)
    assert found.tolist() == [has(grid) for grid in marks] and 0 < found.sum() < 200


@pytest.mark.parametrize("game", boards.GAMES)
def test_symmetries_commute_with_the_rules(game):
    rules, rng = boards.load(game), np.random.default_rng(0)
    at = rules.start(6)
    for _ in range(20 if game != "tictactoe" else 4):
        moves = Random(rules, rng).choose(at)
        for cells, moved in zip(*rules.SYMMETRIES, strict=True):
            turned = at.reshape(6, -1)[:, cells].reshape(at.shape)
            assert (rules.valid(turned) == rules.valid(at)[:, moved]).all()
            same = rules.play(turned, np.argsort(moved)[moves])
            for ours, theirs in zip(same[1:], rules.play(at, moves)[1:], strict=True):
                np.testing.assert_array_equal(ours, theirs)
            after = rules.play(at, moves)[0].reshape(6, -1)[:, cells]
            assert (same[0].reshape(6, -1) == after).all()
        at = rules.play(at, moves)[0]


def slow_visits(rules, board: np.ndarray, settings: Settings, judge) -> np.ndarray:
    """One tree of nested lists, two players, values from who is to move: visits of the root."""

    def node(board):
        logits, value = judge(board[None])
        prior = np.exp(logits[0]) * rules.valid(board[None])[0]
        n = len(prior)
        return {
            "board": board, "prior": prior / prior.sum(), "value": float(value[0]), "count": 1,
            "visits": np.zeros(n), "q": np.zeros(n), "end": np.zeros(n, bool), "child": {},
        }  # fmt: skip

    def visit(at) -> float:
        tried, legal = at["visits"] > 0, at["prior"] > 0
        q = np.where(tried, at["q"], at["value"])
        low, high = q.min(), q.max()
        low, high = min(low, at["value"]), max(high, at["value"])
        q = np.where(tried, q - low, 0) / max(high - low, 1e-8)
        weight = settings.c + np.log((at["count"] + settings.c_base + 1) / settings.c_base)
        score = q + at["prior"] * weight * np.sqrt(at["count"]) / (1 + at["visits"])
        move = int(np.where(legal, score, -np.inf).argmax())
        after, (reward,), (over,) = rules.play(at["board"][None], np.array([move]))
        if over:
            gain, at["q"][move] = reward, reward
        elif move in at["child"]:
            gain = -visit(at["child"][move])
            at["q"][move] = -at["child"][move]["value"]
        else:
            at["child"][move] = node(after[0])
            gain = at["q"][move] = -at["child"][move]["value"]
        at["visits"][move] += 1
        at["value"] = (at["value"] * at["count"] + gain) / (at["count"] + 1)
        at["count"] += 1
        return gain

    root = node(board)
    for _ in range(settings.simulations):
        visit(root)
    return root["visits"]


def test_the_search_of_two_players_is_that_of_a_slow_one():
    rules, settings = boards.load("connect4"), Settings(simulations=150, c=2.0)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(42, 8)).astype(np.float32)

    def judge(b):
        out = b.reshape(len(b), -1).astype(np.float32) @ weights
        return out[:, :7] / 4, np.tanh(out[:, 7] / 4)

    at = rules.start(6)
    for i in range(12):
        at[i % 6 :] = rules.play(at[i % 6 :], Random(rules, rng).choose(at[i % 6 :]))[0]
    model = BoardModel(rules, judge)
    visits = search(model, model.root(at), settings).visits()
    ours = [slow_visits(rules, board, settings, judge) for board in at]
    assert (visits == np.array(ours)).mean() > 0.9  # but for ties of rounded numbers
    assert (visits.argmax(1) == np.argmax(ours, 1)).all()


def outcomes(rules, at: np.ndarray, depth: int) -> np.ndarray:
    """Values (B, A) of all moves as a full search of `depth` plies sees them; -2: not valid."""
    rows, moves = np.nonzero(rules.valid(at))
    after, reward, over = rules.play(at[rows], moves)
    gain = reward.astype(int)
    if depth > 1:
        gain[~over] -= outcomes(rules, after[~over], depth - 1).max(1)
    table = np.full((len(at), len(rules.NAMES)), -2)
    table[rows, moves] = gain
    return table


def test_search_without_a_network_wins_and_blocks_in_connect_four():
    rules, rng = boards.load("connect4"), np.random.default_rng(0)
    at, seen = rules.start(60), []
    for _ in range(12):
        at, _, over = rules.play(at, Random(rules, rng).choose(at))
        at = at[~over]
        seen.append(at[:12])
    at = np.concatenate(seen)
    soon, late = outcomes(rules, at, 2), outcomes(rules, at, 4)
    win = soon.max(1) == 1
    block = ~win & (soon == -1).any(1) & (late.max(1) > -1)
    assert win.sum() > 10 and block.sum() > 10
    player = Planner(rules, uniform(rules), Settings(simulations=200, c=5.0))
    chosen = soon[np.arange(len(at)), player.choose(at)]
    assert (chosen[win] == 1).all() and (chosen[block] == 0).all()


def test_minimax_draws_with_itself_and_never_loses_to_a_plain_search():
    rules, rng = boards.load("tictactoe"), np.random.default_rng(0)
    perfect, again = (Minimax(rules, rng) for _ in range(2))
    assert perfect.solve(rules.start(1).tobytes()) == 0
    assert match.counts(match.match(rules, perfect, again, 20, 0, rng)) == (0, 20, 0)
    plain = make_player("mcts:200", "tictactoe", rng)
    wins, _, losses = match.counts(match.match(rules, perfect, plain, 20, 2, rng))
    assert losses == 0 or wins == losses  # an opening may have decided a pair of games


def test_a_plain_search_beats_chance():
    rules, rng = boards.load("connect4"), np.random.default_rng(0)
    plain = Planner(rules, Rollouts(rules, rng), Settings(simulations=60, c=5.0))
    assert match.win_rate(match.match(rules, plain, Random(rules, rng), 20, 2, rng)) > 0.8


def test_self_play_says_who_won():
    rules = boards.load("tictactoe")
    chosen = options.Options(n_self_plays=10, policy_warmup=9)
    player = Planner(rules, uniform(rules), Settings(simulations=8))
    seen, facts = self_play(rules, player, chosen, np.random.default_rng(0))
    stones = (seen["boards"] != 0).sum((1, 2))
    assert (stones[:10] == 0).all() and facts["plies"] * 10 == len(stones)
    np.testing.assert_allclose(seen["policy"].sum(1), 1, atol=0.01)
    assert (seen["policy"][~rules.valid(seen["boards"])] == 0).all()
    minimax = Minimax(rules, np.random.default_rng(0))
    last = stones == 8  # one move is left: its outcome is known
    known = [minimax.solve(board.tobytes()) for board in seen["boards"][last]]
    assert seen["value"][last].tolist() == known and last.any()


def test_elo_of_equals_and_of_a_stronger_one():
    assert match.update_elo(1000, 1000, np.array([1]))[0] == 1016
    a, b = match.update_elo(1000, 1000, np.array([1, -1, 0, 1, 1]))
    assert a > b and a + b == pytest.approx(2000)
    results = {(0, 1): np.ones(10, int), (0, 2): np.ones(10, int), (1, 2): np.ones(10, int)}
    assert [row[0] for row in cross_play.table(["a", "b", "c"], results, 0)] == ["a", "b", "c"]


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
    (train_boards, "connect4", "--run", "toy"): "run toy plays tictactoe, not connect4",
    (train_boards, "tictactoe", "--run", "toy", "--dense-size", "9"): "dense_size=8, not 9",
    (train_boards, "tictactoe", "--n-simulations", "0"): "needs --n-simulations or --timeout",
    (train_boards, "tictactoe", "--openings", "5"): "tictactoe allows at most 4",
    (clash, "toi", "random"): "did you mean toy?",
    (clash, "toy", "random", "--games", "3"): "it must be even",
    (clash, "toy", "toy"): "cannot play itself",
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
    runs.write_json(trained / "log/carracing/config.json", {"game": "carracing"})
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
        options.find("toy")
