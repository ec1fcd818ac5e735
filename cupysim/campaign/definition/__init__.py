"""What a campaign file says: base, distributions, shots."""
