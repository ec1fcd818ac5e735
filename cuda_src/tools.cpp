// Work before and after a render that would be slow in Python: reading numbers, photon noise, sums in serial
// order, integer images. Python calls it through ctypes. It is built without fused multiplications, so
// rounding is that of the C program.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "digitised.cuh"
#include "pixel_noise.cuh"
#include "scattered_light.cuh"

using namespace cupysim;

namespace {

// ---- text ------------------------------------------------------------------

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool ends_field(char c) { return is_blank(c) || c == '\n' || c == '\0'; }

// Reads an integer of at most nine digits. Returns null if the field is anything else.
const char* read_whole(const char* at, std::int64_t* number) {
    const bool negative = *at == '-';
    if (*at == '-' || *at == '+') ++at;
    const char* first = at;
    std::int64_t value = 0;
    while (is_digit(*at) && at - first < 10) value = 10 * value + (*at++ - '0');
    if (at == first || at - first > 9 || !ends_field(*at)) return nullptr;
    *number = negative ? -value : value;
    return at;
}

// Reads a decimal number. Returns null if the field is anything else or too large.
const char* read_number(const char* at, double* number) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char* start = at;
    const bool negative = *at == '-';
    if (*at == '-' || *at == '+') ++at;
    std::uint64_t digits = 0;
    int n_digits = 0, scale = 0;
    bool any = false, after_point = false;
    for (;; ++at) {
        if (is_digit(*at)) {
            any = true;
            if (digits != 0 || *at != '0') ++n_digits;
            if (n_digits <= 19) digits = 10 * digits + static_cast<std::uint64_t>(*at - '0');
            if (after_point) --scale;
        } else if (*at == '.' && !after_point) {
            after_point = true;
        } else {
            break;
        }
    }
    if (!any) return nullptr;
    if (*at == 'e' || *at == 'E') {
        ++at;
        const bool down = *at == '-';
        if (*at == '-' || *at == '+') ++at;
        if (!is_digit(*at)) return nullptr;
        int exponent = 0;
        for (; is_digit(*at); ++at) exponent = exponent < 10000 ? 10 * exponent + (*at - '0') : exponent;
        scale += down ? -exponent : exponent;
    }
    if (!ends_field(*at)) return nullptr;
    if (n_digits <= 19 && digits < (std::uint64_t{1} << 53) && scale >= -22 && scale <= 22) {
        // both numbers are exact, so the result is rounded correctly
        const double whole = static_cast<double>(digits);
        const double value = scale < 0 ? whole / powers[-scale] : whole * powers[scale];
        *number = negative ? -value : value;
    } else {
        // strtod stops at the point if the locale has a decimal comma
        char* stop;
        *number = std::strtod(start, &stop);
        if (stop != at) return nullptr;
    }
    return std::isfinite(*number) ? at : nullptr;
}

}  // namespace

