// Entries on a GPU: a thread for each pixel. Macros choose the variant.
#include "search.cuh"

using namespace cupysim;

#ifndef CUPYSIM_SEARCH

// At least four blocks of 128 threads on a multiprocessor leave 128 registers
// for each thread.
extern "C" __global__ void __launch_bounds__(128, 4) cupysim_render(const Launch launch) {
    const Int place = static_cast<Int>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (place >= launch.n_pixels[0]) return;
    render_block<CUPYSIM_POLICY, CUPYSIM_SHAPE, CUPYSIM_FACTORS, CUPYSIM_RUNNING>(launch, place);
}

#else

// Searches leave the smallest place of a pixel in found[0] and its step in
// found[1]: places are compared first, in a launch of their own.
extern "C" __global__ void __launch_bounds__(128, 4) cupysim_search(const Launch launch) {
    const Int place = static_cast<Int>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (place >= launch.n_pixels[0]) return;
    Int found[LANES];
    double indices[3][LANES] = {};
    CUPYSIM_SEARCH;
    launch.found[0][place] = found[0];
    for (int axis = 0; axis < 3; ++axis) launch.found_indices[0][3 * place + axis] = indices[axis][0];
}

#endif
