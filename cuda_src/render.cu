// Entries on a GPU: a thread for each pixel. Macros choose the variant:
//     CUPYSIM_POLICY, CUPYSIM_SHAPE, CUPYSIM_FACTORS, CUPYSIM_RUNNING   a render
//     CUPYSIM_BATCH                                                     of several images
//     CUPYSIM_THREADS, CUPYSIM_LAUNCH_SIZE                              both
//     CUPYSIM_GRADIENT or CUPYSIM_ENTRIES, CUPYSIM_SHAPE, CUPYSIM_FACTORS   slopes of photons
//     CUPYSIM_SEARCH_RAY, or CUPYSIM_SEARCH_STOP and CUPYSIM_SHAPE      a search
#include "factor_entries.cuh"
#include "gradient.cuh"
#include "search.cuh"

using namespace cupysim;

static_assert(sizeof(Launch) == CUPYSIM_LAUNCH_SIZE, "the program fills another struct");

// Threads of a block. Four blocks on a multiprocessor leave 128 registers for
// each thread; interpolation needs more.
constexpr int THREADS = CUPYSIM_THREADS;

#if defined(CUPYSIM_SEARCH_RAY)

extern "C" __global__ void __launch_bounds__(THREADS, 4) cupysim_search(const Launch launch) {
    const Int place = static_cast<Int>(blockIdx.x) * THREADS + threadIdx.x;
    if (place >= launch.n_pixels[0]) return;
    Int found[LANES];
    find_first_ray(launch, place, found);
    launch.found[0][place] = found[0];
}

#elif defined(CUPYSIM_SEARCH_STOP)

extern "C" __global__ void __launch_bounds__(THREADS, 4) cupysim_search(const Launch launch) {
    const Int place = static_cast<Int>(blockIdx.x) * THREADS + threadIdx.x;
    if (place >= launch.n_pixels[0]) return;
    Int found[LANES];
    double indices[3][LANES] = {};
    find_interpolation_stop<CUPYSIM_SHAPE>(launch, place, found, indices);
    launch.found[0][place] = found[0];
    for (int axis = 0; axis < 3; ++axis) launch.found_indices[0][3 * place + axis] = indices[axis][0];
}

#elif defined(CUPYSIM_GRADIENT)

// some forty sums in float64 want all the registers a thread can have
extern "C" __global__ void __launch_bounds__(THREADS, 2) cupysim_gradient(const Launch launch) {
    const Int place = static_cast<Int>(blockIdx.x) * THREADS + threadIdx.x;
    if (place >= launch.n_pixels[0]) return;
    differentiate_block<CUPYSIM_SHAPE, CUPYSIM_FACTORS>(launch, place);
}

#elif defined(CUPYSIM_ENTRIES)

extern "C" __global__ void __launch_bounds__(THREADS, 2) cupysim_entries(const Launch launch) {
    const Int place = static_cast<Int>(blockIdx.x) * THREADS + threadIdx.x;
    if (place >= launch.n_pixels[0]) return;
    collect_block<CUPYSIM_SHAPE, CUPYSIM_FACTORS>(launch, place);
}

#elif defined(CUPYSIM_BATCH)

// An image for each row of blocks. Its launch is read from shared memory, which takes registers that
// parameters do not.
extern "C" __global__ void __launch_bounds__(THREADS, 2) cupysim_render_batch(const Launch* launches) {
    static_assert(sizeof(Launch) % sizeof(Int) == 0, "it is copied by whole numbers");
    constexpr int WORDS = sizeof(Launch) / sizeof(Int);
    __shared__ Int words[WORDS];
    const Int* source = reinterpret_cast<const Int*>(launches + blockIdx.y);
    for (int i = threadIdx.x; i < WORDS; i += THREADS) words[i] = source[i];
    __syncthreads();
    const Launch& launch = *reinterpret_cast<const Launch*>(words);
    const Int place = static_cast<Int>(blockIdx.x) * THREADS + threadIdx.x;
    if (place >= launch.n_pixels[0]) return;
    render_block<CUPYSIM_POLICY, CUPYSIM_SHAPE, CUPYSIM_FACTORS, CUPYSIM_RUNNING>(launch, place);
}

#else

extern "C" __global__ void __launch_bounds__(THREADS, CUPYSIM_FACTORS == TRICUBIC ? 2 : 4)
    cupysim_render(const Launch launch) {
    const Int place = static_cast<Int>(blockIdx.x) * THREADS + threadIdx.x;
    if (place >= launch.n_pixels[0]) return;
    render_block<CUPYSIM_POLICY, CUPYSIM_SHAPE, CUPYSIM_FACTORS, CUPYSIM_RUNNING>(launch, place);
}

#endif
