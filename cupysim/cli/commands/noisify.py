"""Add noise to an image of expected photons, as noisify does."""

from __future__ import annotations

from functools import partial

from cupysim.cli.drop_in import run_drop_in

TAKES_WORDS = True

run_words = partial(run_drop_in, "noisify")
