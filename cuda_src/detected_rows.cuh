// The response of a detector, for bands of rows. Only a CPU uses this file.
//
// A band passes through all stages before the next band starts, so that it stays in the processor's cache. A point
// spread needs rows of neighbouring bands. Each band computes these rows again, with the same random numbers.
#pragma once
#include "blur.cuh"
#include "photon_lanes.cuh"

namespace cupysim {

// Pixels whose signals are read together.
constexpr int READ_LANES = 256;

// Two uniform deviates of 52 bits for each of n pixels of a row.
CUPYSIM_FUNCTION void row_deviates(const PhiloxKey& key, Word first, int n, double* u, double* v) {
    for (int i = 0; i < n; i += WORD_LANES) {
        Words pixels;
        for (int j = 0; j < WORD_LANES; ++j) pixels[j] = first + static_cast<Word>(i + j);
        const PhiloxWords words = philox(key, pixels, word_1(key, pixels, 0));
        store(deviates_of(words.w0, words.w1), u + i);
        store(deviates_of(words.w2, words.w3), v + i);
    }
}

class Detection {
  public:
    explicit Detection(const Response& response)
        : response(response), n_fast(static_cast<std::size_t>(response.n_fast)), blur(response) {
        for (Int way = 0; way < response.n_ways; ++way) {
            keys.emplace_back(static_cast<Word>(response.seed), static_cast<Word>(response.shot),
                              COUNTS + static_cast<int>(way));
        }
        dead_time_key = PhiloxKey(static_cast<Word>(response.seed), static_cast<Word>(response.shot), DEAD_TIMES);
        reading_key = PhiloxKey(static_cast<Word>(response.seed), static_cast<Word>(response.shot), READINGS);
        pixel_key = PhiloxKey(static_cast<Word>(response.serial), 0, PIXELS);
    }

    // Computes the rows from `first` to `end`, and returns the number of overloads.
    Int rows(Int first, Int end) {
        const bool is_counting = response.n_ways > 0;
        const bool spreads_after = response.radius > 0 && (response.spreads_counts || !is_counting);
        const Rows given = spreads_after ? blur.needed(first, end) : Rows{first, end};
        if (is_counting) {
            count(given);
        } else {
            prepare(given, means);
            signals.swap(means);
        }
        if (spreads_after) {
            blurred.resize(n_fast * static_cast<std::size_t>(end - first));
            keep_light(signals.data(), given);
            blur.apply(signals.data(), given, first, end, blurred.data());
            signals.swap(blurred);
        }
        Int overloads = 0;
        for (Int row = first; row < end; ++row) {
            const float* signal = signals.data() + static_cast<std::size_t>(row - first) * n_fast;
            switch (response.readout) {
                case PHOTONS: overloads += store_photons(row, signal); break;
                case COUNTER: overloads += read_counter(row, signal); break;
                case ANALOGUE: overloads += read_analogue(row, signal); break;
            }
        }
        return overloads;
    }

  private:
    // Expected photons that reach the sensor.
    void prepare(Rows rows, std::vector<float>& result) {
        result.resize(n_fast * static_cast<std::size_t>(rows.end - rows.first));
        const double brightness = response.brightness;
        for (Int row = rows.first; row < rows.end; ++row) {
            const float* source = response.expected + row * response.stride;
            float* sink = result.data() + static_cast<std::size_t>(row - rows.first) * n_fast;
            if (response.absorption == 0.0) {
                if (brightness == 1.0) {
                    std::memcpy(sink, source, sizeof(float) * n_fast);
                } else {
                    FOR_SOME_LANES(i, static_cast<int>(n_fast)) {
                        sink[i] = static_cast<float>(static_cast<double>(source[i]) * brightness);
                    }
                }
                continue;
            }
            const double row_path = path_of_row(response, row);
            FOR_SOME_LANES(i, static_cast<int>(n_fast)) sink[i] = passing_photons(response, row_path, i, source[i]);
        }
    }

    // Divides light by the fraction that stays on the panel, so that no light is lost.
    void keep_light(float* values, Rows rows) const {
        if (response.border != KEPT) return;
        for (Int row = rows.first; row < rows.end; ++row) {
            float* some = values + static_cast<std::size_t>(row - rows.first) * n_fast;
            const float kept = response.kept_slow[row];
            FOR_SOME_LANES(i, static_cast<int>(n_fast)) some[i] = some[i] / (response.kept_fast[i] * kept);
        }
    }

