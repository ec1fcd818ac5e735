"""What is simulated: frozen descriptions in SI units."""
