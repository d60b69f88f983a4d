"""Training runs: checkpoints, and the networks that ``cs231n train`` trains on real data."""
