"""One experiment of a DIALS list: everything except its detector."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.dials_json import experiments_of, pair, parsed
from cupysim.formats.dials_remarks import LEFT_HANDED, WIDTH, left_out, stands, still
from cupysim.formats.dials_scan import ScanPoint, count_images, oscillation
from cupysim.formats.geometry import is_x_ray
from cupysim.formats.rotation import forward, is_backward
from cupysim.maths.arrays import cross, norm, unit
from cupysim.maths.rotations import rotate_axis
from cupysim.storage.reading import opened

USUAL_FRACTION, USUAL_NORMAL = 0.999, (0.0, 1.0, 0.0)
"""Polarization fraction and normal that dxtbx uses if none is stored."""

PARALLEL = 1e-3
"""Sine of the angle to the beam below which a polarization normal gives no direction."""

NOT_A_ROTATION = 1e-3
"""Smallest departure of a goniometer's matrix from a rotation that is more than rounding."""

SMALLEST_VOLUME = 1.0
"""Smallest volume of a unit cell (Angstrom^3)."""

LARGEST_FILE = 2**28
"""Number of bytes to read. A list of a few experiments is shorter."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What a list says about an image, except its detector, in the frame of dxtbx.

    Parameters
    ----------
    beam, spindle : ndarray, shape (3,)
        Direction of propagation of the beam, and rotation axis: unit vectors.
    wavelength : float or None
        Wavelength (m).
    no_wavelength : str
        Reason why there is no wavelength; empty if there is one.
    phi, oscillation : float or None
        First spindle angle and width of the image (rad).
    is_reversed : bool
        Whether the spindle is the opposite of that in the file, whose angles decrease.
    polarization : tuple of (float, ndarray) or None
        Kahn factor, and direction of the electric field.
    reciprocal : ndarray of shape (3, 3) or (n_crystals, 3, 3), or None
        Rows a*, b*, c* (1/Angstrom) of the crystal, or of each of several, at spindle angle zero.
    flux : float or None
        Photons per second in the whole beam.
    remarks : tuple of str
        Warnings for the user.
    """

    beam: np.ndarray
    spindle: np.ndarray
    wavelength: float | None
    no_wavelength: str
    phi: float | None
    oscillation: float | None
    is_reversed: bool
    polarization: tuple[float, np.ndarray] | None
    reciprocal: np.ndarray | None
    flux: float | None
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ListedExperiment:
    """The experiment of a list, and the models of the list.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    content : object
        What the JSON of the list says.
    experiment : dict
        The experiment: numbers of its models.
    crystals : tuple of int
        Numbers of the crystals if there are several in the beam; otherwise empty.
    repeated : tuple of str
        Warnings about keys that occur twice.
    """

    path: object
    content: Any
    experiment: Any
    crystals: tuple[int, ...]
    repeated: tuple[str, ...]

    def model(self, kind: str) -> Any:
        """A model of the experiment; None if it has none.

        Parameters
        ----------
        kind : str
            "beam", "detector", "goniometer", "scan" or "crystal".

        Raises
        ------
        FileFormatError
            If the list lacks the model.
        """
        number = self.experiment.get(kind)
        if number is None:
            return None
        if isinstance(number, str):
            raise FileFormatError(
                self.path,
                f"its {kind} is in another file, {number}; one file with all models is expected",
            )
        if not 0 <= int(number) < len(self.content[kind]):
            raise FileFormatError(self.path, f"there is no {kind} {number}")
        return self.content[kind][int(number)]

    @property
    def detector(self) -> Any:
        """The detector.

        Raises
        ------
        FileFormatError
            If the experiment has no beam or no detector.
        """
        beam, detector = self.model("beam"), self.model("detector")
        if beam is None or detector is None:
            raise FileFormatError(self.path, "the experiment has no beam or no detector")
        return detector

    def _unused(self, kind: str) -> Any:
        """A model that only warnings need; None if it is missing."""
        models, number = self.content.get(kind), self.experiment.get(kind)
        if isinstance(models, list) and isinstance(number, int) and 0 <= number < len(models):
            return models[number] if isinstance(models[number], dict) else None
        return None

    def surroundings(self, number: int) -> Surroundings:
        """What the list says about an image, except its detector.

        Parameters
        ----------
        number : int
            Number of the image in the scan, counted from 0.

        Raises
        ------
        FileFormatError
            If there is no such image, or a model is impossible.
        """
        path = self.path
        beam, scan, crystal = (self.model(kind) for kind in ("beam", "scan", "crystal"))
        probe = str(beam.get("probe", "x-ray"))
        if not is_x_ray(probe):
            raise FileFormatError(path, f"its beam consists of {probe}s; only X-rays are simulated")
        start = width = None
        count, of_scan = 1, ""
        if scan is not None:
            count = count_images(path, scan)
            start, width, of_scan = oscillation(path, scan, number)
        elif number != 0:
            raise FileFormatError(path, f"there is no image {number}; the experiment is a still")
        point = ScanPoint(path, number, count)
        to_source, wave = _beam(beam, point)
        goniometer = self.model("goniometer")
        spindle, fixed, setting = _goniometer(path, goniometer, point)
        of_still = tuple(still(goniometer, start, width, crystal is not None))
        if of_still or abs(width or 0.0) < WIDTH:
            # in dxtbx, a still needs no goniometer, and no spindle angle turns its crystal
            start, width = None if of_still else start, None
        turns_back = is_backward(width)
        axis, start, width = forward(setting @ spindle, start, width)
        reciprocal = None
        if self.crystals:
            others = [replace(self, experiment={"crystal": each}) for each in self.crystals]
            reciprocal = np.stack([
                _reciprocal(path, other.model("crystal"), setting @ fixed, point)
                for other in others
            ])  # fmt: skip
        elif crystal is not None:
            reciprocal = _reciprocal(path, crystal, setting @ fixed, point)
        is_left_handed = reciprocal is not None and bool((np.linalg.det(reciprocal) < 0.0).any())
        polarization, of_polarization = _polarization(path, beam, to_source)
        limits = pair(path, beam, "wavelength_range") if "wavelength_range" in beam else None
        reason = "the experiment has no wavelength"
        if wave is None and limits is not None:
            reason = f"its beam is polychromatic, from {limits[0]:g} to {limits[1]:g} A"
        return Surroundings(
            beam=-to_source,
            spindle=axis,
            wavelength=None if wave is None else wave * ANGSTROM,
            no_wavelength="" if wave is not None else reason,
            phi=start,
            oscillation=width,
            is_reversed=turns_back,
            polarization=polarization,
            reciprocal=reciprocal,
            flux=_flux(path, beam),
            remarks=(
                *((LEFT_HANDED,) if is_left_handed else ()),
                *of_still,
                *((of_scan,) if of_scan else ()),
                *of_polarization,
                *left_out(beam, crystal, self._unused("profile"), self._unused("imageset")),
                *stands(goniometer, setting @ fixed, width is None, crystal is not None),
                *self.repeated,
            ),
        )


