"""Stage 3: episodes as latents."""
