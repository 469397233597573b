"""Real workers, schedulers and servers, killed at bad moments."""
