"""Planning in imagination: search on latents, and AlphaZero's loop around it."""
