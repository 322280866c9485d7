"""What a person can mend, told in one sentence."""

from __future__ import annotations

import errno

# Errors of the operating system that the user can mend, and that are told in one sentence.
MENDABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS)


class RunError(Exception):
    """What the user can mend; its text is the one sentence that is shown."""
