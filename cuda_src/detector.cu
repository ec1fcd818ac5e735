// The response of a detector on a GPU: a kernel for each pass over the pixels of a panel. A thread works on one pixel;
// a block of threads works on a tile of pixels.
//     CUPYSIM_RESPONSE_SIZE  bytes of the struct as the program fills it
//
// Images between passes are float32, with the rows of the panel one after another. The program is compiled without
// fused operations, so that its images are those of a CPU.
#include "detected_pixels.cuh"

using namespace cupysim;

static_assert(sizeof(Response) == CUPYSIM_RESPONSE_SIZE, "the program fills a struct of another size");

// Pixels of a tile, the same as TILE in `cupysim/detection/cuda_stages.py`.
constexpr int TILE_FAST = 16, TILE_SLOW = 8, THREADS = TILE_FAST * TILE_SLOW;

struct Pixel {
    Int row, column, place;
    bool is_on_panel;
};

// The pixel of this thread.
CUPYSIM_FUNCTION Pixel own_pixel(const Response& response) {
    const Int row = static_cast<Int>(blockIdx.y) * TILE_SLOW + threadIdx.x / TILE_FAST;
    const Int column = static_cast<Int>(blockIdx.x) * TILE_FAST + threadIdx.x % TILE_FAST;
    return {row, column, row * response.n_fast + column, row < response.n_slow && column < response.n_fast};
}

#define CUPYSIM_KERNEL extern "C" __global__ void __launch_bounds__(THREADS)

// Expected photons that reach the sensor. This pass has no source but the expected photons.
CUPYSIM_KERNEL cupysim_arrive(const Response response, const float*, float* sink) {
    const Pixel pixel = own_pixel(response);
    if (pixel.is_on_panel) sink[pixel.place] = arriving_photons(response, pixel.row, pixel.column);
}

// Light before a point spread that loses none: divided by the fraction that stays on the panel.
CUPYSIM_KERNEL cupysim_keep(const Response response, const float* source, float* sink) {
    const Pixel pixel = own_pixel(response);
    if (pixel.is_on_panel) {
        sink[pixel.place] = kept_light(response, pixel.row, pixel.column, source[pixel.place]);
    }
}

// Point spread along the fast axis.
CUPYSIM_KERNEL cupysim_spread_fast(const Response response, const float* source, float* sink) {
    const Pixel pixel = own_pixel(response);
    if (!pixel.is_on_panel) return;
    sink[pixel.place] = light_along(response, source + pixel.row * response.n_fast, 1, response.n_fast, pixel.column,
                                    response.weights_fast);
}

// Point spread along the slow axis.
CUPYSIM_KERNEL cupysim_spread_slow(const Response response, const float* source, float* sink) {
    const Pixel pixel = own_pixel(response);
    if (!pixel.is_on_panel) return;
    sink[pixel.place] = light_along(response, source + pixel.column, response.n_fast, response.n_slow, pixel.row,
                                    response.weights_slow);
}

// Counted photons that stay in their pixels.
CUPYSIM_KERNEL cupysim_count(const Response response, const float* source, float* sink) {
    const Pixel pixel = own_pixel(response);
    if (pixel.is_on_panel) {
        sink[pixel.place] = counts_of_way(response, 0, pixel.row, pixel.column, source[pixel.place]);
    }
}

// Counted photons whose signals neighbours share. For each way, the threads of a block draw the counts of their tile
// and of the pixels around it together.
CUPYSIM_KERNEL cupysim_share(const Response response, const float* source, float* sink) {
    constexpr int STEP = TILE_FAST + 2, AROUND = STEP * (TILE_SLOW + 2);
    __shared__ float counts[AROUND];
    const Pixel pixel = own_pixel(response);
    const int corner = static_cast<int>(threadIdx.x) / TILE_FAST * STEP + static_cast<int>(threadIdx.x) % TILE_FAST;
    float signal = 0.0f;
    for (Int way = 0; way < response.n_ways; ++way) {
        for (int i = static_cast<int>(threadIdx.x); i < AROUND; i += THREADS) {
            const Int row = static_cast<Int>(blockIdx.y) * TILE_SLOW + i / STEP - 1;
            const Int column = static_cast<Int>(blockIdx.x) * TILE_FAST + i % STEP - 1;
            const bool is_on_panel = row >= 0 && row < response.n_slow && column >= 0 && column < response.n_fast;
            counts[i] =
                is_on_panel ? counts_of_way(response, way, row, column, source[row * response.n_fast + column]) : 0.0f;
        }
        __syncthreads();
        signal = with_shares(response, way, counts + corner, STEP, signal);
        // no thread draws the next counts before all have used these
        __syncthreads();
    }
    if (pixel.is_on_panel) sink[pixel.place] = signal;
}

// The read-out. This pass has no sink but the image of the response.
CUPYSIM_KERNEL cupysim_read(const Response response, const float* source, float*) {
    const Pixel pixel = own_pixel(response);
    if (pixel.is_on_panel && read_pixel(response, pixel.row, pixel.column, source[pixel.place])) {
        atomicAdd(reinterpret_cast<Word*>(response.overloads), Word{1});
    }
}
