"""What a detector makes of photons: counting noise and digitising."""
