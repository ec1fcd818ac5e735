"""Detection of photons: counting noise and digitising."""
