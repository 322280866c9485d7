"""Runs that build on other runs: rounds, borrowed V and M, and weights to start from."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import config
import runs
from controller.rounds import play_rounds, plot, take_over, words_of
from tests.conftest import ROOT, command, commands, copy_run
from train import check_dream


def test_options_of_a_round_are_those_of_the_command_line():
    preset = config.preset("carracing", "toy").controller
    options = dataclasses.replace(preset, world="dream", bias=False, hours=0.5, rounds=3)
    assert words_of(options, preset) == ["--in", "dream", "--no-bias", "--hours", "0.5"]


@pytest.mark.parametrize("option", ["models", "start_from"])
def test_rounds_refuse_the_models_of_others(option):
    cfg = config.preset("carracing", "toy")
    cfg = dataclasses.replace(cfg, controller=dataclasses.replace(cfg.controller, **{option: "x"}))
    with pytest.raises(runs.RunError, match="leave out --models and --from"):
        play_rounds("toy", cfg)


@pytest.mark.parametrize(
    "game, lacks, told",
    [
        ("carracing", "reward_head", "pays no reward"),
        ("takecover", "done_head", "never ends"),
        ("binpacking", "mask_head", "which actions are valid"),
    ],
)
def test_a_dream_that_is_no_game_is_refused(game, lacks, told):
    cfg = config.preset(game, "toy")
    check_dream(Path("log/x"), cfg)
    cfg = dataclasses.replace(cfg, rnn=dataclasses.replace(cfg.rnn, **{lacks: False}))
    with pytest.raises(runs.RunError, match=told):
        check_dream(Path("log/x"), cfg)


def test_a_round_takes_the_episodes_of_the_one_before(tmp_path):
    (tmp_path / "a/record").mkdir(parents=True)
    for seed in range(3):
        (tmp_path / "a/record" / f"{seed}.npz").write_bytes(b"episode")
    for _ in range(2):
        take_over(tmp_path / "a", tmp_path / "b")
    assert len(list((tmp_path / "b/record").iterdir())) == 3
    figure = plot([{"round": k, "mean": 5.0, "std": 1.0, "dream": 7.0} for k in (1, 2)])
    assert len(figure.axes) == 1


def test_a_run_borrows_v_and_m_and_keeps_them(in_toy, tmp_path, monkeypatch):
    cfg = config.preset("carracing", "toy")
    target = str(tmp_path / "log" / "guest")
    monkeypatch.setattr(
        "runs.folders.folder", lambda run: tmp_path / "log/guest" if run == target else in_toy
    )
    cfg = runs.borrow(target, cfg, "toy")
    assert cfg.rnn == config.load(in_toy / "config.json").rnn
    weights = ("vae/vae.weights.h5", "rnn/rnn.weights.h5")
    for file in (*weights, "series/initial_z.npz", "vae/metrics.jsonl", "rnn/metrics.jsonl"):
        assert runs.fingerprint(tmp_path / "log/guest" / file) == runs.fingerprint(in_toy / file)
    runs.borrow(target, cfg, "toy")
    (tmp_path / "log/guest/vae/vae.weights.h5").write_bytes(b"another")
    with pytest.raises(runs.RunError, match="is not that of"):
        runs.borrow(target, cfg, "toy")


def test_weights_to_start_from(toy, tmp_path):
    """With a rate of nothing, V, M and C stay what they started from."""
    copy_run(toy, tmp_path, "record", "vae", "series", "rnn", "controller")
    (tmp_path / "log/next").mkdir()
    (tmp_path / "log/toy/record").rename(tmp_path / "log/next/record")
    words = ("carracing", "--run", "next", "--preset", "toy", "--from", "toy")
    still = ("--learning-rate", "1e-12")
    heads = ("--reward-head", "--done-head", "--min-learning-rate", "1e-12")
    commands(
        ("-m", "vae.train", *words, *still),
        ("-m", "series.encode", *words[:-2]),
        ("-m", "rnn.train", *words, *still, *heads),
        ("train.py", *words, "--sigma-init", "1e-6", "--workers", "1", "--generations", "1"),
        cwd=tmp_path,
    )
    import h5py

    for stage in ("vae", "rnn"):
        weights = []
        for run in ("toy", "next"):
            with h5py.File(tmp_path / "log" / run / stage / f"{stage}.weights.h5") as file:
                weights.append({})
                keep = weights[-1]
                file.visititems(
                    lambda name, x, keep=keep: (
                        keep.update({name: x[()]}) if hasattr(x, "shape") else None
                    )
                )
        for name, value in weights[0].items():
            np.testing.assert_allclose(weights[1][name], value, atol=1e-6)
    params = [
        runs.read_npz(tmp_path / "log" / r / "controller/controller.npz")["params"]
        for r in ("toy", "next")
    ]
    np.testing.assert_allclose(params[1], params[0], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment, lead_in", [("record: ", "10"), ("vae: ", "0"), ("rnn: ", "10"), ("controller: ", "0")]
)
def test_rounds_play_record_and_dream_again_and_go_on_after_a_kill(tmp_path, moment, lead_in):
    words = ("carracing", "--preset", "toy", "--in", "dream", "--rounds", "2", "--workers", "1")
    words = ("train.py", *words, "--round-episodes", "2", "--round-lead-in", lead_in)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / words[0]), *words[1:]],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    second = False
    for line in process.stdout:
        second |= line.startswith("round 2 of 2")
        if second and line.startswith(moment):
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    done = command(*words, cwd=tmp_path, timeout=900)
    rows = json.loads((tmp_path / "log/carracing/rounds.json").read_text())
    assert [row["episodes"] for row in rows] == [4, 6] and "round 2:" in done.stdout
    assert (tmp_path / "log/carracing/rounds.png").exists()
    again = command(*words, cwd=tmp_path, timeout=900)
    assert "generation 1 " not in again.stdout
