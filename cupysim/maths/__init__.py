"""Pure functions on arrays, written once for NumPy and CuPy."""
