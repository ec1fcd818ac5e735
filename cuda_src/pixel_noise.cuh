// Noise of a detector's pixels as noisify draws it, bit for bit: flicker, calibration errors, photons, readout.
//
// Two seeds share one shuffle table and one spare normal deviate, so each deviate depends on all deviates before it,
// of both seeds. Streams may also have tables and spares of their own. Only a CPU uses this file.
#pragma once
#include <utility>

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

// A place of a trial: tan(pi u), and the logarithm of the Lorentzian's height there.
struct Sideways {
    float tangent, log_of_peak;
};

// A deviate u, and -log u.
struct Chance {
    float deviate, minus_log;
};

CUPYSIM_FUNCTION float log_of_peak(float y) { return short_log(0.9f * (1.0f + y * y)); }

// Deviates of the streams, one at a time.
class PlainDeviates {
  public:
    PlainDeviates(SharedNoise& state, bool) : state(state) {}

    CUPYSIM_FUNCTION float next(int stream) {
        const std::int64_t table = state.table_of[stream];
        const std::int64_t value = next_value(state.seeds[stream], state.lasts[table], state.tables[table]);
        return deviate_of(static_cast<std::int32_t>(value));
    }

    // tan(pi u) of the next deviate of stream 0, in single precision.
    Sideways next_tangent() {
        const float y = static_cast<float>(std::tan(HALF_TURN * next(MAIN)));
        return {y, log_of_peak(y)};
    }

    Chance next_chance() {
        const float u = next(MAIN);
        return {u, -short_log(u)};
    }

    // The number of deviates of stream 0, less 1, whose product is the first one that is not above exp(-mean).
    int multiply(float mean) { return multiply_from(1.0f, 0, limit_of(mean)); }

    // The same, if some deviates are known already, and their product is above the limit.
    int multiply_from(float product, int n_known, float limit) {
        for (product *= next(MAIN); product > limit; product *= next(MAIN)) ++n_known;
        return n_known;
    }

    void finish() {}

    // exp(-mean). From -1 downwards, one deviate decides.
    CUPYSIM_FUNCTION static float limit_of(float mean) {
        return static_cast<float>(std::exp(-static_cast<double>(larger(mean, -1.0f))));
    }

  private:
    SharedNoise& state;
};

// The same deviates. Seeds are computed in blocks, and so are functions of their deviates. These stay beside the
// values in the tables. Seeds must not be multiples of the modulus.
class BlockDeviates {
  public:
    BlockDeviates(SharedNoise& state, bool needs_tangents)
        : state(state),
          needs_tangents(needs_tangents),
          table_of{tables + state.table_of[MAIN], tables + state.table_of[CALIBRATION]} {}

    CUPYSIM_FUNCTION float next(int stream) {
        return step(stream, [](const Drawn& drawn) { return drawn.deviate; });
    }
    CUPYSIM_FUNCTION Sideways next_tangent() {
        return step(MAIN, [](const Drawn& drawn) { return Sideways{drawn.tangent, drawn.log_of_peak}; });
    }

    CUPYSIM_FUNCTION Chance next_chance() {
        return step(MAIN, [](const Drawn& drawn) {
            return Chance{drawn.deviate, static_cast<float>(drawn.minus_log) * (1.0f / UNIT)};
        });
    }

    // As in `PlainDeviates`. The sum of logarithms decides, unless rounding could change the number.
    CUPYSIM_FUNCTION int multiply(float mean) {
        const auto limit = static_cast<std::int32_t>(larger(mean, -1.0f) * UNIT);
        std::int32_t sum = 0;
        for (int count = 0; count < LONGEST; ++count) {
            sum += step(MAIN, [&](const Drawn& drawn) {
                known[count] = drawn.deviate;
                return drawn.minus_log;
            });
            const std::int32_t excess = sum - limit;
            if (excess > GUARD) return count;
            if (excess >= -GUARD && !(product_of_known(count + 1) > PlainDeviates::limit_of(mean))) return count;
        }
        return multiply_from(product_of_known(LONGEST), LONGEST, PlainDeviates::limit_of(mean));
    }

    int multiply_from(float product, int n_known, float limit) {
        for (product *= next(MAIN); product > limit; product *= next(MAIN)) ++n_known;
        return n_known;
    }

    // Brings the state to that after the last deviate that was used.
    void finish() {
        for (int stream = 0; stream < 2; ++stream) {
            const Ahead& seeds = ahead[stream];
            if (seeds.at > 0) state.seeds[stream] = seeds.drawn[seeds.at - 1].value;
            save(stream);
        }
    }

