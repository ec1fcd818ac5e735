"""Every tolerance of the tests, with its reason."""

from __future__ import annotations

GOLDEN_RELATIVE = 1e-6
"""Float pixels against the C program. The arithmetic is the same, in the same order; what remains
are a few last bits of float64 functions, which show as one unit of float32 (6e-8)."""

GOLDEN_ABSOLUTE = 1e-9
"""The same, of the image's maximum: at zeros of the interference function the C program's own
rounding is of this size."""

MIXED = 1e-6
"""Mixed precision, of the image's maximum: sines, structure factors and partial sums have the 24
bits of float32; Miller indices have more."""

PRINTED_DIGIT = 2e-5
"""Numbers printed with six digits, the last of which may be another."""

INTEGER_STEP = 1
"""Integer pixels of our own float image: one float32 unit can cross a rounding edge."""

LAST_BITS = 1e-12
"""Results of two float64 computations in different orders."""

FLOAT32_BITS = 2e-7
"""Results which are rounded to float32 at the end."""

FLOAT32_TINY = 1.2e-38
"""Below the smallest normal float32, numbers have fewer digits."""

ROTATED_EXPERIMENT = 1e-6
"""Images of an experiment which was rotated as a whole, of the maximum: Miller indices of up to
about 30 are then other sums of products, 1e-14 apart, which the flanks of the interference function
magnify."""

POSITION = 1e-9
"""Positions on a detector (m) after rotations into another frame: far below any pixel."""

BENCHMARK_CORRELATION = 0.999999
"""Of large images: what users of the reference project ask for; pixels are held to more."""

BENCHMARK_SUM = 1e-6
"""Relative difference of sums over large images, likewise."""
