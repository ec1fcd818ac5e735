"""Make the picture of the README from the demo's output: ``python scripts/make_figures.py``.

Run ``scripts/demo`` before. Needs ``pip install matplotlib``.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from cupysim.formats import float_image, smv

ROOT = Path(__file__).parent.parent
OUTPUT = ROOT / "examples" / "output"
OFFSET = 40.0
BRIGHTEST = 100.0


def main() -> None:
    """Draw the expected and the counted photons side by side."""
    expected = float_image.read(OUTPUT / "float.bin", 512, 512)
    counted = smv.read(OUTPUT / "noise_001.img").image - OFFSET
    figure, axes = plt.subplots(1, 2, figsize=(10, 5.1), layout="constrained")
    for axis, image, title in zip(
        axes, (expected, counted), ("expected photons", "counted photons"), strict=True
    ):
        axis.imshow(np.log1p(np.clip(image, 0, BRIGHTEST)), cmap="gray_r")
        axis.set_title(title)
        axis.set_axis_off()
    figure.savefig(ROOT / "docs" / "images" / "1orc.png", dpi=80)


if __name__ == "__main__":
    main()