extern "C" {

const char* cupysim_digest() { return CUPYSIM_DIGEST; }

// Reads lines of h k l F. Returns their number, or -1 if a line is unusual. The text must end with a zero byte,
// and `hkl` and `values` must have room for one reflection per line.
std::int64_t cupysim_read_reflections(const char* text, std::int64_t size, std::int64_t largest_index,
                                      std::int64_t* hkl, double* values) {
    const char* const end = text + size;
    std::int64_t n = 0;
    for (const char* at = text; at < end; ++at) {
        while (is_blank(*at)) ++at;
        if (at < end && *at == '#') {
            while (at < end && *at != '\n') ++at;
        }
        if (at >= end || *at == '\n') continue;
        for (int i = 0; i < 3; ++i) {
            std::int64_t* index = hkl + 3 * n + i;
            at = read_whole(at, index);
            if (at == nullptr || *index > largest_index || *index < -largest_index) return -1;
            while (is_blank(*at)) ++at;
        }
        at = read_number(at, values + n);
        if (at == nullptr) return -1;
        while (is_blank(*at)) ++at;
        if (at < end && *at != '\n') return -1;
        ++n;
    }
    return n;
}

// Draws counted photons for expected photons, in the order of the pixels.
void cupysim_draw_photons(NoiseState* state, const float* expected, std::int64_t n, double* counts) {
    draw_stream(*state, expected, n, [counts](std::int64_t i, auto count) { counts[i] = count; });
}

// The same as integers, clipped to 0 ... `largest`; NaN becomes the smallest integer. Returns `sum` plus the counts
// before clipping, in serial order.
double cupysim_count_photons(NoiseState* state, const float* expected, std::int64_t n, double largest, double sum,
                             std::int32_t* counts) {
    draw_stream(*state, expected, n, [counts, largest, &sum](std::int64_t i, auto count) {
        sum += count;
        counts[i] = clipped_count(count, largest);
    });
    return sum;
}

// Draws counted photons for expected photons with flicker and calibration errors. Returns their sum.
double cupysim_draw_pixels(SharedNoise* state, const float* expected, std::int64_t n, double factor, double flicker,
                           double calibration, int is_first, float* counts) {
    return draw_pixels(*state, expected, n, {flicker, calibration, factor}, is_first != 0, counts);
}

// Draws normal deviates of the first stream.
void cupysim_draw_gaussians(SharedNoise* state, std::int64_t n, float* drawn) { draw_gaussians(*state, n, drawn); }

// The fractions of light that pixels get from the one in the middle.
void cupysim_point_spread(int spread, double width, std::int64_t radius, int threads, double* fractions) {
    point_spread(static_cast<Spread>(spread), width, radius, threads, fractions);
}

// Finds how far pixels scatter light. Returns the light that goes farther.
double cupysim_find_reach(int spread, double width, std::int64_t given, std::int64_t largest, int has_weak,
                          const float* light, std::int64_t n, std::int32_t* reach) {
    return find_reach({static_cast<Spread>(spread), width, given, largest, has_weak != 0}, light, n, reach);
}

// Scatters light. Returns whether light came to the first column from the right edge.
int cupysim_scatter_light(const float* light, const std::int32_t* reach, std::int64_t n_slow, std::int64_t n_fast,
                          int spread, double width, std::int64_t radius, double everywhere, int wraps, int threads,
                          float* result) {
    return scatter_light(light, reach, n_slow, n_fast, static_cast<Spread>(spread), width, radius, everywhere,
                         wraps != 0, threads, result);
}

// Converts photons to integers of 16 or 32 bits, and returns the sum of photons in serial order. Numbers above
// `largest` are clipped; counts[0] is how many there are, counts[1] the number of negative integers. Numbers are
// truncated, or rounded half up. Negative ones wrap around, unless they are clipped.
double cupysim_digitise(const float* photons, const float* deviates, std::int64_t n, double gain, double offset,
                        double readout, double largest, int is_rounded, int is_clipped, int n_bytes, void* integers,
                        std::int64_t* counts) {
    return digitise({gain, offset, readout, largest, is_rounded != 0, is_clipped != 0}, photons, deviates, n, n_bytes,
                    integers, counts);
}

// Largest value and its place, sum and sum of squares of rows of pixels, in serial order. Squares are computed
// in single precision. The sums are added to sums[0] and sums[1].
void cupysim_add_up(const float* pixels, std::int64_t n_rows, std::int64_t n_columns, std::int64_t stride, double* sums,
                    float* largest, std::int64_t* place) {
    double total = sums[0], squares = sums[1];
    for (std::int64_t row = 0; row < n_rows; ++row) {
        const float* values = pixels + row * stride;
        float best = *largest;
        for (std::int64_t i = 0; i < n_columns; ++i) {
            const float value = values[i];
            const float squared = value * value;
            total += static_cast<double>(value);
            squares += static_cast<double>(squared);
            best = value > best ? value : best;
        }
        if (best > *largest) {
            *largest = best;
            std::int64_t i = 0;
            while (values[i] != best) ++i;
            *place = row * n_columns + i;
        }
    }
    sums[0] = total;
    sums[1] = squares;
}

// Sum of squared differences from the mean, in serial order.
double cupysim_add_deviations(const float* pixels, std::int64_t n_rows, std::int64_t n_columns, std::int64_t stride,
                              double mean) {
    double total = 0.0;
    for (std::int64_t row = 0; row < n_rows; ++row) {
        for (std::int64_t i = 0; i < n_columns; ++i) {
            const double difference = static_cast<double>(pixels[row * stride + i]) - mean;
            total += difference * difference;
        }
    }
    return total;
}

// The scaled image: values are clipped to 16 bits, then rounded in single precision.
void cupysim_scale(const float* pixels, std::int64_t n_rows, std::int64_t n_columns, std::int64_t stride, double scale,
                   double offset, std::uint16_t* result, std::int64_t result_stride) {
    for (std::int64_t row = 0; row < n_rows; ++row, pixels += stride, result += result_stride) {
        for (std::int64_t i = 0; i < n_columns; ++i) {
            double value = static_cast<double>(pixels[i]) * scale + offset;
            value = value > 0.0 ? value : 0.0;
            value = value < 65535.0 ? value : 65535.0;
            // truncation equals floor, since no value is negative here
            result[i] = static_cast<std::uint16_t>(static_cast<std::int32_t>(static_cast<float>(value + 0.5)));
        }
    }
}
}
