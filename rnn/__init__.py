"""Stage 4: the memory model M, and the dream."""

import runs  # noqa: F401  sets TensorFlow up before anything imports it
