"""The NumPy backend: readable, in double precision; the oracle."""
