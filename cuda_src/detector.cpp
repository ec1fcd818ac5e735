// The response of a detector on a CPU, for ctypes. OpenMP threads share the rows of pixels.
#include "calibrated_rows.cuh"

using namespace cupysim;

extern "C" {

const char* cupysim_digest() { return CUPYSIM_DIGEST; }

// Size of the struct (bytes), which the Python code checks.
long long cupysim_response_size() { return sizeof(Response); }

// Draws counted photons of rows of pixels, the first of which has the number `first`. Rows of `means` are
// `stride` apart, rows of `counts` `counts_stride`, and their numbers n_fast. `sums` has the sum of each row's
// counts; counts above `largest` are stored as `largest`.
void cupysim_count_photons(const float* means, long long stride, long long n_rows, long long n_columns,
                           unsigned long long seed, unsigned long long shot, unsigned long long first,
                           unsigned long long n_fast, double largest, std::int32_t* counts, long long counts_stride,
                           double* sums, int threads) {
    const PhiloxKey key(seed, shot);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 4)
    for (long long row = 0; row < n_rows; ++row) {
        sums[row] = count_row(key, first + static_cast<unsigned long long>(row) * n_fast, means + row * stride,
                              n_columns, largest, counts + row * counts_stride);
    }
    (void)threads;
}

// Computes the image of a response, and adds the number of overloads to `overloads`.
void cupysim_detect(const Response* response, int threads) {
    const Int height = band_rows(*response), n_bands = (response->n_slow + height - 1) / height;
    Int overloads = 0;
#pragma omp parallel num_threads(threads) reduction(+ : overloads)
    {
        Detection detection(*response);
#pragma omp for schedule(dynamic, 1)
        for (Int band = 0; band < n_bands; ++band) {
            overloads += detection.rows(band * height, smaller((band + 1) * height, response->n_slow));
        }
    }
    *response->overloads += overloads;
    (void)threads;
}

// Computes photons and gain numbers of raw numbers of 2 or 4 bytes. `mask` has the bits of the converter.
void cupysim_calibrate(const Response* response, const void* raw, int bytes, unsigned int mask, float* photons,
                       std::uint8_t* gains, int threads) {
    const PhiloxKey key(static_cast<Word>(response->serial), 0, PIXELS);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 16)
    for (Int row = 0; row < response->n_slow; ++row) {
        const Int place = row * response->n_fast;
        const Word number = static_cast<Word>(response->first_number + row * response->row_step);
        if (bytes == 2) {
            const std::uint16_t* source = static_cast<const std::uint16_t*>(raw) + place;
            calibrate_row(*response, key, number, source, mask, photons + place, gains + place);
        } else {
            const std::uint32_t* source = static_cast<const std::uint32_t*>(raw) + place;
            calibrate_row(*response, key, number, source, mask, photons + place, gains + place);
        }
    }
    (void)threads;
}
}
