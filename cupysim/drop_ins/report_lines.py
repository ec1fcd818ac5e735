"""Lines on standard output that several C programs print."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cupysim.models.sampling import Sweep
from cupysim.models.sources import Sources


def general(value: float) -> str:
    """A number as %g prints it.

    The C programs print "-nan" for a number that is not a number, on x86-64.
    """
    return "-nan" if math.isnan(value) else f"{value:g}"


def triple(values: Iterable[float]) -> str:
    """Three numbers as %g prints them."""
    return " ".join(general(float(value)) for value in values)


def clipping_lines(beam: float, height: float, width: float) -> Iterator[str]:
    """Warnings that the beam clips the sample.

    Parameters
    ----------
    beam : float
        Size of the beam (m); a negative one clips nothing.
    height, width : float
        y and z size of the sample (m).
    """
    if beam >= 0.0:
        for word, size in (("high", height), ("wide", width)):
            if beam < size:
                yield f"WARNING: clipping sample ({size:g} m {word}) with beam ({beam:g} m)"


def source_lines(sources: Sources) -> Iterator[str]:
    """Lines about divergence and dispersion, and all sources."""
    if sources.deviations is not None and sources.spectrum is not None:
        for horizontal, vertical in sources.deviations.tolist():
            yield f"divergence deviation: {horizontal:g} {vertical:g}"
        for number, wavelength in enumerate(sources.spectrum.tolist()):
            yield f"lambda{number} = {wavelength:.15g}"
    yield f"  created a total of {len(sources.wavelengths)} sources:"
    rows = zip(
        sources.positions.tolist(),
        sources.weights.tolist(),
        sources.wavelengths.tolist(),
        strict=True,
    )
    for position, weight, wavelength in rows:
        yield f"{triple(position)}   {weight:g} {wavelength:g}"


def wave_line(wavelength: float, dispersion: Sweep) -> str:
    """The line about wavelength (m) and bandwidth."""
    return (
        f"  wave={wavelength:g} meters +/- {dispersion.range * 100:g}% in {dispersion.count} steps"
    )


def polarization_line(is_polarized: bool, kahn: float) -> str:
    """The line about the polarization factor."""
    if is_polarized:
        return f"  Kahn polarization factor: {kahn:f}"
    return "  polarization effect disabled"


def detector_line(
    distance: float, size: tuple[float, float], pixel: float, counts: tuple[int, int]
) -> str:
    """The line about the detector.

    Parameters
    ----------
    distance : float
        Distance along the beam (m).
    size : tuple of 2 float
        Size along fast and slow (m).
    pixel : float
        Pixel edge (m).
    counts : tuple of 2 int
        Numbers of pixels along fast and slow.
    """
    return (
        f"  distance={general(distance)} detsize={size[0]:g}x{size[1]:g}  "
        f"pixel={pixel:g} meters ({counts[0]}x{counts[1]} pixels)"
    )


def divergence_lines(horizontal: Sweep, vertical: Sweep, sources: Sources) -> Iterator[str]:
    """Lines about the divergence (rad) and the number of sources."""
    for name, sweep in (("hdiv", horizontal), ("vdiv", vertical)):
        yield f"  {name}range={sweep.range:g} {name}step={sweep.step:g}  radians"
    # the C programs do not count the directions of a source file
    yield f"  {-1 if sources.deviations is None else len(sources.deviations)} divergence steps"
    yield f"  {len(sources.wavelengths)} sources"


def solid_angle_line(angle: float) -> str:
    """The line about the solid angle of all pixels (sr), after rendering."""
    return (
        f"solid angle subtended by detector = {general(angle)} steradian "
        f"( {general(100 * angle / 4 / math.pi)}% sphere)"
    )


def maximum_line(maximum: float, at: tuple[float, float]) -> str:
    """The line about the largest value (photons) and its place (m)."""
    return f"max_I = {general(maximum)}  at {at[0]:g} {at[1]:g}"


def mean_line(mean: float, rms: float, rmsd: float) -> str:
    """The line about the mean of the pixels (photons)."""
    return f"mean= {general(mean)} rms= {general(rms)} rmsd= {general(rmsd)}"


def pixel_lines(
    pixel: tuple[int, int], stol: float, position: Sequence[float], wavelength: float
) -> Iterator[str]:
    """Lines of -printout about the place of a pixel.

    Parameters
    ----------
    pixel : tuple of 2 int
        Fast and slow number.
    stol : float
        sin(theta)/lambda (1/m).
    position : sequence of 3 float
        Place in the laboratory (m).
    wavelength : float
        Wavelength (m). The second sin(theta)/lambda is computed from it and the place.
    """
    x, y, z = position
    twotheta = math.atan2(math.sqrt(y * y + z * z), x)
    from_position = math.sin(twotheta / 2.0) / (wavelength * 1e10)
    yield f"{pixel[0]:4d} {pixel[1]:4d} : stol = {stol:g} or {from_position:g}"
    yield f"at {triple(position)}"


def value_lines(values: Mapping[str, float]) -> Iterator[str]:
    """Lines of -printout with one value each."""
    for name, value in values.items():
        yield f"{name:7} {value:15.10g}"