    // Counts the photons of rows. The results are in `signals`.
    void count(Rows rows) {
        const bool shares = !(response.n_ways == 1 && response.shares == nullptr);
        const Rows around =
            shares ? Rows{larger(rows.first - 1, Int{0}), smaller(rows.end + 1, response.n_slow)} : rows;
        if (response.radius > 0 && !response.spreads_counts) {
            const Rows given = blur.needed(around.first, around.end);
            prepare(given, blurred);
            keep_light(blurred.data(), given);
            means.resize(n_fast * static_cast<std::size_t>(around.end - around.first));
            blur.apply(blurred.data(), given, around.first, around.end, means.data());
        } else {
            prepare(around, means);
        }
        counts.resize(n_fast);
        signals.resize(n_fast * static_cast<std::size_t>(rows.end - rows.first));
        if (!shares) {
            for (Int row = rows.first; row < rows.end; ++row) {
                const std::size_t place = static_cast<std::size_t>(row - rows.first) * n_fast;
                const float probability = response.probabilities[0];
                float* some = means.data() + place;
                FOR_SOME_LANES(i, static_cast<int>(n_fast)) some[i] = some[i] * probability;
                count_row(keys[0], number_of(response, row, 0), some, response.n_fast, LARGEST_COUNT, counts.data());
                float* sink = signals.data() + place;
                FOR_SOME_LANES(i, static_cast<int>(n_fast))
                sink[i] = static_cast<float>(counts[static_cast<std::size_t>(i)]);
            }
            return;
        }
        share(rows, around);
    }

    // Counts the photons of each way, and adds their signals to the pixels around them. Each pixel gets its shares in
    // the order of ways, rows and columns of the photons.
    void share(Rows rows, Rows around) {
        std::fill(signals.begin(), signals.end(), 0.0f);
        some_means.resize(n_fast);
        const Int last = response.n_fast - 1;
        for (Int way = 0; way < response.n_ways; ++way) {
            const float probability = response.probabilities[way];
            for (Int row = around.first; row < around.end; ++row) {
                const float* from = means.data() + static_cast<std::size_t>(row - around.first) * n_fast;
                FOR_SOME_LANES(i, static_cast<int>(n_fast))
                some_means[static_cast<std::size_t>(i)] = from[i] * probability;
                count_row(keys[static_cast<std::size_t>(way)], number_of(response, row, 0), some_means.data(),
                          response.n_fast, LARGEST_COUNT, counts.data());
                for (Int dy = -1; dy <= 1; ++dy) {
                    const Int to = row + dy;
                    if (to < rows.first || to >= rows.end) continue;
                    float* sink = signals.data() + static_cast<std::size_t>(to - rows.first) * n_fast;
                    for (Int dx = -1; dx <= 1; ++dx) {
                        const float share = response.shares[(way * 3 + dy + 1) * 3 + dx + 1];
                        if (share == 0.0f) continue;
                        const Int begin = dx < 0 ? 1 : 0, end = dx > 0 ? last : last + 1;
                        const std::int32_t* drawn = counts.data();
                        FOR_SOME_LANES(i, static_cast<int>(end - begin)) {
                            const Int at = begin + i;
                            sink[at + dx] = sink[at + dx] + share * static_cast<float>(drawn[at]);
                        }
                    }
                }
            }
        }
    }

    Int store_photons(Int row, const float* signal) {
        Int overloads = 0;
        for (Int i = 0; i < response.n_fast; ++i) {
            bool is_overload;
            store_pixel(response, row * response.image_stride + i,
                        digitised(response, static_cast<double>(signal[i]), is_overload));
            overloads += is_overload;
        }
        return overloads;
    }

    Int read_counter(Int row, const float* signal) {
        Int overloads = 0;
        double u[READ_LANES], v[READ_LANES], values[READ_LANES], limits[READ_LANES];
        for (Int at = 0; at < response.n_fast; at += READ_LANES) {
            const int n = static_cast<int>(smaller(response.n_fast - at, static_cast<Int>(READ_LANES)));
            const Word number = number_of(response, row, at);
            FOR_SOME_LANES(i, n) values[i] = static_cast<double>(signal[at + i]);
            if (response.dead_time != NO_DEAD_TIME) {
                row_deviates(dead_time_key, number, n, u, v);
                FOR_SOME_LANES(i, n) limits[i] = certainty(response, values[i]);
                for (int i = 0; i < n; ++i) {
                    if (u[i] <= limits[i]) continue;
                    values[i] = count_pulses(response, number + static_cast<Word>(i), values[i], u[i]);
                }
            }
            if (response.n_corrected > 0) {
                for (int i = 0; i < n; ++i) values[i] = rate_corrected(response, values[i]);
            }
            overloads += store_all(row * response.image_stride + at, values, n);
        }
        return overloads;
    }

