"""Stage 5: the controller C, and what evolves it."""
