// Two streams of noisify's random numbers, which may share a shuffle table and a spare normal deviate. Only a CPU uses
// this file.
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

    // Multiplies deviates of stream 0 until the product is not above exp(-mean). Returns their number minus 1.
    int multiply(float mean) { return multiply_from(1.0f, 0, limit_of(mean)); }

    // The same, if some deviates are known already, and their product is above the limit.
    int multiply_from(float product, int n_known, float limit) {
        for (product *= next(MAIN); product > limit; product *= next(MAIN)) ++n_known;
        return n_known;
    }

    void finish() {}

    // exp(-mean). For a mean of at most -1, it is so large that one deviate is enough.
    CUPYSIM_FUNCTION static float limit_of(float mean) {
        return static_cast<float>(std::exp(-static_cast<double>(larger(mean, -1.0f))));
    }

  private:
    SharedNoise& state;
};

// The same deviates. Seeds and functions of their deviates are computed in blocks. The functions are stored beside
// the values in the tables. Seeds must not be multiples of the modulus.
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
        Words steps[STEP_VECTORS];
        begin_steps(state.seeds[stream], steps);
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

}  // namespace cupysim