  private:
    // As in `Deviates`; a sum has at most LONGEST terms, each with an error of one unit.
    static constexpr float UNIT = 4194304.0f;
    static constexpr int LONGEST = 64;
    static constexpr std::int32_t GUARD = 256;
    // few enough that both streams fit into the cache
    static constexpr int AT_ONCE = 256, TANGENTS = 32;

    // A value with its deviate u, -log u in units, tan(pi u), and the logarithm of the Lorentzian there.
    struct alignas(32) Drawn {
        std::int32_t value, minus_log;
        float deviate, tangent, log_of_peak;
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
        bool is_started = false;
        Drawn drawn[AT_ONCE];
    };

    SharedNoise& state;
    const bool needs_tangents;
    Table tables[2];
    Table* const table_of[2];
    Ahead ahead[2];
    float known[LONGEST];

    // Draws the next value of a stream, and gives what `read` makes of it.
    template <class Read>
    CUPYSIM_FUNCTION auto step(int stream, Read read) -> decltype(read(std::declval<const Drawn&>())) {
        Ahead& seeds = ahead[stream];
        if (seeds.at == seeds.end) refill(stream);
        Table& table = *table_of[stream];
        const Drawn& fresh = seeds.drawn[seeds.at++];
        const std::size_t place = table.place;
        Drawn& entry = table.entries[place];
        table.place = table.places[place];
        table.places[place] = static_cast<std::uint8_t>(fresh.value >> PLACE_BIT);
        table.last = entry.value;
        const auto found = read(entry);
        entry = fresh;
        return found;
    }

    float product_of_known(int n) const {
        float product = 1.0f;
        for (int i = 0; i < n; ++i) product *= known[i];
        return product;
    }

    // Computes n values with their functions.
    void complete(const std::int32_t* values, int n, Drawn* drawn) const {
        float deviates[AT_ONCE], tangents[AT_ONCE] = {}, peaks[AT_ONCE];
        std::int32_t minus_logs[AT_ONCE];
        FOR_SOME_LANES(i, n) deviates[i] = deviate_of(values[i]);
        FOR_SOME_LANES(i, n) minus_logs[i] = static_cast<std::int32_t>(short_log(deviates[i]) * -UNIT + 0.5f);
        for (int first = 0; needs_tangents && first < n; first += TANGENTS) {
            const int some = smaller(n - first, TANGENTS);
            float low[TANGENTS], high[TANGENTS];
            FOR_SOME_LANES(i, some) {
                const double found = tangent(HALF_TURN * static_cast<double>(deviates[first + i]));
                low[i] = static_cast<float>(found * (1.0 - MAY_ERR));
                high[i] = static_cast<float>(found * (1.0 + MAY_ERR));
            }
            int n_unsure = 0;
            FOR_SOME_LANES(i, some) {
                tangents[first + i] = low[i];
                n_unsure += low[i] != high[i];
            }
            for (int i = 0; n_unsure > 0 && i < some; ++i) {
                if (low[i] == high[i]) continue;
                tangents[first + i] = static_cast<float>(std::tan(HALF_TURN * deviates[first + i]));
            }
        }
        FOR_SOME_LANES(i, n) peaks[i] = log_of_peak(tangents[i]);
        for (int i = 0; i < n; ++i) {
            drawn[i] = {values[i], minus_logs[i], deviates[i], tangents[i], needs_tangents ? peaks[i] : 0.0f};
        }
    }

    // Stores a table in the state.
    void save(std::int64_t number) {
        const Table& table = tables[number];
        if (!table.is_used) return;
        state.lasts[number] = table.last;
        for (int i = 0; i < TABLE_SIZE; ++i) state.tables[number][i] = table.entries[i].value;
    }

    // Reads the table of a stream from the state; at first use, the generator fills it.
    void start(int stream) {
        ahead[stream].is_started = true;
        const std::int64_t number = state.table_of[stream];
        save(number);
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
        Table& table = tables[number];
        std::int32_t values[TABLE_SIZE];
        for (int i = 0; i < TABLE_SIZE; ++i) {
            values[i] = static_cast<std::int32_t>(state.tables[number][i]);
            table.places[i] = static_cast<std::uint8_t>(values[i] >> PLACE_BIT);
        }
        complete(values, TABLE_SIZE, table.entries);
        table.last = static_cast<std::int32_t>(last);
        table.place = static_cast<std::size_t>(last >> PLACE_BIT);
        table.is_used = true;
    }

