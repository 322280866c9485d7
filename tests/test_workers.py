"""The real MPI path: three ranks, failures that end the job, results that ranks do not change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from runs import workers
from tests.conftest import PIPELINE, ROOT, command, copy_run

MPIRUN = str(Path(sys.executable).with_name("mpirun"))

SPHERE = """
import numpy as np
from runs import cli, workers
from controller.optimizers import make_optimizer

def fitness(x):
    return -float(((x - 0.5) ** 2).sum())

def main():
    with workers.pool() as pool:
        if pool is None:
            return
        print(workers.describe(pool.size))
        es = make_optimizer("cma", 10, population=12, sigma_init=0.3, sigma_decay=1.0,
                            weight_decay=0.0, antithetic=True, seed=1)
        for _ in range(60):
            x = es.ask()
            es.tell(np.array(list(pool.map(fitness, list(x)))))
        print("left", fitness(es.mean))
        print("mean", es.mean.tolist())

cli.run(main)
"""

FAILING = """
import os, sys, time
import runs
from runs import cli, workers

def task(i):
    if i == 3:
        {what}
    time.sleep(0.05)
    return i

def main():
    with workers.pool() as pool:
        if pool is not None:
            print(sum(pool.map(task, range(200))))

cli.run(main)
"""


def mpi(script: str, folder: Path, ranks: int, timeout: int = 60):
    file = folder / "script.py"
    file.write_text(script)
    return subprocess.run(
        [MPIRUN, "-n", str(ranks), sys.executable, str(file)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def test_cma_on_a_sphere_with_three_ranks_is_the_same_as_alone(tmp_path):
    outputs = []
    for ranks in (3, 1):
        done = mpi(SPHERE, tmp_path, ranks)
        assert done.returncode == 0, done.stderr
        outputs.append(dict(line.split(" ", 1) for line in done.stdout.splitlines()))
    assert float(outputs[0]["left"]) > -1e-4
    assert outputs[0]["mean"] == outputs[1]["mean"]
    assert outputs[0]["2"].startswith("workers and 1 rank")


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("raise ValueError('broken worker')", "ValueError: broken worker"),
        ("raise runs.RunError('mend this')", "error: mend this"),
        ("open('/no/such/folder/x')", "FileNotFoundError"),
        ("os.kill(os.getpid(), 9)", ""),
        ("sys.exit(3)", ""),
    ],
)
def test_a_failing_worker_ends_the_job(what, says, tmp_path):
    start = time.monotonic()
    done = mpi(FAILING.format(what=what), tmp_path, 3)
    assert done.returncode != 0 and time.monotonic() - start < 30
    assert says in done.stderr
    if "RunError" in what:
        assert "Traceback" not in done.stderr


def test_a_rank_that_fails_before_its_first_task_ends_the_job(tmp_path):
    early = "def main():\n    if workers.rank() == 1:\n        import no_such_module\n"
    script = FAILING.format(what="pass").replace("def main():\n", early)
    done = mpi(script, tmp_path, 3)
    assert done.returncode != 0 and "no_such_module" in done.stderr


def test_a_rank_that_fails_in_an_import_ends_the_job(tmp_path):
    early = "import runs\nif os.environ['PMI_RANK'] == '1':\n    import no_such_module\n"
    script = FAILING.format(what="pass").replace("import runs\n", early)
    start = time.monotonic()
    done = mpi(script, tmp_path, 3)
    assert done.returncode != 0 and time.monotonic() - start < 30
    assert "no_such_module" in done.stderr


def test_mpirun_without_ranks_starts_a_worker_for_every_core(toy, tmp_path):
    words = [MPIRUN, sys.executable, str(ROOT / "train.py"), "carracing", "--run", "toy"]
    done = subprocess.run(
        words, cwd=toy, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{workers.cores()} workers and 1 rank" in done.stdout


def history(folder: Path):
    (file,) = (folder / "controller").glob("*.hist.json")
    return [row[2:] for row in json.loads(file.read_text())]


def test_evolution_does_not_depend_on_the_number_of_ranks(toy, tmp_path):
    run = copy_run(toy, tmp_path, "vae", "rnn")
    command("train.py", "carracing", "--run", "toy", "--workers", "1", cwd=tmp_path)
    np.testing.assert_allclose(history(run), history(toy / "log/toy"), atol=0.011)


@pytest.mark.parametrize("world", ["game", "dream"])
def test_evolution_goes_on_after_a_kill_as_if_nothing_had_happened(world, toy, tmp_path):
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    runs_ = [copy_run(toy, folder, "vae", "series", "rnn") for folder in (whole, torn)]
    words = ("train.py", "carracing", "--run", "toy", "--in", world, "--generations", "6")
    words = (*words, "--workers", "1")
    command(*words, cwd=whole)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / words[0]), *words[1:]], cwd=torn, env=env,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if line.startswith("generation 2"):
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    again = command(*words, cwd=torn)
    assert "goes on at generation" in again.stdout
    np.testing.assert_allclose(history(runs_[1]), history(runs_[0]), atol=0.011)
    means = [json.loads(next(r.glob("controller/*.4.json")).read_text()) for r in runs_]
    np.testing.assert_allclose(means[0], means[1], atol=1e-4)


def test_a_killed_mpirun_leaves_nothing_behind_and_goes_on(toy, tmp_path):
    run = copy_run(toy, tmp_path, "vae", "rnn")
    words = (*PIPELINE["controller"], "--run", "toy", "--generations", "4", "--workers", "2")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / words[0]), *words[1:]],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("generation 2"):
            process.send_signal(signal.SIGKILL)
    process.wait()  # its pipe closes when the last rank has gone
    process.stdout.close()
    done = command(*words, cwd=tmp_path)
    assert "goes on at generation" in done.stdout and "generation 4 reached" in done.stdout
    assert [row[0] for row in json.loads(next(run.glob("*/*.hist.json")).read_text())] == [
        1,
        2,
        3,
        4,
    ]


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_a_launcher_of_another_mpi_is_one_sentence(name, tmp_path, monkeypatch):
    monkeypatch.setenv(name, "4")
    done = command("-c", FAILING.format(what="pass"), cwd=tmp_path, check=False)
    assert done.returncode == 1 and "belongs to another MPI" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_batch_job_without_srun_is_no_launcher(monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "64")
    assert workers.given_ranks() == 1


def test_scripts_of_one_process_refuse_ranks(toy, monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "4")
    for stage in ("vae", "series", "rnn"):
        done = command(*PIPELINE[stage], "--run", "toy", cwd=toy, check=False)
        assert done.returncode == 1 and "start it without mpirun" in done.stderr
