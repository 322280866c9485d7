"""Scores of a planner's runs, pooled over seeds."""

from __future__ import annotations

import json

import numpy as np
import pytest

import config
import runs
from report.pool import interval_over_runs, main, read_scores, rows_of
from runs.scores import read_players, summary


def make_scored(folder, name, prior, search, old=False, **more):
    """A run that has been scored; as older versions wrote it down, if `old`."""
    path = folder / "log" / name
    runs.claim(str(path), "planner", config.preset("catch", "toy"))
    scores = {"random": prior - 1, "prior": prior, "search": search}
    result = {player: summary(values, decimals=3) for player, values in scores.items()}
    if not old:
        result = result["search"] | {"baselines": {k: result[k] for k in ("random", "prior")}}
    result |= {"engine": "exact", "seeds": [0, len(prior) - 1], "simulations": 50} | more
    runs.write_json(path / "result.json", result)


def test_runs_are_pooled(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    prior, search = rng.normal([[3], [5]], 1, (2, 50)), rng.normal([[4], [9]], 2, (2, 50))
    for k in range(2):
        make_scored(tmp_path, f"r{k}", prior[k], search[k], old=k == 1)
    monkeypatch.setattr("sys.argv", ["pool", "log/r0", "log/r1"])
    main()
    rows = json.loads((tmp_path / "log/r0/pool-exact.json").read_text())
    everything = rows["all"]
    assert everything["search"]["mean"] == pytest.approx(search.mean(), abs=1e-3)
    assert everything["gain"]["mean"] == pytest.approx((search - prior).mean(), abs=1e-3)
    low, high = everything["gain"]["ci95"]
    half = 1.96 * (search - prior).std() / np.sqrt(100)  # the normal approximation
    assert high - low == pytest.approx(2 * half, rel=0.05)
    wide = everything["gain"]["ci95_over_runs"]
    assert wide[0] < low and wide[1] > high
    assert "all, other runs" in capsys.readouterr().out
    assert (tmp_path / "log/r0/pool-exact.png").exists()


def test_one_run_drawn_anew_is_that_run():
    scores = np.random.default_rng(1).normal(size=(1, 100))
    row = rows_of({"r": {p: scores[0] for p in ("random", "prior", "search")}})["r"]["search"]
    np.testing.assert_allclose(interval_over_runs(scores), row["ci95"], atol=0.02)


def test_what_cannot_be_pooled_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scores = np.arange(3.0)
    make_scored(tmp_path, "a", scores, scores)
    make_scored(tmp_path, "b", scores, scores, seeds=[7, 9])
    make_scored(tmp_path, "c", scores, scores)
    (tmp_path / "log/c/result.json").unlink()
    for names, engine, says in (
        (["log/a", "log/b"], "", "other seeds"),
        (["log/c"], "", "has no score"),
        (["log/a"], "sticky", "no score on sticky"),
    ):
        with pytest.raises(runs.RunError, match=says):
            read_scores(names, engine)


def test_what_is_no_planners_is_not_read_as_one():
    scores = summary(np.arange(4.0))
    assert read_players(scores | {"baselines": {"random": scores}}) == {}
    assert read_players(scores) == {}
