"""The beam from the values of options."""

from __future__ import annotations

import math
import warnings

import numpy as np

from cupysim.drop_ins.sweeps import complete_sweep
from cupysim.errors import CupysimError, CupysimWarning, OptionError
from cupysim.models.beam import Beam
from cupysim.models.spectrum import Spectrum
from cupysim.nanobragg.arguments import Arguments
from cupysim.nanobragg.inherited import Inherited

SPECTRAL_OPTIONS = frozenset(
    {"-lambda", "-energy", "-dispersion", "-dispsteps", "-sourcefile", "-divergence", "-hdivrange",
     "-vdivrange", "-hdivstep", "-vdivstep", "-hdivsteps", "-vdivsteps", "-divsteps", "-spectrum"}
)  # fmt: skip
"""Options that describe the sources of the beam. They replace a spectrum from a file."""

ROUNDED_WAVELENGTH = 1e-3
"""Relative difference of a wavelength that is given with three or four digits."""


def make_beam(args: Arguments, inherited: Inherited) -> Beam:
    """Make the beam from the values of options and from headers.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    inherited : Inherited
        What images and experiment lists give.

    Raises
    ------
    CupysimError
        If options contradict each other, or a file cannot be read.
    """
    table = None
    if args.source_file is not None:
        from cupysim.formats import source_table

        table = source_table.read(args.source_file)
    spectrum = inherited.spectrum if SPECTRAL_OPTIONS.isdisjoint(args.seen) else None
    if spectrum is not None:
        nowhere = np.full((len(spectrum.weights), 3), np.nan)
        table = np.column_stack([nowhere, spectrum.weights, spectrum.wavelengths])
    chosen = None
    if args.spectrum is not None:
        chosen, table = _chosen_spectrum(args), None
    elif args.spectrum_samples is not None:
        raise CupysimError("-spectrum_samples needs -spectrum")
    fluence, quirks = args.fluence, args.quirks
    polarization = args.polarization
    if args.stokes is not None or (chosen is not None and chosen.stokes is not None):
        option = "-spectrum" if args.stokes is None else "-stokes"
        for other in ("-polar", "-nopolar"):
            if other in args.seen:
                raise CupysimError(f"{option} and {other} both give the polarization; give one")
        # Stokes parameters replace the Kahn factor of a geometry file
        polarization = 0.0
    edge = beam_edge(args)
    if args.flux != 0.0 and args.exposure > 0.0 and edge >= 0.0:
        if edge == 0.0:
            raise OptionError("-beamsize", "must not be 0 with -flux")
        fluence = args.flux * args.exposure / edge / edge
    return Beam(
        wavelength=args.wavelength,
        fluence=fluence,
        polarization=polarization,
        polarized=args.polarized,
        stokes=None if args.stokes is None else np.array(args.stokes),
        horizontal=complete_sweep(args.hdiv_range, args.hdiv_step, args.hdiv_steps, "hdiv", quirks),
        vertical=complete_sweep(args.vdiv_range, args.vdiv_step, args.vdiv_steps, "vdiv", quirks),
        dispersion=complete_sweep(
            args.dispersion, None, args.dispersion_steps, "dispersion", quirks
        ),
        round_divergence=args.round_divergence,
        source_table=table,
        spectrum=chosen,
        weights_count=spectrum is not None,
    )


def beam_edge(args: Arguments) -> float:
    """Edge of a square beam with the same photons and the same largest fluence (m).

    Parameters
    ----------
    args : Arguments
        Values of the options.

    Returns
    -------
    float
        The edge; negative if the size of the beam is not given.

    Raises
    ------
    CupysimError
        If the value of -beam_profile is not understood, or its file cannot be read.
    """
    if args.beam_profile is None:
        return float(args.beamsize)
    from cupysim.nanobragg.sample_body import beam_profile

    return math.sqrt(beam_profile(args.beam_profile).area)


def _chosen_spectrum(args: Arguments) -> Spectrum:
    from cupysim.nanobragg.spectra import spectrum_of

    if args.source_file is not None:
        raise CupysimError("-spectrum and -sourcefile both give wavelengths; give one of them")
    if "-dispsteps" in args.seen and "-dispersion" not in args.seen:
        raise CupysimError("-dispsteps needs -dispersion; -spectrum_samples is for -spectrum")
    spectrum = spectrum_of(args.spectrum, args.wavelength, args.spectrum_samples)
    least, most = min(spectrum.wavelengths), max(spectrum.wavelengths)
    if (
        not least * (1.0 - ROUNDED_WAVELENGTH)
        <= args.wavelength
        <= most * (1.0 + ROUNDED_WAVELENGTH)
    ):
        warnings.warn(
            CupysimWarning(
                f"-lambda: {1e10 * args.wavelength:g} A, which headers state, is not within "
                f"-spectrum, {1e10 * least:g} to {1e10 * most:g} A"
            ),
            stacklevel=2,
        )
    return spectrum
