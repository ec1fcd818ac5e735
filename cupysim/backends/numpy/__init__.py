"""The NumPy backend: readable code in double precision, the reference for the other backends."""
