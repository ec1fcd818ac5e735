"""What scripts share which let DIALS work: where it is, and how its programs and Python are run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

LEFT_OUT = "xfel_mono_sim_ext"
"""A compiled module which Debian's package lacks. What DIALS needs to index stills is Python, but
lies in a package which imports this module for others."""


def find_dials() -> str | None:
    """Where DIALS' programs are; installs them where that is possible."""
    found = shutil.which("dials.import")
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        print("installing Debian's package python3-dials ...", file=sys.stderr)
        for words in (
            ["apt-get", "update"],
            ["apt-get", "install", "-y", "--no-install-recommends", "python3-dials"],
        ):
            subprocess.run(words, check=False, stdout=subprocess.DEVNULL)
        found = shutil.which("dials.import")
    return found


def environment() -> dict[str, str]:
    """For DIALS' processes: filters of HDF5 which hdf5plugin brings, nothing of our own Python."""
    import hdf5plugin

    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return clean | {"HDF5_PLUGIN_PATH": str(hdf5plugin.PLUGINS_PATH)}


def dials(words: list[str], **more: str) -> str:
    """Output of a program of DIALS, run with more variables."""
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env=environment() | more
    )
    if done.returncode != 0:
        name = Path(sys.argv[0]).name
        sys.exit(f"{name}: {' '.join(words[:3])} failed:\n{done.stderr or done.stdout}")
    return done.stdout


def python_of_dials(program: str, code: str, arguments: list[str]) -> object:
    """What code prints which runs in DIALS' Python."""
    beside = Path(program).with_name("dials.python")
    python = str(beside) if beside.exists() else "/usr/bin/python3"
    lines = dials([python, "-c", code, *arguments]).strip().splitlines()
    return json.loads(lines[-1])


def for_stills(program: str, folder: Path) -> dict[str, str]:
    """Variables with which dials.stills_process can work: an empty module for one left out.

    Parameters
    ----------
    program : str
        A program of DIALS.
    folder : Path
        Where the module may be put.

    Returns
    -------
    dict of str to str
        For `dials`; empty where nothing is left out.
    """
    code = f"import importlib.util; print(int(importlib.util.find_spec('{LEFT_OUT}') is not None))"
    if python_of_dials(program, code, []):
        return {}
    folder.mkdir(exist_ok=True)
    (folder / f"{LEFT_OUT}.py").write_text('"""Nothing which is needed."""\n')
    return {"PYTHONPATH": str(folder)}
