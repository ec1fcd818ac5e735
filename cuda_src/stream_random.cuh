// nanoBragg's uniform random numbers, one at a time and in blocks. Only a CPU uses this file.
#pragma once
#include "photon_noise.cuh"
#include "vectors.cuh"

namespace cupysim {

constexpr std::int64_t MODULUS = 2147483647, MULTIPLIER = 16807;
constexpr int TABLE_SIZE = 32;
// Values from this bit on are places in the table.
constexpr int PLACE_BIT = 26;
static_assert(1 + (MODULUS - 1) / TABLE_SIZE == std::int64_t{1} << PLACE_BIT, "the step of the table");

// State of photon noise between pixels: Park and Miller's generator with a Bays-Durham shuffle, and a spare
// deviate.
struct NoiseState {
    std::int64_t seed;
    std::int64_t last;
    std::int64_t table[TABLE_SIZE];
    std::int64_t has_spare;
    double spare;
};

CUPYSIM_FUNCTION float deviate_of(std::int32_t value) {
    const float deviate = static_cast<float>(static_cast<double>(value) * (1.0 / MODULUS));
    const float largest = static_cast<float>(1.0 - 1.2e-7);
    return smaller(deviate, largest);
}

// The next value of the generator with a seed, the last output and the table.
inline std::int64_t next_value(std::int64_t& seed, std::int64_t& last, std::int64_t* table) {
    const auto step = [&seed] { return seed = seed * MULTIPLIER % MODULUS; };
    if (seed <= 0 || last == 0) {
        seed = -seed > 1 ? -seed : 1;
        for (int i = TABLE_SIZE + 7; i >= 0; --i) {
            const std::int64_t value = step();
            if (i < TABLE_SIZE) table[i] = value;
        }
        last = table[0];
    }
    const std::int64_t value = step();
    const std::int64_t place = last >> PLACE_BIT;
    last = table[place];
    table[place] = value;
    return last;
}

// The next deviate of the generator.
inline float next_uniform(NoiseState& state) {
    return deviate_of(static_cast<std::int32_t>(next_value(state.seed, state.last, state.table)));
}

constexpr std::uint32_t power_of_multiplier(int n) {
    std::uint64_t power = 1;
    for (int i = 0; i < n; ++i) power = power * MULTIPLIER % MODULUS;
    return static_cast<std::uint32_t>(power);
}

// Seeds that are known together, and how many vectors they fill.
constexpr int STEPS = 8, STEP_VECTORS = STEPS / WORD_LANES;

// The seeds `STEPS` steps later. 2^31 is 1 modulo MODULUS, so the upper bits of a product are added to the lower.
CUPYSIM_FUNCTION Words stepped(Words seeds) {
    constexpr std::uint64_t LOW_BITS = MODULUS;
    const Words all = product(seeds, power_of_multiplier(STEPS));
    const Words folded = (all & LOW_BITS) + (all >> 31);
    return (folded + ((folded + 1) >> 31)) & LOW_BITS;
}

// The next `STEPS` values of the generator after a seed.
CUPYSIM_FUNCTION void begin_steps(std::int64_t seed, Words steps[STEP_VECTORS]) {
    std::uint64_t first[STEPS];
    for (std::uint64_t& next : first) {
        seed = seed * MULTIPLIER % MODULUS;
        next = static_cast<std::uint64_t>(seed);
    }
    std::memcpy(steps, first, sizeof first);
}

// Units per 1 of integer logarithms: their unit is 2^-22.
constexpr float LOG_UNITS = 4194304.0f;

// -log u in units, for a value of the generator, with an error of at most max(1, -log u) + 1 units.
CUPYSIM_FUNCTION std::int32_t minus_log(std::int32_t value) {
    const float u = static_cast<float>(value) * static_cast<float>(1.0 / MODULUS);
    return static_cast<std::int32_t>(short_log(u) * -LOG_UNITS + 0.5f);
}

// A value in the upper half of a word, and its logarithm in the lower half.
CUPYSIM_FUNCTION std::uint64_t entry_of(std::uint64_t value, std::int32_t log) {
    return value << 32 | static_cast<std::uint32_t>(log);
}
CUPYSIM_FUNCTION std::int32_t value_of(std::uint64_t entry) { return static_cast<std::int32_t>(entry >> 32); }

// Deviates that are drawn together: a multiple of STEPS.
constexpr int BLOCK = 1024;

// A block of deviates, with the state before it.
struct DeviateBlock {
    // some places follow, so that vectors may reach beyond the end
    static constexpr int PADDING = 64;
    std::uint64_t entries[BLOCK + PADDING] = {};
    std::uint32_t sums[BLOCK + PADDING] = {};  // of -log u of the deviates in front, modulo 2^32
    int size = 0;
    std::int64_t seed = 0, last = 0;
    std::uint64_t table[TABLE_SIZE];

