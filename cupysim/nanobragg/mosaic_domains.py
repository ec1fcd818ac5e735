"""Mosaic domains from the values of options."""

from __future__ import annotations

from cupysim.errors import CupysimError
from cupysim.maths.nr_random import RandomStream, ShuffleTable
from cupysim.models.crystal import DEFAULT_MOSAIC_DOMAINS, Crystal
from cupysim.models.mosaic_model import Distribution, MosaicModel, cartesian_axes, edge_axes
from cupysim.models.mosaicity import Mosaicity
from cupysim.nanobragg.arguments import Arguments


def mosaic_domains(args: Arguments, crystal: Crystal, table: ShuffleTable) -> Mosaicity:
    """Make the mosaic domains of a crystal.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    crystal : Crystal
        The crystal without mosaicity. Spreads about its axes follow its orientation.
    table : ShuffleTable
        Shuffle table that all random numbers of the C program share.

    Raises
    ------
    CupysimError
        If options contradict each other.
    """
    spread, domains = mosaic_sampling(args)
    if spread <= 0.0 and args.spread_abc is None and args.cell_spreads is not None:
        return Mosaicity.aligned(domains)
    if args.mosaic_model in ("nanobragg", "simtbx"):
        for name, value in (
            ("-spread_abc", args.spread_abc),
            ("-spread_off_diagonal", args.spread_off_diagonal),
        ):
            if value is not None:
                raise CupysimError(
                    f"{name} needs -domain_model diffbragg or normal, not {args.mosaic_model}"
                )
        if args.mosaic_model == "simtbx":
            return Mosaicity.simtbx(spread, domains, args.mosaic_seed)
        return Mosaicity.draw(spread, domains, RandomStream(args.mosaic_seed, table))
    distribution = Distribution(args.mosaic_model)
    spreads = _spreads(args, spread)
    if not spreads:
        return Mosaicity()
    direct = crystal.oriented(args.quirks).direct
    axes = edge_axes if distribution is Distribution.DIFFBRAGG else cartesian_axes
    return Mosaicity.of(MosaicModel(distribution, spreads, domains, axes(direct)))


def _spreads(args: Arguments, spread: float) -> tuple[float, ...]:
    """Spreads of a distribution (rad); none for a perfect crystal."""
    if args.spread_abc is None:
        if args.spread_off_diagonal is not None:
            raise CupysimError("-spread_off_diagonal needs -spread_abc, the diagonal")
        return (spread,) if spread > 0.0 else ()
    if args.mosaic_spread is not None and args.mosaic_spread > 0.0:
        raise CupysimError("-mosaic and -spread_abc both give mosaic spreads; give one of them")
    return (*args.spread_abc, *(args.spread_off_diagonal or ()))


def mosaic_sampling(args: Arguments) -> tuple[float, int]:
    """Mosaic spread (rad) and number of domains; defaults replace what is not given."""
    spread = -1.0 if args.mosaic_spread is None else args.mosaic_spread
    if spread <= 0.0 and args.spread_abc is None and not any(args.cell_spreads or ()):
        return 0.0, 1
    if args.mosaic_domains is None or args.mosaic_domains <= 0:
        return max(spread, 0.0), DEFAULT_MOSAIC_DOMAINS
    return spread, args.mosaic_domains
