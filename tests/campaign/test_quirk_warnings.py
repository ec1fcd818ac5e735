"""Quirks that act in a campaign are told before it runs, each once."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from cupysim import QuirkWarning
from cupysim.campaign.definition.quirk_warnings import warn_of_quirks
from tests.campaign.campaigns import campaign_of, text

BASE = (
    "-cell 50 60 70 90 90 90 -default_F 100 -lambda 1 -N 5 -distance 60 -detpixels 24 -pixel 2 "
    "-oversample 1 -osc 1 -phisteps 2"
)


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("-phi 10", ["shot 2: one of 2 spindle angles is exactly 0"]),
        ("-phi 0", ["one of 2 spindle angles is exactly 0"]),
        ("-phi 10 -corrected", []),
    ],
)
def test_of_the_base_and_of_what_is_drawn(tmp_path: Path, base: str, told: list[str]) -> None:
    """Quirk Q3 acts where a spindle angle is exactly zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = text("phi = { list = [3, 2, 0, 0] }", 4, f"{BASE} {base}")
        campaign = campaign_of(tmp_path, content)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warn_of_quirks(campaign)
    messages = [str(each.message) for each in found if each.category is QuirkWarning]
    messages = [message for message in messages if "Q3:" in message]
    assert len(messages) == len(told)
    for message, expected in zip(messages, told, strict=True):
        assert expected in message