    // Rounds, limits and stores numbers. Returns how many are not below the overload value.
    Int store_all(Int place, double* values, int n) const {
        const double most = response.overload_value, least = response.least_value;
        Int overloads = 0;
        if (response.pixel_type != FLOAT32) {
            FOR_SOME_LANES(i, n) values[i] = nearest_even(rounded(values[i]));
        }
        for (int i = 0; i < n; ++i) overloads += values[i] >= most;
        FOR_SOME_LANES(i, n) values[i] = smaller(larger(values[i], least), most);
        switch (response.pixel_type) {
            case FLOAT32: store_as<float>(place, values, n); break;
            case UINT16: store_as<std::uint16_t>(place, values, n); break;
            case INT32: store_as<std::int32_t>(place, values, n); break;
            case UINT32: store_as<std::uint32_t>(place, values, n); break;
        }
        return overloads;
    }

    template <class Number>
    void store_as(Int place, const double* values, int n) const {
        Number* sink = static_cast<Number*>(response.image) + place;
        if constexpr (sizeof(Number) == 2) {
            FOR_SOME_LANES(i, n) sink[i] = static_cast<Number>(static_cast<std::int32_t>(values[i]));
        } else {
            FOR_SOME_LANES(i, n) sink[i] = static_cast<Number>(values[i]);
        }
    }

    Int read_analogue(Int row, const float* signal) {
        Int overloads = 0;
        double u[READ_LANES], v[READ_LANES], values[READ_LANES], noise[READ_LANES], pedestal[READ_LANES],
            spread[READ_LANES];
        std::int64_t number[READ_LANES], beyond[READ_LANES];
        const bool has_first_spread = has_spread(response, 0);
        for (Int at = 0; at < response.n_fast; at += READ_LANES) {
            const int n = static_cast<int>(smaller(response.n_fast - at, static_cast<Int>(READ_LANES)));
            const Word first = number_of(response, row, at);
            row_deviates(reading_key, first, n, u, v);
            std::int64_t switched = 0;
            FOR_SOME_LANES(i, n) {
                double conversion;
                normal_pair(u[i], v[i], conversion, noise[i]);
                values[i] = converted(response, static_cast<double>(signal[at + i]), conversion);
            }
            if (has_first_spread) {
                row_deviates(pixel_key, first, n, u, v);
                FOR_SOME_LANES(i, n) normal_pair(u[i], v[i], pedestal[i], spread[i]);
            } else {
                FOR_SOME_LANES(i, n) pedestal[i] = spread[i] = 0.0;
            }
            const bool can_switch = response.n_gains > 1;
            FOR_SOME_LANES(i, n) number[i] = can_switch && leaves_gain(response, 0, values[i], pedestal[i], spread[i]);
            for (int i = 0; i < n; ++i) switched |= number[i];
            if (switched == 0) {
                FOR_SOME_LANES(i, n) {
                    const double value = analogue_value(response, 0, values[i], noise[i], pedestal[i], spread[i]);
                    beyond[i] = is_saturated(response, 0, values[i], value);
                    values[i] = value;
                }
            } else {
                for (int i = 0; i < n; ++i) {
                    int gain = 0;
                    if (number[i] != 0) {
                        gain = gain_of(response, first + static_cast<Word>(i), values[i], pedestal[i], spread[i]);
                    }
                    number[i] = gain;
                    const double value = analogue_value(response, gain, values[i], noise[i], pedestal[i], spread[i]);
                    beyond[i] = is_saturated(response, gain, values[i], value);
                    values[i] = value;
                }
            }
            for (int i = 0; i < n; ++i) overloads += beyond[i];
            store_all(row * response.image_stride + at, values, n);
            if (switched != 0 || response.gain_bits[0] != 0) add_gain_bits(row * response.image_stride + at, number, n);
        }
        return overloads;
    }

    void add_gain_bits(Int place, const std::int64_t* number, int n) const {
        if (response.pixel_type != UINT16) return;
        std::uint16_t* sink = static_cast<std::uint16_t*>(response.image) + place;
        for (int i = 0; i < n; ++i) sink[i] = static_cast<std::uint16_t>(sink[i] | response.gain_bits[number[i]]);
    }

    const Response& response;
    std::size_t n_fast;
    Blur blur;
    std::vector<PhiloxKey> keys;
    PhiloxKey dead_time_key{0, 0}, reading_key{0, 0}, pixel_key{0, 0};
    std::vector<float> means, some_means, signals, blurred;
    std::vector<std::int32_t> counts;
};

// Rows of a band. Wider point spreads have larger bands, so that few rows are computed twice.
CUPYSIM_FUNCTION Int band_rows(const Response& response) { return larger(Int{32}, 4 * response.radius); }

}  // namespace cupysim
