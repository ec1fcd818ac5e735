// Noise of a detector's pixels as noisify draws it, bit for bit: flicker, calibration errors, photons, readout.
//
// Two seeds share one shuffle table and one spare normal deviate, so each deviate depends on all deviates before it,
// of both seeds. Streams may also have tables and spares of their own. Only a CPU uses this file.
#pragma once
#include "stream_noise.cuh"

namespace cupysim {

// Generators that may share tables and spares. Stream 0 draws flicker, photons and readout noise, stream 1 draws
// calibration errors.
struct SharedNoise {
    std::int64_t seeds[2];
    std::int64_t lasts[2], tables[2][TABLE_SIZE];
    std::int64_t has_spare[3];
    double spares[3];
    // the table of each stream, and the spares of stream 0, of calibration errors and of photons
    std::int64_t table_of[2], spare_of[3];
};

constexpr int MAIN = 0, CALIBRATION = 1, PHOTONS = 2;

// Deviates of the streams, one at a time.
class PlainDeviates {
  public:
    explicit PlainDeviates(SharedNoise& state) : state(state) {}

    CUPYSIM_FUNCTION float next(int stream) {
        const std::int64_t table = state.table_of[stream];
        const std::int64_t value = next_value(state.seeds[stream], state.lasts[table], state.tables[table]);
        return deviate_of(static_cast<std::int32_t>(value));
    }

    // The number of deviates of stream 0, less 1, whose product is the first one that is not above exp(-mean).
    int multiply(float mean) {
        return multiply_from(1.0f, 0, static_cast<float>(std::exp(-static_cast<double>(mean))));
    }

    // The same if some deviates are known already, and their product is above the limit.
    int multiply_from(float product, int n_known, float limit) {
        for (product *= next(MAIN); product > limit; product *= next(MAIN)) ++n_known;
        return n_known;
    }

    void finish() {}

  private:
    SharedNoise& state;
};

// The same deviates. Seeds are computed in blocks, with the logarithms of their deviates, which stay beside them in
// the tables. Seeds must not be multiples of the modulus.
class BlockDeviates {
  public:
    explicit BlockDeviates(SharedNoise& state) : state(state) {}

    CUPYSIM_FUNCTION float next(int stream) { return deviate_of(step(stream).value); }

    // As in `PlainDeviates`. The sum of logarithms decides, unless rounding could change the number.
    CUPYSIM_FUNCTION int multiply(float mean) {
        const float some = larger(mean, -1.0f);
        const auto limit = static_cast<std::int32_t>(some * UNIT);
        std::int32_t sum = 0;
        for (int count = 0; count < LONGEST; ++count) {
            const Drawn drawn = step(MAIN);
            known[count] = drawn.value;
            sum += drawn.minus_log;
            const std::int32_t excess = sum - limit;
            if (excess > GUARD) return count;
            if (excess >= -GUARD) {
                float product = 1.0f;
                for (int i = 0; i <= count; ++i) product *= deviate_of(known[i]);
                const auto exact = static_cast<float>(std::exp(-static_cast<double>(some)));
                if (!(product > exact)) return count;
            }
        }
        float product = 1.0f;
        for (int i = 0; i < LONGEST; ++i) product *= deviate_of(known[i]);
        return multiply_from(product, LONGEST, static_cast<float>(std::exp(-static_cast<double>(some))));
    }

    int multiply_from(float product, int n_known, float limit) {
        for (product *= next(MAIN); product > limit; product *= next(MAIN)) ++n_known;
        return n_known;
    }

    // Brings the state to that after the last deviate that was used.
    void finish() {
        for (int stream = 0; stream < 2; ++stream) {
            const Ahead& seeds = ahead[stream];
            if (seeds.at > 0) state.seeds[stream] = seeds.values[seeds.at - 1];
            const Table& table = tables[stream];
            if (!table.is_used) continue;
            state.lasts[stream] = table.last;
            for (int i = 0; i < TABLE_SIZE; ++i) state.tables[stream][i] = table.entries[i].value;
        }
    }

