"""Functions for scripts that use DIALS: they find it, and run its programs and its Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

LEFT_OUT = "xfel_mono_sim_ext"
"""A compiled module that Debian's package lacks. DIALS does not need it to index stills, but a
package that DIALS needs imports it."""


def find_dials() -> str | None:
    """The path of dials.import, or None. DIALS is installed first if that is possible."""
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
    """Environment for processes of DIALS: HDF5 filters of hdf5plugin, no settings of our Python."""
    import hdf5plugin

    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return clean | {"HDF5_PLUGIN_PATH": str(hdf5plugin.PLUGINS_PATH)}


def dials(words: list[str], **more: str) -> str:
    """Run a program of DIALS with additional environment variables. Returns its output."""
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env=environment() | more
    )
    if done.returncode != 0:
        name = Path(sys.argv[0]).name
        sys.exit(f"{name}: {' '.join(words[:3])} failed:\n{done.stderr or done.stdout}")
    return done.stdout


def python_of_dials(program: str, code: str, arguments: list[str]) -> object:
    """Run code in the Python of DIALS. Returns the JSON in the last line that it prints."""
    beside = Path(program).with_name("dials.python")
    python = str(beside) if beside.exists() else "/usr/bin/python3"
    lines = dials([python, "-c", code, *arguments]).strip().splitlines()
    return json.loads(lines[-1])


def for_stills(program: str, folder: Path) -> dict[str, str]:
    """Environment variables for dials.stills_process, with an empty module for a missing one.

    Parameters
    ----------
    program : str
        Path of a program of DIALS.
    folder : Path
        Folder for the empty module.

    Returns
    -------
    dict of str to str
        Variables for `dials`; empty if no module is missing.
    """
    code = f"import importlib.util; print(int(importlib.util.find_spec('{LEFT_OUT}') is not None))"
    if python_of_dials(program, code, []):
        return {}
    folder.mkdir(exist_ok=True)
    (folder / f"{LEFT_OUT}.py").write_text('"""An empty replacement."""\n')
    return {"PYTHONPATH": str(folder)}
