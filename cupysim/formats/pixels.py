"""What image formats for measured photons have in common."""

from __future__ import annotations

GAP = -1
"""Counts of pixels which were not computed."""

LARGEST_COUNT = 2**31 - 1
"""Photons which a pixel of 32 bits can count."""

THINNEST_SENSOR = 1e-12
"""Thickness (m) of a sensor without any: DIALS wants more than zero."""
