"""The games, batched: one file a game."""
