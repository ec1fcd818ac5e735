"""Values that images (-mask, -img) and experiment lists (-expt) set."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import Any

import numpy as np

from cupysim.errors import CupysimWarning, FileFormatError, OptionError
from cupysim.formats import cbf, dials, nexus, nxmx_image, smv
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.image_stacks import count_images
from cupysim.formats.nexus.reader import hdf5_file, is_hdf5
from cupysim.formats.nexus.writer import OURS
from cupysim.formats.stored_geometry import contradiction_of
from cupysim.models.sensor import Sensor
from cupysim.nanobragg import panel_files
from cupysim.nanobragg.exact_geometry import geometry_values
from cupysim.nanobragg.inherited import Inherited
from cupysim.nanobragg.smv_headers import (
    check_numbers,
    header_values,
    meant_values,
    warn_of_what_is_left_out,
)
from cupysim.quirks import CORRECTED, Quirk, Quirks, warn_quirk
from cupysim.storage.reading import check_regular, opened

OVERRULING = frozenset({"experiment_file", "geometry_file", "detector_name"})
"""Values that place the detector, whatever images and masks say."""


def inherit(
    values: MutableMapping[str, Any],
    given: Mapping[str, Any],
    placed_by_options: bool,
    quirks: Quirks = CORRECTED,
) -> Inherited:
    """Let mask, image and experiment list set values, in this order.

    Parameters
    ----------
    values : mapping
        Values of a command line without options. The files' values replace them in place.
    given : mapping
        Values that the command line gives, including the names of the files.
    placed_by_options : bool
        Whether the command line places the detector. A mask then gives only its size.
    quirks : Quirks, optional
        Corrected quirks. With Q29, headers are read as they are meant.

    Returns
    -------
    Inherited
        What else the files give.

    Raises
    ------
    FileFormatError
        If a file cannot be read or its geometry is impossible.
    """
    mask, number = None, given.get("image_number", 0)
    placed: list[tuple[str, ImageGeometry]] = []
    found: dict[str, Any] = {}
    sensor: Sensor | None = None
    several_panels = panel_files.read_panels(given)
    if several_panels is not None:
        name_of_panels, geometry_of_panels = several_panels
        panel = panel_files.only_panel(geometry_of_panels.detector)
        if panel is None:
            return _inherit_panels(values, given, name_of_panels, geometry_of_panels)
        placed.append((name_of_panels, panel_files.as_image_geometry(geometry_of_panels, panel)))
        mask = panel.mask
        sensor = panel.sensor if panel.sensor.layers.range > 0.0 else None
    lacking, several = "", False
    for name, is_mask in (("mask_file", True), ("image_file", False)):
        path = given.get(name)
        if path is None:
            continue
        # a mask's file places the detector if nothing else does
        is_alone = not is_mask or ({"image_file"} | OVERRULING).isdisjoint(given)
        only_pixels = is_mask and (placed_by_options or not is_alone)
        good, geometry, smv_image, holds_several = _open(path, is_mask, number, only_pixels)
        several |= holds_several
        if smv_image is not None:
            whole_keys = quirks.corrects(Quirk.HEADER_READING)
            check_numbers(smv_image, given, whole_keys)
            pixel = found.get("pixel", values["pixel"])
            header = (
                meant_values(smv_image)
                if whole_keys
                else header_values(smv_image, flip_y=is_mask, pixel=pixel)
            )
            found |= header
            # a mask's header places the detector if nothing else does
            is_used = is_alone and OVERRULING.isdisjoint(given)
            if is_used and not (is_mask and placed_by_options):
                warn_of_what_is_left_out(smv_image, header, given, quirks)
                if is_mask and "beam_y" in header and not whole_keys:
                    effect = f"BEAM_CENTER_Y of the mask {path} is counted from the other edge"
                    warn_quirk(Quirk.HEADER_READING, effect)
                if "wavelength" not in header:
                    lacking = f"{path}: its header has no WAVELENGTH"
        if is_mask and mask is not None and good is not None and good.shape == mask.shape:
            # gaps of a named detector stay gaps
            mask = mask & good
        elif is_mask:
            mask = good
        if geometry is None:
            if smv_image is None and mask is not None:
                found |= {"n_fast": mask.shape[1], "n_slow": mask.shape[0]}
            continue
        if only_pixels:
            found |= {"n_fast": geometry.n_fast, "n_slow": geometry.n_slow}
        else:
            placed.append((path, geometry))
    if given.get("experiment_file") is not None:
        path = given["experiment_file"]
        placed.append((path, dials.read(path, number)))
        several = True
    if number != 0 and not several:
        raise OptionError("-image", "needs a file of several images, given by -img, -mask or -expt")
    if placed:
        # an exact geometry replaces all values of other files, even those that it does not have
        path, geometry = placed[-1]
        found = geometry_values(path, geometry)
        photons, of_photons = _photons(geometry, given)
        found |= photons
        for remark in (*geometry.remarks, *of_photons):
            warnings.warn(CupysimWarning(f"{path}: {remark}"), stacklevel=2)
        lacking = ""
        if path != given.get("mask_file") and geometry.wavelength is None:
            lacking = f"{path}: {geometry.no_wavelength or 'the file has no wavelength'}"
    values.update(found)
    return Inherited(
        mask=mask,
        exact=placed[-1][0] if placed else None,
        names=frozenset(found),
        no_wavelength="" if "wavelength" in found else lacking,
        spectrum=placed[-1][1].spectrum if placed else None,
        sensor=sensor,
    )


def _inherit_panels(
    values: MutableMapping[str, Any],
    given: Mapping[str, Any],
    path: str,
    geometry: DetectorGeometry,
) -> Inherited:
    """Let a geometry of several panels set values."""
    geometry = panel_files.in_mosflm_frame(geometry)
    photons, of_photons = _photons(geometry, given)
    for remark in (*geometry.remarks, *of_photons):
        warnings.warn(CupysimWarning(f"{path}: {remark}"), stacklevel=3)
    found = panel_files.panel_values(path, geometry) | photons
    values.update(found)
    return Inherited(
        mask=None,
        exact=path,
        names=frozenset(found),
        no_wavelength="" if "wavelength" in found else f"{path}: there is no wavelength",
        spectrum=geometry.spectrum,
        panels=geometry.detector,
    )


def _photons(
    geometry: ImageGeometry | DetectorGeometry, given: Mapping[str, Any]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Flux and size of the beam, and a remark on a flux that is not used.

    A flux is used only with a given exposure time and beam size, because defaults of these would
    give a wrong fluence.
    """
    values = {}
    if geometry.beam_size is not None and "beamsize" not in given:
        values["beamsize"] = geometry.beam_size
    if geometry.flux is None or {"flux", "fluence"} & set(given):
        return values, ()
    if "exposure" in given and ("beamsize" in given or values):
        return values | {"flux": geometry.flux}, ()
    remark = f"its flux of {geometry.flux:g} photons/s is used only with -exposure and -beamsize"
    return values, (remark,)


