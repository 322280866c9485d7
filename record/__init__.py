"""Stage 1: episodes of a simple policy, one npz each."""