    CUPYSIM_OUTLINE void refill(int stream) {
        Ahead& seeds = ahead[stream];
        if (!seeds.is_started) start(stream);
        if (seeds.end > 0) state.seeds[stream] = seeds.drawn[seeds.end - 1].value;
        std::int64_t seed = state.seeds[stream];
        std::uint64_t first[STEPS];
        for (std::uint64_t& next : first) {
            seed = seed * MULTIPLIER % MODULUS;
            next = static_cast<std::uint64_t>(seed);
        }
        Words steps[STEP_VECTORS];
        std::memcpy(steps, first, sizeof steps);
        std::uint64_t wide[AT_ONCE];
        std::int32_t values[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i += STEPS) {
            std::memcpy(wide + i, steps, sizeof steps);
            for (int j = 0; j < STEP_VECTORS; ++j) steps[j] = stepped(steps[j]);
        }
        FOR_SOME_LANES(i, AT_ONCE) values[i] = static_cast<std::int32_t>(wide[i]);
        complete(values, AT_ONCE, seeds.drawn);
        seeds.at = 0;
        seeds.end = AT_ONCE;
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
    PixelNoise(SharedNoise& state, bool needs_tangents) : state(state), deviates(state, needs_tangents) {
        if (needs_tangents) add_factorials();
    }

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
        return count_tried(mean);
    }

    // Draws trials from a Lorentzian until one is accepted, as `draw_rejected`. Logarithms decide, unless the rounding
    // of the C program could change the decision.
    CUPYSIM_FUNCTION float count_tried(float mean) {
        const double m = mean;
        const float width = static_cast<float>(std::sqrt(2.0 * m));
        const double log_mean = short_log(mean), inverse = 1.0 / m;
        // log of m!, less m log m
        const double of_mean = 0.5 * log_mean + (inverse * (1.0 / 12.0) - m) + HALF_LOG_TWO_PI;
        const double error_of_mean = ERROR * m + ERROR_OF_LOGS;
        for (;;) {
            Sideways sideways;
            float count;
            do {
                sideways = deviates.next_tangent();
                count = width * sideways.tangent;
                count = count + mean;
            } while (count < 0.0f);
            count = std::floor(count);
            const Chance chance = deviates.next_chance();
            if (count < static_cast<float>(FACTORIALS)) {
                const double k = count, of_count = log_factorials[static_cast<int>(count)];
                const double error = ERROR * k + error_of_mean;
                const double margin = static_cast<double>(sideways.log_of_peak + chance.minus_log) + of_mean;
                const double excess = k * log_mean - of_count + margin;
                if (excess > error) return count;
                if (excess < -error) continue;
            }
            trial.prepare(mean);
            const float squared = sideways.tangent * sideways.tangent;
            if (is_accepted(trial, count, 0.9 * (1.0 + squared), chance.deviate)) return count;
        }
    }

    // Counts whose factorials are kept. For larger ones, single precision decides little.
    static constexpr int FACTORIALS = 4096;
    double log_factorials[FACTORIALS];
    // Bounds of the errors of logarithms: per photon, since numbers up to k log m are rounded a few times to single
    // precision, and of the logarithms of deviates.
    static constexpr double ERROR = 6e-6, ERROR_OF_LOGS = 2e-5;

    void add_factorials() {
        double sum = 0.0;
        log_factorials[0] = 0.0;
        for (int k = 1; k < FACTORIALS; ++k) {
            sum += std::log(static_cast<double>(k));
            log_factorials[k] = sum;
        }
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
        // no deviate is as large as 9
        const double most = std::fabs(errors.factor) * (1.0 + 9.0 * errors.flicker) * (1.0 + 9.0 * errors.calibration);
        bool needs_tangents = false;
        for (std::int64_t i = 0; i < n; ++i) needs_tangents |= !(std::fabs(expected[i]) * most < DIRECT_BELOW);
        return PixelNoise<BlockDeviates>(state, needs_tangents).draw(expected, n, errors, is_first, counts);
    }
    return PixelNoise<PlainDeviates>(state, true).draw(expected, n, errors, is_first, counts);
}

inline void draw_gaussians(SharedNoise& state, std::int64_t n, float* drawn) {
    if (has_plain_seeds(state)) {
        PixelNoise<BlockDeviates>(state, false).draw_gaussians(n, drawn);
    } else {
        PixelNoise<PlainDeviates>(state, false).draw_gaussians(n, drawn);
    }
}

}  // namespace cupysim
