// nanoBragg's uniform random numbers, one at a time and in blocks. Only a CPU uses this file.
#pragma once
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

// Deviates that are drawn together: a multiple of STEPS.
constexpr int BLOCK = 4096;

// A block of deviates on the way. A step of the shuffle takes as long as a load from memory, and waits for the
// step before it. So callers do steps beside other work.
class Shuffle {
  public:
    std::int32_t drawn[BLOCK];

    // Begins n deviates, a multiple of STEPS, at a state whose seed and last output are from 1 to MODULUS - 1.
    CUPYSIM_OUTLINE void begin(const NoiseState& state, int n) {
        size = n;
        n_done = 0;
        Words steps[STEP_VECTORS];
        std::uint64_t first[STEPS];
        std::int64_t seed = state.seed;
        for (std::uint64_t& next : first) {
            seed = seed * MULTIPLIER % MODULUS;
            next = static_cast<std::uint64_t>(seed);
        }
        std::memcpy(steps, first, sizeof steps);
        for (int i = 0; i < n; i += STEPS) {
            std::memcpy(seeds + i, steps, sizeof steps);
            for (int j = 0; j < STEP_VECTORS; ++j) steps[j] = stepped(steps[j]);
        }
        for (int i = 0; i < TABLE_SIZE; ++i) {
            table[i] = static_cast<std::int32_t>(state.table[i]);
            places[i] = static_cast<std::uint8_t>(state.table[i] >> PLACE_BIT);
        }
        place = static_cast<std::size_t>(state.last >> PLACE_BIT);
    }

    // Does some steps, if there are as many left.
    CUPYSIM_FUNCTION void advance(int n_steps) {
        if (n_done + n_steps > size) return;
        std::size_t at = place;
        for (int i = n_done; i < n_done + n_steps; ++i) {
            const std::uint64_t value = seeds[i];
            const std::size_t next = places[at];
            drawn[i] = table[at];
            table[at] = static_cast<std::int32_t>(value);
            places[at] = static_cast<std::uint8_t>(value >> PLACE_BIT);
            at = next;
        }
        place = at;
        n_done += n_steps;
    }

    // Does all steps that are left, and gives the state after them.
    CUPYSIM_OUTLINE void end(NoiseState& state) {
        advance(size - n_done);
        state.seed = static_cast<std::int64_t>(seeds[size - 1]);
        state.last = drawn[size - 1];
        for (int i = 0; i < TABLE_SIZE; ++i) state.table[i] = table[i];
    }

  private:
    int size, n_done;
    std::size_t place;
    // places are kept apart from values, because each place must be known before the next one
    std::int32_t table[TABLE_SIZE];
    std::uint8_t places[TABLE_SIZE];
    std::uint64_t seeds[BLOCK];
};

}  // namespace cupysim