@contextmanager
def single_experiment(path: os.PathLike[str] | str) -> Iterator[ListedExperiment]:
    """Read a list with one image. Errors of incomplete models become a `FileFormatError`.

    Several experiments are several crystals in the beam if they differ in nothing else.

    Parameters
    ----------
    path : path_like
        File to read.

    Raises
    ------
    FileFormatError
        If it is not an experiment list, has several images, or a model is incomplete.
    """
    with opened(path) as stream:
        text = stream.read(LARGEST_FILE)
    content, repeated = parsed(path, text)
    experiments = experiments_of(path, content)
    crystals = _crystals_of_image(experiments)
    if len(experiments) > 1 and not crystals:
        raise FileFormatError(
            path, f"{len(experiments)} experiments; one is expected (dials.split_experiments), or "
            "several that differ only in their crystals"
        )  # fmt: skip
    try:
        with np.errstate(all="ignore"):
            # impossible numbers are rejected where they are used
            yield ListedExperiment(path, content, experiments[0], crystals, repeated)
    except KeyError as error:
        raise FileFormatError(path, f"a model is incomplete: no {error}") from error
    except (ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise FileFormatError(path, f"a model is incomplete: {error!r}") from error


def _crystals_of_image(experiments: list[Any]) -> tuple[int, ...]:
    """Numbers of the crystals of experiments that have all other models in common.

    Empty for a single experiment, and for experiments that may be different images.
    """
    if len(experiments) < 2 or not all(isinstance(each, dict) for each in experiments):
        return ()
    kinds = ("beam", "detector", "goniometer", "scan", "imageset")
    if any(len({str(each.get(kind)) for each in experiments}) > 1 for kind in kinds):
        return ()
    found = tuple(each.get("crystal") for each in experiments)
    whole = all(isinstance(number, int) for number in found)
    return found if whole and len(set(found)) == len(found) else ()


def _beam(beam: Any, point: ScanPoint) -> tuple[np.ndarray, float | None]:
    """Direction to the source, and wavelength (Angstrom), at the beginning of an image."""
    varying = beam.get("s0_at_scan_points")
    if varying:
        s0 = point.of(varying, "beam directions")
        return -unit(s0), 1.0 / float(norm(s0))
    direction = np.array(beam["direction"], dtype=np.float64)
    if not norm(direction) > 0.0:
        raise ValueError(f"the direction of its beam is {direction.tolist()}")
    to_source = unit(direction)
    wavelength = beam.get("wavelength")
    return to_source, None if wavelength is None else float(wavelength)


def _polarization(
    path: object, beam: Any, to_source: np.ndarray
) -> tuple[tuple[float, np.ndarray] | None, tuple[str, ...]]:
    """Kahn factor and direction of the electric field, with warnings.

    The Kahn factor is 1 if DIALS' fraction is 1, and 0 if the fraction is 1/2. The result is None,
    with a warning, if the normal does not define the field.
    """
    normal = np.array(beam.get("polarization_normal", USUAL_NORMAL), dtype=np.float64)
    fraction = float(beam.get("polarization_fraction", USUAL_FRACTION))
    if not 0.0 <= fraction <= 1.0:
        raise FileFormatError(path, f"polarization_fraction {fraction:g} is not between 0 and 1")
    field = cross(normal, to_source)
    if not norm(field) > PARALLEL * norm(normal):
        remark = (
            "its polarization_normal is along the beam and gives no direction: the "
            f"polarization_fraction of {fraction:g} is not used; -polar gives a factor"
        )
        return None, (remark,)
    return (2.0 * fraction - 1.0, unit(field)), ()


def _flux(path: object, beam: Any) -> float | None:
    """Photons per second; None if the list does not say how many reach the crystal."""
    flux, transmission = float(beam.get("flux") or 0.0), float(beam.get("transmission", 1.0) or 0.0)
    if not (np.isfinite([flux, transmission]).all() and min(flux, transmission) >= 0.0):
        raise FileFormatError(
            path, f"a flux of {flux:g} or a transmission of {transmission:g} is impossible"
        )
    return flux if flux > 0.0 and transmission == 1.0 else None


def _goniometer(
    path: object, model: Any, point: ScanPoint
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotation axis, fixed rotation and setting rotation.

    Several axes are stored from the crystal outwards. Those before the scan axis are the fixed
    rotation, those after it are the setting rotation.
    """
    if model is None:
        return np.array([1.0, 0.0, 0.0]), np.eye(3), np.eye(3)
    varying = model.get("setting_rotation_at_scan_points")
    at_image = (
        None if not varying else _rotation(path, point.of(varying, "setting rotations"), "setting")
    )
    if "axes" not in model:
        fixed, setting = (
            _rotation(path, model.get(f"{name}_rotation", np.eye(3).ravel()), name)
            for name in ("fixed", "setting")
        )
        axis = np.array(model["rotation_axis"], dtype=np.float64)
        return _axis(path, axis), fixed, setting if at_image is None else at_image
    axes = [_axis(path, axis) for axis in model["axes"]]
    turning = int(model["scan_axis"])
    if not 0 <= turning < len(axes):
        raise FileFormatError(
            path, f"its scan_axis is {turning}, but it has {len(axes)} goniometer axes"
        )
    matrices = [
        np.stack(
            [rotate_axis(v, axis, np.float64(angle / DEGREES_PER_RADIAN)) for v in np.eye(3)], 1
        )
        for axis, angle in zip(axes, model["angles"], strict=True)
    ]
    fixed = setting = np.eye(3)
    for matrix in matrices[:turning]:
        fixed = matrix @ fixed
    for matrix in matrices[turning + 1 :]:
        setting = matrix @ setting
    return axes[turning], fixed, setting if at_image is None else at_image


def _axis(path: object, values: Any) -> np.ndarray:
    axis = np.array(values, dtype=np.float64)
    if not norm(axis) > 0.0:
        raise FileFormatError(path, f"a goniometer axis has no direction: {axis.tolist()}")
    return np.asarray(unit(axis))


def _rotation(path: object, values: Any, name: str) -> np.ndarray:
    """Rotation matrix from nine numbers; rejects other matrices."""
    matrix = np.array(values, dtype=np.float64).reshape(3, 3)
    error = np.abs(matrix @ matrix.T - np.eye(3)).max()
    if not (error <= NOT_A_ROTATION and np.linalg.det(matrix) > 0.0):
        raise FileFormatError(path, f"its goniometer's {name} rotation is not a rotation")
    return matrix


def _reciprocal(path: object, crystal: Any, rotation: np.ndarray, point: ScanPoint) -> np.ndarray:
    """Matrix with rows a*, b*, c* (1/Angstrom) at spindle angle zero, turned by the goniometer.

    If the crystal varies during the scan, the matrix is that at the beginning of the image.
    """
    varying = crystal.get("A_at_scan_points")
    if varying:
        a_matrix = point.of(varying, "A matrices")
        return np.ascontiguousarray((rotation @ a_matrix.reshape(3, 3)).T)
    direct = np.array([crystal[f"real_space_{axis}"] for axis in "abc"], dtype=np.float64)
    # written so that nan is also rejected
    if not abs(np.linalg.det(direct)) >= SMALLEST_VOLUME:
        raise FileFormatError(path, "its crystal's cell vectors span no volume")
    return np.ascontiguousarray(np.linalg.inv(direct @ rotation.T).T)
