"""Stage 2: the vision model V."""

import runs  # noqa: F401  sets TensorFlow up before anything imports it
