"""The report of what works on a machine."""

from __future__ import annotations

import importlib.util

import pytest

from cupysim.backends import select
from cupysim.backends.select import BACKENDS
from cupysim.cli.main import main
from cupysim.optional_libraries import EXTRAS


def report(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    assert main(["doctor", *words]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    told: dict[str, str] = {}
    for line in lines:
        # the backend numpy comes before the library
        told.setdefault(line[2:16].strip(), line[16:])
    return told


def test_what_works_and_what_does_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "nxmx" else found(name)
    )
    told = report(capsys, "--no-speeds")
    for name in BACKENDS:
        reason = select.why_not(name)
        assert told[name] == ("works" if reason is None else f"does not work: {reason}")
    assert told["numpy"]
    assert told["nxmx"] == "missing: pip install 'cupysim[images]'"
    assert set(EXTRAS) <= set(told)


def test_speeds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cupysim.cli.commands.doctor.SECONDS", 0.0)
    told = report(capsys)
    assert "million steps per second" in told["numpy double"]
    assert float(told["photon noise"].split()[0]) > 0.0