  private:
    // As in `Deviates`; a sum has at most LONGEST terms, each with an error of one unit.
    static constexpr float UNIT = 4194304.0f;
    static constexpr int LONGEST = 64;
    static constexpr std::int32_t GUARD = 256;

    struct Drawn {
        std::int32_t value, minus_log;
    };

    struct Table {
        Drawn entries[TABLE_SIZE];
        std::uint8_t places[TABLE_SIZE];
        std::size_t place;
        std::int32_t last;
        bool is_used = false;
    };

    struct Ahead {
        int at = 0, end = 0;
        std::int32_t values[BLOCK];
        std::int32_t minus_logs[BLOCK];
    };

    SharedNoise& state;
    Table tables[2];
    Ahead ahead[2];
    bool is_started[2] = {};
    std::int32_t known[LONGEST];

    CUPYSIM_FUNCTION Drawn step(int stream) {
        Ahead& seeds = ahead[stream];
        if (seeds.at == seeds.end) refill(stream);
        Table& table = tables[state.table_of[stream]];
        const Drawn fresh = {seeds.values[seeds.at], seeds.minus_logs[seeds.at]};
        ++seeds.at;
        const std::size_t place = table.place;
        const Drawn drawn = table.entries[place];
        table.place = table.places[place];
        table.entries[place] = fresh;
        table.places[place] = static_cast<std::uint8_t>(fresh.value >> PLACE_BIT);
        table.last = drawn.value;
        return drawn;
    }

    CUPYSIM_FUNCTION static std::int32_t minus_log_of(std::int32_t value) {
        return static_cast<std::int32_t>(short_log(deviate_of(value)) * -UNIT + 0.5f);
    }

    // Reads the table of a stream from the state; at first use, the generator fills it.
    void start(int stream) {
        is_started[stream] = true;
        const std::int64_t number = state.table_of[stream];
        Table& table = tables[number];
        if (table.is_used) {
            state.lasts[number] = table.last;
            for (int i = 0; i < TABLE_SIZE; ++i) state.tables[number][i] = table.entries[i].value;
        }
        std::int64_t& seed = state.seeds[stream];
        std::int64_t& last = state.lasts[number];
        if (seed <= 0 || last == 0) {
            seed = -seed > 1 ? -seed : 1;
            for (int i = TABLE_SIZE + 7; i >= 0; --i) {
                seed = seed * MULTIPLIER % MODULUS;
                if (i < TABLE_SIZE) state.tables[number][i] = seed;
            }
            last = state.tables[number][0];
        }
        for (int i = 0; i < TABLE_SIZE; ++i) {
            const auto value = static_cast<std::int32_t>(state.tables[number][i]);
            table.entries[i] = {value, minus_log_of(value)};
            table.places[i] = static_cast<std::uint8_t>(value >> PLACE_BIT);
        }
        table.last = static_cast<std::int32_t>(last);
        table.place = static_cast<std::size_t>(last >> PLACE_BIT);
        table.is_used = true;
    }

    CUPYSIM_OUTLINE void refill(int stream) {
        Ahead& seeds = ahead[stream];
        if (!is_started[stream]) start(stream);
        if (seeds.end > 0) state.seeds[stream] = seeds.values[seeds.end - 1];
        std::int64_t seed = state.seeds[stream];
        std::uint64_t first[STEPS];
        for (std::uint64_t& next : first) {
            seed = seed * MULTIPLIER % MODULUS;
            next = static_cast<std::uint64_t>(seed);
        }
        Words steps[STEP_VECTORS];
        std::memcpy(steps, first, sizeof steps);
        for (int i = 0; i < BLOCK; i += STEPS) {
            for (int j = 0; j < STEP_VECTORS; ++j) {
                for (int k = 0; k < WORD_LANES; ++k) {
                    seeds.values[i + j * WORD_LANES + k] = static_cast<std::int32_t>(steps[j][k]);
                }
                steps[j] = stepped(steps[j]);
            }
        }
        FOR_SOME_LANES(i, BLOCK) seeds.minus_logs[i] = minus_log_of(seeds.values[i]);
        seeds.at = 0;
        seeds.end = BLOCK;
    }
};

// What is drawn for each pixel.
struct PixelErrors {
    // relative standard deviations; none is drawn for zero
    double flicker, calibration;
    // factor of all expected photons
    double factor;
};

template <class Deviates>
class PixelNoise {
  public:
    explicit PixelNoise(SharedNoise& state) : state(state), deviates(state) {}

