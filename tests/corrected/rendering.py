"""Small images from options, on a backend which a test is given."""

from __future__ import annotations

import warnings

import numpy as np

from cupysim.api import from_args
from cupysim.backends.rendered import Observer
from cupysim.errors import CupysimWarning
from cupysim.models.experiment import Experiment
from cupysim.plan.planning import make_plan
from tests.conftest import Renderer

SUM = 2e-6
"""Relative difference of sums of pixels: each is rounded to float32, and within 1e-6."""


def experiment_of(words: str) -> Experiment:
    """An experiment; its warnings are not what is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        return from_args(words)


def image_of(renderer: Renderer, words: str | Experiment) -> np.ndarray:
    """An image in double precision, shape (n_slow, n_fast)."""
    experiment = experiment_of(words) if isinstance(words, str) else words
    rendered = renderer(make_plan(experiment), Observer())
    return rendered.image[0, 0].astype(np.float64)
