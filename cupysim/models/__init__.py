"""Models of what is simulated: frozen dataclasses in SI units."""
