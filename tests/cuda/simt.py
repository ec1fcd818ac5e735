"""The kernel's source for GPUs, compiled for this processor: its threads take turns.

The text is the one that CuPy compiles, with what `simt.hpp` puts in place of a GPU. So the tests
run the operations of warps and blocks, which the kernel for processors does not have.
"""

from __future__ import annotations

import ctypes
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from cupysim.backends.compiled.cuda_engine import kernel_source
from cupysim.native import recipe

HEADER = Path(__file__).with_name("simt.hpp")

INSTRUCTIONS = {
    'asm("cvt.rn.f32.f64 %0, %1;" : "=f"(y) : "d"(x));': "y = static_cast<float>(x);",
    'asm("rcp.approx.ftz.f64 %0, %1;" : "=d"(y) : "d"(x));': "y = simt_reciprocal(x);",
    'asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));': "y = simt_reciprocal(x);",
}
"""Instructions of a GPU, and the same in C++."""

LAUNCHER = """
static const Launch* simt_launches;
#ifdef CUPYSIM_BATCH
static void simt_thread() { cupysim_run_batch(simt_launches); }
#else
static void simt_thread() { cupysim_run(*simt_launches); }
#endif
extern "C" void simt_run(const void* launches, unsigned n_blocks, unsigned n_launches) {
    simt_launches = static_cast<const Launch*>(launches);
    for (blockIdx.y = 0; blockIdx.y < n_launches; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < n_blocks; ++blockIdx.x)
            simt::run_block(THREADS, simt_thread);
}
"""


@cache
def _library(options: tuple[str, ...]) -> ctypes.CDLL:
    """A program of the cuda backend, by the compiler's options."""
    text = kernel_source()
    for instruction, same in INSTRUCTIONS.items():
        assert instruction in text
        text = text.replace(instruction, same)
    assert "asm(" not in text
    folder = Path(mkdtemp(prefix="cupysim-simt-"))
    source, library = folder / "kernel.cpp", folder / "kernel.so"
    source.write_text(f'#include "{HEADER}"\n{text}\n{LAUNCHER}')
    command = [
        *recipe.find_compiler(), "-shared", "-fPIC", "-O1", "-ffp-contract=off", "-w",
        *options, str(source), "-o", str(library),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(library))


def run(options: tuple[str, ...], n_blocks: int, launches: np.ndarray) -> None:
    """Carry out launches as a GPU does.

    Parameters
    ----------
    options : tuple of str
        Options of the program.
    n_blocks : int
        Number of blocks of threads of each launch.
    launches : ndarray
        Structs of the launches.
    """
    library = _library(options)
    library.simt_run(ctypes.c_void_p(launches.ctypes.data), n_blocks, len(launches))
