"""Render the scattering of amorphous matter, as nonBragg does."""

from __future__ import annotations

from functools import partial

from cupysim.cli.drop_in import run_drop_in

TAKES_WORDS = True

run_words = partial(run_drop_in, "nonbragg")
