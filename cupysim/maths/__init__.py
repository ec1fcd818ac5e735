"""Mathematical functions of arrays, written once for NumPy and CuPy."""