    // Draws counted photons in the order of the pixels. Returns their sum.
    double draw(const float* expected, std::int64_t n, const PixelErrors& errors, bool is_first, float* counts) {
        double total = 0.0;
        for (std::int64_t i = 0; i < n; ++i) {
            double photons = static_cast<double>(expected[i]) * errors.factor;
            if (errors.flicker > 0.0) photons *= 1.0 + errors.flicker * gaussian_of(MAIN, MAIN);
            if (errors.calibration > 0.0) photons *= 1.0 + errors.calibration * gaussian_of(CALIBRATION, CALIBRATION);
            const float mean = static_cast<float>(photons);
            counts[i] = count_of(mean, is_first);
            total += static_cast<double>(counts[i]);
        }
        deviates.finish();
        return total;
    }

    // Draws normal deviates of stream 0.
    void draw_gaussians(std::int64_t n, float* drawn) {
        for (std::int64_t i = 0; i < n; ++i) drawn[i] = gaussian_of(MAIN, MAIN);
        deviates.finish();
    }

    // Interface of `draw_rejected`.
    CUPYSIM_FUNCTION void advance(int) {}
    CUPYSIM_FUNCTION float next() { return deviates.next(MAIN); }
    CUPYSIM_FUNCTION float next_tangent() {
        const float u = next();
        return short_tangent(tangent(HALF_TURN * static_cast<double>(u)), u);
    }

  private:
    SharedNoise& state;
    Deviates deviates;
    Rejection trial;

    CUPYSIM_FUNCTION float gaussian_of(int stream, int spare) {
        const std::int64_t place = state.spare_of[spare];
        return gaussian(state.has_spare[place], state.spares[place], [&] { return deviates.next(stream); });
    }

    CUPYSIM_FUNCTION float count_of(float mean, bool& is_first) {
        if (mean > GAUSSIAN_ABOVE) {
            const double width = std::sqrt(static_cast<double>(mean));
            return static_cast<float>(mean + width * gaussian_of(MAIN, PHOTONS));
        }
        if (is_first) {
            // the C program takes a first mean of -1 for one whose exponential it has, and the exponential is 0
            if (mean == -1.0f) return static_cast<float>(deviates.multiply_from(1.0f, 0, 0.0f));
            is_first = false;
        }
        if (mean < DIRECT_BELOW) return static_cast<float>(deviates.multiply(mean));
        trial.prepare(mean);
        return static_cast<float>(draw_rejected(*this, trial));
    }
};

// Whether the seeds of a state can be computed in blocks: no seed, and no output, becomes zero.
inline bool has_plain_seeds(const SharedNoise& state) {
    for (int i = 0; i < 2; ++i) {
        if (state.seeds[i] == MODULUS || state.seeds[i] == -MODULUS) return false;
        if (state.lasts[i] == 0) continue;
        for (const std::int64_t entry : state.tables[i]) {
            if (entry == 0) return false;
        }
    }
    return true;
}

inline double draw_pixels(SharedNoise& state, const float* expected, std::int64_t n, const PixelErrors& errors,
                          bool is_first, float* counts) {
    if (has_plain_seeds(state)) {
        return PixelNoise<BlockDeviates>(state).draw(expected, n, errors, is_first, counts);
    }
    return PixelNoise<PlainDeviates>(state).draw(expected, n, errors, is_first, counts);
}

inline void draw_gaussians(SharedNoise& state, std::int64_t n, float* drawn) {
    if (has_plain_seeds(state)) {
        PixelNoise<BlockDeviates>(state).draw_gaussians(n, drawn);
    } else {
        PixelNoise<PlainDeviates>(state).draw_gaussians(n, drawn);
    }
}

}  // namespace cupysim