def _open(
    path: str, is_mask: bool, number: int, only_pixels: bool
) -> tuple[np.ndarray | None, ImageGeometry | None, smv.SmvFile | None, bool]:
    """Read good pixels, geometry, or an SMV image, and whether the file holds several images.

    A mask that does not place the detector needs only pixels.
    """
    check_regular(path)
    with opened(path) as stream:
        head = stream.read(8)
    if head.startswith(cbf.SIGNATURE) and only_pixels:
        return cbf.good_pixels(cbf.read_pixels(path)), None, None, False
    if head.startswith(cbf.SIGNATURE):
        image, geometry = cbf.read(path)
        return cbf.good_pixels(image), geometry, None, False
    if is_hdf5(path):
        if is_mask and number != 0:
            # one mask serves all images of a series
            with hdf5_file(path) as file:
                number = number if count_images(file) > 1 else 0
        # only the geometry of the file of -img is used
        good, geometry = nxmx_image.read(path, number, with_pixels=is_mask)
        contradiction = _of_stored(path, geometry)
        if contradiction:
            geometry = replace(geometry, remarks=(*geometry.remarks, contradiction))
        return good, geometry, None, True
    smv_image = smv.read(path)
    return (smv_image.image != 0 if is_mask else None), None, smv_image, False


def _of_stored(path: str, geometry: ImageGeometry) -> str:
    """Words about the experiment in a file of cupysim, if it differs from the file's geometry."""
    with hdf5_file(path) as file:
        if OURS not in file or count_images(file) > 1:
            return ""
    try:
        stored = nexus.read(path).experiment
    except FileFormatError as error:
        return f"the experiment that cupysim stored is not compared ({error})"
    return contradiction_of(stored, geometry)
