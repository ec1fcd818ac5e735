// Work before and after a render that would be slow in Python: reading numbers, photon noise, sums in serial
// order, integer images. Python calls it through ctypes. It is built without fused multiplications, so
// rounding is that of the C program.
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstdlib>

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

// ---- random numbers ---------------------------------------------------------

constexpr std::int64_t MODULUS = 2147483647;
constexpr int TABLE_SIZE = 32;
constexpr std::int64_t TABLE_STEP = 1 + (MODULUS - 1) / TABLE_SIZE;

// State of photon noise between pixels: Park and Miller's generator with a Bays-Durham shuffle, and a spare
// deviate.
struct NoiseState {
    std::int64_t seed;
    std::int64_t last;
    std::int64_t table[TABLE_SIZE];
    std::int64_t has_spare;
    double spare;
};

float uniform(NoiseState& state) {
    const auto step = [&state] { return state.seed = state.seed * 16807 % MODULUS; };
    if (state.seed <= 0 || state.last == 0) {
        state.seed = -state.seed > 1 ? -state.seed : 1;
        for (int i = TABLE_SIZE + 7; i >= 0; --i) {
            const std::int64_t value = step();
            if (i < TABLE_SIZE) state.table[i] = value;
        }
        state.last = state.table[0];
    }
    const std::int64_t value = step();
    const std::int64_t place = state.last / TABLE_STEP;
    state.last = state.table[place];
    state.table[place] = value;
    const float deviate = static_cast<float>(static_cast<double>(state.last) * (1.0 / MODULUS));
    const float largest = static_cast<float>(1.0 - 1.2e-7);
    return deviate > largest ? largest : deviate;
}

// ---- photon noise -----------------------------------------------------------

// Lanczos' approximation of log Gamma, Numerical Recipes in C, section 6.1.
float log_gamma(double x) {
    static const double coefficients[] = {76.18009172947146,  -86.50532032941677,    24.01409824083091,
                                          -1.231739572450155, 0.1208650973866179e-2, -0.5395239384953e-5};
    double shifted = x + 5.5;
    shifted -= (x + 0.5) * std::log(shifted);
    double series = 1.000000000190015;
    for (int i = 0; i < 6; ++i) series += coefficients[i] / (x + (i + 1));
    return static_cast<float>(-shifted + std::log(2.5066282746310005 * series / x));
}

// A normal deviate by the polar method, section 7.2. Every second deviate is kept for the next call.
float gaussian(NoiseState& state) {
    if (state.has_spare) {
        state.has_spare = 0;
        return static_cast<float>(state.spare);
    }
    float first, second, radius;
    do {
        first = static_cast<float>(2.0 * uniform(state) - 1.0);
        second = static_cast<float>(2.0 * uniform(state) - 1.0);
        radius = first * first + second * second;
    } while (!(radius > 0.0f && radius < 1.0f));
    const double length = radius;
    const float factor = static_cast<float>(std::sqrt(-2.0 * std::log(length) / length));
    state.spare = first * factor;
    state.has_spare = 1;
    return second * factor;
}

// Values that depend only on the mean. Consecutive pixels with the same mean share them.
struct Rejection {
    float mean = -1.0f;
    float width = 0.0f, log_mean = 0.0f, constant = 0.0f;

    void prepare(float wanted) {
        if (wanted == mean) return;
        mean = wanted;
        width = static_cast<float>(std::sqrt(2.0 * mean));
        log_mean = static_cast<float>(std::log(static_cast<double>(mean)));
        constant = mean * log_mean - log_gamma(mean + 1.0f);
    }
};

// Multiplies uniform deviates until the product falls below exp(-mean).
double draw_direct(NoiseState& state, float limit) {
    double count = 0.0;
    for (float product = uniform(state); product > limit; product *= uniform(state)) count += 1.0;
    return count;
}

// Draws trials from a Lorentzian until one is accepted.
double draw_rejected(NoiseState& state, const Rejection& trial) {
    for (;;) {
        float y, count;
        do {
            y = static_cast<float>(std::tan(3.14159265358979323846 * uniform(state)));
            count = trial.width * y;
            count = count + trial.mean;
        } while (count < 0.0f);
        count = std::floor(count);
        float exponent = count * trial.log_mean;
        exponent = exponent - log_gamma(count + 1.0f);
        exponent = exponent - trial.constant;
        const float squared = y * y;
        const double bounded = exponent < 700.0f ? exponent : 700.0;
        const float threshold = static_cast<float>(0.9 * (1.0 + squared) * std::exp(bounded));
        if (!(uniform(state) > threshold)) return count;
    }
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
    Rejection trial;
    float mean_before = -2.0f, limit = 0.0f;
    for (std::int64_t i = 0; i < n; ++i) {
        const float mean = expected[i];
        if (mean < 12.0f) {
            if (mean != mean_before) {
                mean_before = mean;
                limit = static_cast<float>(std::exp(-static_cast<double>(mean > -1.0f ? mean : -1.0f)));
            }
            counts[i] = draw_direct(*state, limit);
        } else if (mean > 1.0e6f) {
            const double width = std::sqrt(static_cast<double>(mean));
            counts[i] = static_cast<float>(mean + width * gaussian(*state));
        } else {
            trial.prepare(mean);
            counts[i] = draw_rejected(*state, trial);
        }
    }
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
