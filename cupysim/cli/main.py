"""The drop-in command: parse the options, build the experiment, render, report, write."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from cupysim.cli.commands import COMMANDS
from cupysim.terminal import Report, printable, say, show_warning

if TYPE_CHECKING:
    from cupysim.image import Image
    from cupysim.nanobragg.printout import Printout

EXIT_ERROR = 9
"""Exit status of the C program after an error that it finds."""

EXIT_INTERRUPTED = 130
"""Exit status after an interrupt from the keyboard, as shells have it: 128 + 2."""

HELP_WORDS = ("-h", "-help", "--help", "--h")
VERSION_WORDS = ("-version", "--version")


def main(words: Sequence[str] | None = None) -> int:
    """Run the drop-in command.

    Parameters
    ----------
    words : sequence of str, optional
        The words after the program's name; if not given, those of this process.

    Returns
    -------
    int
        Exit status: 0, 9 after an error, 130 after an interrupt. Sub-commands have their own, with
        2 after an error.
    """
    words = sys.argv[1:] if words is None else list(words)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if not words:
        from cupysim.nanobragg.manual import usage

        say(f"usage: {usage()}\n       cupysim -h lists the options\n")
        return EXIT_ERROR
    with _terminable():
        if words[0] in COMMANDS:
            from cupysim.cli.running import run_command

            return run_command(words)
        return _run_guarded(words)


def _run_guarded(words: Sequence[str]) -> int:
    """Run the drop-in command; report an error in one line and return the exit status."""
    from cupysim.errors import CupysimError

    try:
        if any(word in HELP_WORDS for word in words):
            from cupysim.nanobragg.help import format_help

            _tell(format_help())
        elif any(word in VERSION_WORDS for word in words):
            from cupysim import __version__

            _tell(f"cupysim {__version__}")
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                # overflows make pixels that are not finite, which is an error later
                warnings.simplefilter("ignore", RuntimeWarning)
                warnings.showwarning = show_warning  # type: ignore[assignment]
                _run(words)
        return 0
    except CupysimError as error:
        _complain(str(error))
    except MemoryError as error:
        _complain(f"not enough memory for this image ({error})" if str(error) else "out of memory")
    except KeyboardInterrupt as error:
        _complain(f"interrupted; {str(error) or 'nothing was written'}")
        return EXIT_INTERRUPTED
    return EXIT_ERROR


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Turn signals that end the process into exceptions, so that temporary files are removed."""
    handlers = {}
    if _in_main_thread():
        # signals that nohup made the process ignore stay ignored
        heeded = [
            n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN
        ]
        handlers = {number: signal.signal(number, _terminate) for number in heeded}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _run(words: Sequence[str]) -> None:
    from dataclasses import replace

    from cupysim.cli.automatic_steps import AUTO, has_automatic_steps
    from cupysim.drop_ins.report_lines import solid_angle_line
    from cupysim.errors import CupysimWarning, OptionError
    from cupysim.nanobragg.build import build
    from cupysim.nanobragg.outputs import check_libraries, check_outputs, is_flat, write_outputs
    from cupysim.nanobragg.progress import Listener, Progress
    from cupysim.nanobragg.report import setup_lines, tolerance_line
    from cupysim.nanobragg.run_record import Stopwatch
    from cupysim.renderer import Renderer

    watch = Stopwatch()
    notes: tuple[str, ...] = ()
    if AUTO in words and has_automatic_steps(words):
        from cupysim.cli.automatic_steps import with_chosen_steps

        with watch.stage("convergence"):
            words, note = with_chosen_steps(words)
        notes = (note,)
    with watch.stage("reading"):
        job = build(words)
        job = replace(job, notes=(*job.notes, *notes))
    args, experiment = job.arguments, job.experiment
    if args.printout and args.backend not in ("auto", "numpy"):
        raise OptionError("-printout", f"needs -backend numpy, not {args.backend}")
    if "-convergence" in args.seen and not notes:
        warnings.warn(
            CupysimWarning(
                "-convergence has no effect without -mosaic_dom auto, -phisteps auto or "
                "-spectrum_samples auto"
            ),
            stacklevel=2,
        )
    name = "numpy" if args.printout else args.backend
    renderer = Renderer(name, args.precision, args.threads, args.devices, job.tolerance)
    with watch.stage("planning"):
        plan = renderer.plan(experiment)
    several = bool(plan.further) or plan.crystals.n_crystals > 1
    if args.printout and (several or plan.fractions is not None):
        raise OptionError(
            "-printout",
            "possible for one crystal whose domains have one size and setting, without "
            "attenuation, body and decay; use cupysim trace",
        )
    dump_problem = check_outputs(args, is_flat(experiment))
    check_libraries(job)
    report = Report(sys.stdout)
    for line in list(setup_lines(job, dump_problem)):
        report(line)
    report.flush()

    listener: Printout | Progress | Listener = Listener()
    if args.printout:
        from cupysim.nanobragg.printout import Printout

        listener = Printout(plan, experiment.beam.wavelength, args.printout_pixel, report)
    elif args.progress:
        listener = Progress(experiment.region.n_pixels * plan.shape[1] * len(plan.parts), report)
    try:
        with watch.stage("rendering"):
            image = renderer.image(experiment, plan, listener)
    finally:
        if isinstance(listener, Progress):
            listener.close()
    _check_finite(image)
    report(listener.unfinished_line)
    report(solid_angle_line(image.statistics.solid_angle))
    if image.rendered.culled is not None:
        report(tolerance_line(image.rendered.culled))
    write_outputs(job, image, dump_problem, report, watch)
    report.flush()


def _check_finite(image: Image) -> None:
    import numpy as np

    from cupysim.errors import CupysimError

    # a sum of finite 32-bit numbers is finite in 64 bits
    if not math.isfinite(image.statistics.mean):
        wrong = image.array.size - int(np.count_nonzero(np.isfinite(image.array)))
        first = np.unravel_index(int(np.argmin(np.isfinite(image.array))), image.array.shape)
        at = " ".join(str(place) for place in reversed(first))
        axes = "fast, slow" if len(first) == 2 else "fast, slow, panel"
        raise CupysimError(
            f"{wrong} pixels have no finite value, the first of them {at} ({axes}): "
            "reduce what multiplies them (-fluence, structure factors, -N, -water), or correct the "
            "geometry"
        )


def _tell(text: str) -> None:
    report = Report(sys.stdout)
    report(text)
    report.flush()


def _complain(text: str) -> None:
    say(f"cupysim: error: {printable(text)}\n")


def _terminate(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _in_main_thread() -> bool:
    import threading

    return threading.current_thread() is threading.main_thread()
