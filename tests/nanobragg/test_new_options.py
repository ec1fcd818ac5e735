"""Options that nanoBragg lacks: their names do not set options of nanoBragg too."""

from __future__ import annotations

import pytest

from cupysim.nanobragg.option_kinds import Option
from cupysim.nanobragg.options import OPTIONS
from cupysim.nanobragg.words import options_in
from cupysim.quirks import NANOBRAGG


@pytest.mark.parametrize(
    "option", [each for each in OPTIONS if each.is_new], ids=lambda option: option.name
)
def test_a_new_name_is_no_other_option(option: Option) -> None:
    """The C program finds its options anywhere in a word."""
    for name in option.names:
        assert options_in(name, NANOBRAGG) == [option]
