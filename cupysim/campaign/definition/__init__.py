"""Contents of a campaign file: base, distributions, shots."""