    CUPYSIM_FUNCTION float deviate(int i) const { return deviate_of(value_of(entries[i])); }
};

// Draws blocks of deviates. Each step of the shuffle needs the result of the step before. So callers mix steps with
// other work. Logarithms are computed before the shuffle, for STEPS values at a time.
class Shuffle {
  public:
    // Begins at a state whose seed and last output are from 1 to MODULUS - 1, with blocks of n deviates, a multiple of
    // STEPS.
    void start(const NoiseState& state, int n) {
        size = n;
        before = state.seed;
        last = state.last;
        place = static_cast<std::size_t>(last >> PLACE_BIT);
        for (int i = 0; i < TABLE_SIZE; ++i) {
            const auto value = static_cast<std::int32_t>(state.table[i]);
            table[i] = entry_of(static_cast<std::uint64_t>(value), minus_log(value));
            places[i] = static_cast<std::uint8_t>(state.table[i] >> PLACE_BIT);
        }
        begin_steps(before, steps);
        for (int i = 0; i < size; i += STEPS) prepare(fresh[0] + i);
    }

    CUPYSIM_OUTLINE void begin(DeviateBlock& block) {
        drawn = &block;
        n_done = owed = 0;
        sum = 0;
        block.size = size;
        block.seed = before;
        block.last = last;
        std::memcpy(block.table, table, sizeof table);
    }

    // Does about n steps, if there are as many left.
    CUPYSIM_FUNCTION void advance(int n) {
        for (owed += n; owed >= STEPS; owed -= STEPS) {
            if (n_done < size) do_steps();
        }
    }

    // Does all steps that are left.
    CUPYSIM_OUTLINE void end() {
        while (n_done < size) do_steps();
        drawn->sums[size] = sum;
        last = value_of(drawn->entries[size - 1]);
        before = value_of(fresh[now][size - 1]);
        now = 1 - now;
    }

  private:
    int size, n_done, owed, now = 0;
    DeviateBlock* drawn;
    std::size_t place;
    std::int64_t before, last;  // seed, and output
    std::uint32_t sum;
    Words steps[STEP_VECTORS];
    // places are kept apart from values, because each place must be known before the next one
    std::uint64_t table[TABLE_SIZE];
    std::uint8_t places[TABLE_SIZE];
    // the entries of this block and of the next one, before the shuffle
    std::uint64_t fresh[2][BLOCK];

    // Computes the next entries.
    CUPYSIM_FUNCTION void prepare(std::uint64_t* entries) {
        for (int j = 0; j < STEP_VECTORS; j += 2) {
            // the values of two vectors side by side, so that their logarithms fill one
            const Words first = steps[j], second = steps[j + 1], both = first | second << 32;
            std::int32_t values[2 * WORD_LANES], logs[2 * WORD_LANES];
            store(both, values);
            FOR_SOME_LANES(i, 2 * WORD_LANES) logs[i] = minus_log(values[i]);
            const Words found = vector_at<Words>(logs);
            store(first << 32 | (found & LOW_WORD), entries + j * WORD_LANES);
            store(second << 32 | found >> 32, entries + (j + 1) * WORD_LANES);
            steps[j] = stepped(first);
            steps[j + 1] = stepped(second);
        }
    }

    CUPYSIM_FUNCTION void do_steps() {
        const std::uint64_t* const entries = fresh[now] + n_done;
        std::uint64_t* const outputs = drawn->entries + n_done;
        std::uint32_t* const sums = drawn->sums + n_done;
        std::size_t at = place;
        std::uint32_t total = sum;
        for (int i = 0; i < STEPS; ++i) {
            const std::size_t next = places[at];
            const std::uint64_t output = table[at], entry = entries[i];
            outputs[i] = output;
            sums[i] = total;
            total += static_cast<std::uint32_t>(output);
            table[at] = entry;
            places[at] = static_cast<std::uint8_t>(entry >> (32 + PLACE_BIT));
            at = next;
        }
        place = at;
        sum = total;
        prepare(fresh[1 - now] + n_done);
        n_done += STEPS;
    }
};

}  // namespace cupysim
