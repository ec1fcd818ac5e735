// Entry points on a GPU, with a thread for each pixel. Macros select the block function:
//     CUPYSIM_BLOCK            for example render_block<Double, SQUARE, NEAREST, false>
//     CUPYSIM_RESIDENT_BLOCKS  of threads on a multiprocessor; 4 of 128 leave 128 registers for a thread
//     CUPYSIM_THREADS          threads of a block
//     CUPYSIM_LAUNCH_SIZE      bytes of the struct as the program fills it
//     CUPYSIM_BATCH            several images in one launch
#include "culled_gradient_warp.cuh"
#include "factor_entries.cuh"
#include "gradient.cuh"
#include "search.cuh"

using namespace cupysim;

static_assert(sizeof(Launch) == CUPYSIM_LAUNCH_SIZE, "the program fills a struct of another size");

constexpr int THREADS = CUPYSIM_THREADS;

CUPYSIM_FUNCTION void run(const Launch& launch) {
    const Int place = static_cast<Int>(blockIdx.x) * THREADS + threadIdx.x;
    if (place < launch.n_pixels) CUPYSIM_BLOCK(launch, place);
}

#ifndef CUPYSIM_BATCH

extern "C" __global__ void __launch_bounds__(THREADS, CUPYSIM_RESIDENT_BLOCKS) cupysim_run(const Launch launch) {
    run(launch);
}

#else

// Each row of blocks renders an image. Its launch is read from shared memory, which needs registers that
// kernel parameters do not need.
extern "C" __global__ void __launch_bounds__(THREADS, CUPYSIM_RESIDENT_BLOCKS)
    cupysim_run_batch(const Launch* launches) {
    static_assert(sizeof(Launch) % sizeof(Int) == 0, "the launch is copied integer by integer");
    constexpr int WORDS = sizeof(Launch) / sizeof(Int);
    __shared__ Int words[WORDS];
    const Int* source = reinterpret_cast<const Int*>(launches + blockIdx.y);
    for (int i = threadIdx.x; i < WORDS; i += THREADS) words[i] = source[i];
    __syncthreads();
    run(*reinterpret_cast<const Launch*>(words));
}

#endif
