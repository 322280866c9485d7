"""Worker processes over MPI: the same script runs on two cores, on 64 and on a cluster.

    python train.py ...               starts `mpirun` itself, one worker a core
    mpirun python train.py ...        the same (MPICH's mpirun without -n starts a single rank)
    mpirun -n 65 python train.py ...  64 workers and the rank that deals out the work
    --workers 1                       no MPI: everything in this process

Rank 0 deals out tasks and is idle otherwise; the other ranks work. A worker that raises ends the
whole job at once with its traceback.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from runs.errors import MENDABLE, RunError

# What a launcher (MPICH, Open MPI, srun) says in the environment of the processes that it starts.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS", "SLURM_STEP_NUM_TASKS")
RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID")
LAUNCHED = "WORLD_MODELS_LAUNCHED"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> int:
    """CPU cores that this process may use, a container's quota considered."""
    mine = hasattr(os, "sched_getaffinity")  # Linux alone
    count = len(os.sched_getaffinity(0)) if mine else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    limit, _, period = quota.read_text().partition(" ") if quota.exists() else ("max", "", "")
    return count if limit == "max" else max(1, min(count, int(limit) // int(period)))


def rank() -> int:
    """This process's MPI rank, without starting MPI; only rank 0 speaks to the user."""
    return next((int(os.environ[name]) for name in RANKS if name in os.environ), 0)


def given_ranks() -> int:
    """How many ranks the launcher started, without starting MPI (1: none, or mpirun alone)."""
    return max((int(os.environ[name]) for name in SIZES if name in os.environ), default=1)


def alone(script: str) -> None:
    """Refuse to be one of several ranks.

    Raises:
        RunError: an MPI launcher started more than one of us.
    """
    if given_ranks() > 1:
        raise RunError(f"{script} is one process that uses every core; start it without mpirun")


def launch(workers: int) -> None:
    """Start this same command again under `mpirun`, unless ranks were given or one is enough.

    Args:
        workers: worker processes wanted; 0 is one a core.

    Raises:
        RunError: no `mpirun` to be found.
    """
    workers = workers or cores()
    if given_ranks() > 1 or workers == 1 or LAUNCHED in os.environ:
        return
    beside = Path(sys.executable).with_name("mpirun")
    mpirun = str(beside) if beside.exists() else shutil.which("mpirun")
    if not mpirun:
        raise RunError("no mpirun found; install requirements.txt, or pass --workers 1")
    # An mpirun without -n has left its own marks, which the one started here must not see.
    mine = ("PMI_", "PMIX_", "HYDI_", "MPI_LOCAL", "MPIR_", "OMPI_", "PRTE_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(mine)}
    env |= {LAUNCHED: "1"} | dict.fromkeys(THREADS, "1")
    command = [mpirun, "-n", str(workers + 1), sys.executable, *sys.orig_argv[1:]]
    sys.stdout.flush()
    os.execve(mpirun, command, env)


def script(*words: str) -> None:
    """Run another script of this toolkit, `-m module` or a file, and show what it says.

    Raises:
        RunError: it failed; it has said why.
    """
    root = Path(__file__).resolve().parent.parent
    path = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    words = words if words[0] == "-m" else (str(root / words[0]), *words[1:])
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
    print("$ python", *words, flush=True)
    how = {"env": env, "check": False, "preexec_fn": end_with_parent}
    if subprocess.run([sys.executable, *words], **how).returncode:
        raise RunError(f"`python {' '.join(words)}` failed; mend that, then run the same again")


def end_with_parent() -> None:
    """Ask the kernel to end this process when the one that started it is gone, even killed.

    Else the next start would find the old stage still writing. Only Linux can do it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def describe(size: int) -> str:
    """Say how many workers there are and who started them."""
    if size == 1:
        return "1 worker, in this process"
    by = "srun" if "SLURM_STEP_NUM_TASKS" in os.environ else "mpirun"
    by = "this script" if LAUNCHED in os.environ else by
    return f"{size - 1} workers and 1 rank that deals out the work, started by {by}"


def abort(kind: type, value: BaseException, trace: Any) -> None:
    """Print a traceback, then end every rank."""
    from mpi4py import MPI

    sys.stderr.write("".join(traceback.format_exception(kind, value, trace)))
    sys.stderr.flush()
    time.sleep(0.5)  # Abort ends the launcher too, which may not yet have passed the text on
    MPI.COMM_WORLD.Abort(1)


def guard() -> None:
    """End all ranks if this one fails, before its first task too: else the others would wait."""
    if given_ranks() > 1:
        sys.excepthook = abort


class Guarded:
    """A task whose unexpected errors end the job at once, rather than when its turn comes."""

    def __init__(self, task: Callable):
        self.task = task

    def __call__(self, *args: Any) -> Any:
        try:
            return self.task(*args)
        except RunError:
            raise  # told to rank 0, which says it in one sentence
        except Exception as error:
            if given_ranks() == 1 or getattr(error, "errno", None) in MENDABLE:
                raise
            abort(type(error), error, error.__traceback__)


class Pool:
    """What rank 0 deals out work with."""

    def __init__(self, executor: Any, size: int):
        self.executor, self.size = executor, size
        self.workers = max(1, size - 1)

    def map(self, task: Callable, *columns: Any, unordered: bool = False) -> Iterator[Any]:
        """Run `task` on each row of the columns; yield results as they come or in order."""
        return self.executor.map(Guarded(task), *columns, unordered=unordered)


@contextlib.contextmanager
def pool() -> Iterator[Pool | None]:
    """Open the pool: rank 0 gets it; the other ranks work inside, then get None.

    One thread a rank. With one rank, tasks run in this process.

    Raises:
        RunError: the launcher belongs to another MPI than mpi4py's: N lone copies over one log.
    """
    threadpool_limits(1)  # NumPy's, whose threads would spin against the other ranks
    warnings.filterwarnings("ignore", message="suspicious MPI")  # said below in our words
    from mpi4py import MPI
    from mpi4py.futures import MPICommExecutor

    size = MPI.COMM_WORLD.Get_size()
    if size == 1 < given_ranks():
        raise RunError(
            f"the launcher started {given_ranks()} processes, but MPI sees one: it belongs to "
            "another MPI; use the mpirun beside this python, or srun --mpi=pmi2"
        )
    with MPICommExecutor(MPI.COMM_WORLD, root=0) as executor:
        if executor is None:
            yield None
            return
        try:
            yield Pool(executor, size)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
