"""Training one run: its config, presets, loop, optimiser, saved state, frames, status and folder."""
