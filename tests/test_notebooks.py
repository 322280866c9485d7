"""The notebooks run on a real small run and draw what they promise."""

from __future__ import annotations

import nbclient
import nbformat
import pytest

from tests.conftest import ROOT

FIGURES = {"plot_training_progress": 3, "look_into_a_run": 3}


@pytest.mark.parametrize("name", FIGURES)
def test_notebook_runs_and_draws(name, toy, monkeypatch):
    monkeypatch.setenv("WORLD_MODELS_RUN", str(toy / "log" / "toy"))
    monkeypatch.setenv("WORLD_MODELS_STEPS", "10")
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "clear the outputs"
    folder = {"metadata": {"path": str(ROOT / "notebooks")}}
    nbclient.NotebookClient(notebook, timeout=300, resources=folder).execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == FIGURES[name]
