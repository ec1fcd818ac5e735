"""Writing a response as the text of a response file, and reading it again."""

from __future__ import annotations

from typing import Any

from cupysim.detection.analogue import Analogue, Gain
from cupysim.detection.response import Response
from cupysim.detection.response_file import response_of
from cupysim.storage.toml_document import Document
from cupysim.storage.toml_text import toml_text

TABLE = "response"
"""Name of the table in the text."""


def response_text(response: Response) -> str:
    """Write a response as TOML with one table, ``[response]``.

    Parameters
    ----------
    response : Response
        The response.

    Returns
    -------
    str
        Text. `response_from_text` reads it.
    """
    return toml_text({TABLE: response_mapping(response)}, TABLE)


def response_from_text(text: str) -> Response:
    """Return the response that `response_text` wrote.

    Raises
    ------
    FileFormatError
        If the text is damaged.
    """
    section = Document("response of the file", text).section(TABLE)
    return response_of(section, "custom")


def response_mapping(response: Response) -> dict[str, Any]:
    """Figures of a response, by the keys of response files."""
    found: dict[str, Any] = {
        "name": response.name,
        "pixel_type": response.pixel_type,
        "masked_value": response.masked_value,
        "serial": response.serial,
        "charge_cloud": response.charge_cloud,
    }
    readout = response.readout
    if isinstance(readout, Analogue):
        found |= _analogue(readout)
    else:
        found |= {"kind": "counting", "bits": readout.bits, "threshold": readout.threshold,
                  "rate_correction": readout.rate_correction}  # fmt: skip
        if readout.largest_rate is not None:
            found["largest_rate"] = readout.largest_rate
        if readout.dead_time is not None:
            dead_time = readout.dead_time
            found["dead_time"] = {"model": str(dead_time.model), "pulse": dead_time.pulse,
                                  "retrigger": dead_time.retrigger}  # fmt: skip
    if response.flicker is not None:
        found["flicker"] = response.flicker.rms
    if response.dead_layer is not None:
        layer = response.dead_layer
        found["dead_layer"] = {"material": layer.material, "thickness": layer.thickness}
    if response.point_spread is not None:
        spread = response.point_spread
        found["point_spread"] = {
            "function": spread.function, "width": spread.width, "radius": spread.radius,
            "border": str(spread.border), "after_counting": spread.after_counting,
        }  # fmt: skip
        if spread.kernel is not None:
            found["point_spread"]["kernel"] = spread.kernel
    if response.scan is not None:
        scan = response.scan
        found["scan"] = {"turn": scan.turn, "step": scan.step, "diameter": scan.diameter,
                         "noise": scan.noise}  # fmt: skip
    defects = response.defects
    found["defects"] = {"dead": defects.dead, "hot": defects.hot, "cold": defects.cold,
                        "are_masked": defects.are_masked}  # fmt: skip
    return found


def _analogue(readout: Analogue) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": "analogue", "pair_energy": readout.pair_energy, "fano": readout.fano,
        "adc_bits": readout.adc_bits, "pedestal_drift": readout.pedestal_drift,
        "gain_jitter": readout.gain_jitter, "knows_pixels": readout.knows_pixels,
        "gains": [_gain(gain) for gain in readout.gains],
    }  # fmt: skip
    if readout.overload is not None:
        found["overload"] = readout.overload
    return found


def _gain(gain: Gain) -> dict[str, Any]:
    found = {
        "adu_per_kev": gain.adu_per_ev * 1e3, "noise": gain.noise, "pedestal": gain.pedestal,
        "range_end": gain.range_end / 1e3, "gain_spread": gain.gain_spread,
        "pedestal_spread": gain.pedestal_spread, "bits": gain.bits,
    }  # fmt: skip
    return {**found, "name": gain.name} if gain.name else found
