"""What every run needs: its folder, files, checkpoints, metrics, and progress.

Files are written under a temporary name and renamed, so a reader never sees half a file. Nothing
that is loaded can run code.
"""

from runs.errors import MENDABLE, RunError
from runs.files import fingerprint, read_npz, replacing, sweep, write_json, write_npz
from runs.folders import (
    borrow,
    check_made_from,
    claim,
    command,
    find,
    folder,
    made_from,
    require,
)
from runs.metrics import Metrics, read_metrics
from runs.models import (
    load_checkpoint,
    load_weights,
    quiet,
    save_checkpoint,
    save_weights,
    start_from,
    tensorflow,
)
from runs.progress import Progress, clock
from runs.workers import guard

__all__ = [
    "MENDABLE",
    "Metrics",
    "Progress",
    "RunError",
    "borrow",
    "check_made_from",
    "claim",
    "clock",
    "command",
    "find",
    "fingerprint",
    "folder",
    "load_checkpoint",
    "load_weights",
    "made_from",
    "quiet",
    "read_metrics",
    "read_npz",
    "replacing",
    "require",
    "save_checkpoint",
    "save_weights",
    "start_from",
    "sweep",
    "tensorflow",
    "write_json",
    "write_npz",
]

guard()  # before a script imports the rest, which may fail in one rank
