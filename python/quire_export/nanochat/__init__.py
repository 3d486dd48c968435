"""nanochat training runs: every era of their checkpoints, as one decoder."""
