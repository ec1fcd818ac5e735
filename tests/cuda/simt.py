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
from cupysim.detection import cuda_stages
from cupysim.native import recipe

HEADER = Path(__file__).with_name("simt.hpp")

INSTRUCTIONS = {
    'asm("cvt.rn.f32.f64 %0, %1;" : "=f"(y) : "d"(x));': "y = static_cast<float>(x);",
    'asm("cvt.f64.f32 %0, %1;" : "=d"(y) : "f"(x));': "y = static_cast<double>(x);",
    'asm("mul.rn.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));': "y = a * b;",
    'asm("add.rn.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));': "y = a + b;",
    'asm("div.rn.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));': "y = a / b;",
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


PASSES = """
static const Response* simt_response;
static const float* simt_source;
static float* simt_sink;
static void (*simt_kernel)(const Response, const float*, float*);
static void simt_thread() { simt_kernel(*simt_response, simt_source, simt_sink); }
extern "C" void simt_run(const void* kernel, unsigned columns, unsigned rows, const void* response,
                         const float* source, float* sink) {
    simt_kernel = reinterpret_cast<decltype(simt_kernel)>(const_cast<void*>(kernel));
    simt_response = static_cast<const Response*>(response);
    simt_source = source;
    simt_sink = sink;
    for (blockIdx.y = 0; blockIdx.y < rows; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < columns; ++blockIdx.x)
            simt::run_block(THREADS, simt_thread);
}
"""
"""The same for the passes of a response."""


@cache
def _library(options: tuple[str, ...]) -> ctypes.CDLL:
    """A program of the cuda backend, by the compiler's options."""
    return _compiled(kernel_source(), LAUNCHER, options)


@cache
def _passes() -> ctypes.CDLL:
    """The passes of a response."""
    options = cuda_stages.compiler_options()
    # which g++ calls -ffp-contract=off
    assert "-fmad=false" in options
    kept = tuple(option for option in options if option != "-fmad=false")
    return _compiled(cuda_stages.kernel_source(), PASSES, kept)


def _compiled(text: str, launcher: str, options: tuple[str, ...]) -> ctypes.CDLL:
    for instruction, same in INSTRUCTIONS.items():
        assert instruction in text
        text = text.replace(instruction, same)
    assert "asm(" not in text
    folder = Path(mkdtemp(prefix="cupysim-simt-"))
    source, library = folder / "kernel.cpp", folder / "kernel.so"
    source.write_text(f'#include "{HEADER}"\n{text}\n{launcher}')
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


def run_pass(
    name: str, grid: tuple[int, int], response: np.ndarray, source: int, sink: int
) -> None:
    """Carry out a pass of a response as a GPU does.

    Parameters
    ----------
    name : str
        Name of the kernel.
    grid : tuple of int
        Columns and rows of blocks of threads.
    response : ndarray of the struct, shape (1,)
        The response.
    source, sink : int
        Addresses of the images.
    """
    library = _passes()
    kernel = ctypes.cast(library[name], ctypes.c_void_p)
    address = ctypes.c_void_p(response.ctypes.data)
    library.simt_run(kernel, *grid, address, ctypes.c_void_p(source), ctypes.c_void_p(sink))
