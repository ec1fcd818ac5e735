// Random words of Philox4x32-10 (Salmon et al. (2011) Proc. SC11, 16), for some pixels at a time.
//
// Only a CPU uses this file. A word of 32 bits is the lower half of a lane of 64 bits; the upper half has no
// meaning. Multiplications ignore it.
#pragma once
#include "vectors.cuh"

namespace cupysim {

constexpr int PHILOX_ROUNDS = 10;
constexpr std::uint32_t PHILOX_EVEN = 0xD2511F53, PHILOX_ODD = 0xCD9E8D57;
constexpr std::uint32_t PHILOX_STEP_0 = 0x9E3779B9, PHILOX_STEP_1 = 0xBB67AE85;

struct PhiloxWords {
    Words w0, w1, w2, w3;
};

// Words that all pixels of a shot share: the words 2 and 3 of the counter, the keys of the rounds, and the stage
// whose draws are counted.
struct PhiloxKey {
    Words w2, w3, keys[2 * PHILOX_ROUNDS];
    std::uint32_t stage;

    PhiloxKey(std::uint64_t seed, std::uint64_t shot, int stage = 0)
        : w2(Words{} + shot), w3(Words{} + (shot >> 32)), stage(static_cast<std::uint32_t>(stage)) {
        std::uint32_t k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
        for (int round = 0; round < PHILOX_ROUNDS; ++round) {
            keys[2 * round] = Words{} + k0;
            keys[2 * round + 1] = Words{} + k1;
            k0 += PHILOX_STEP_0;
            k1 += PHILOX_STEP_1;
        }
    }
};

// Word 1 of the counter, for draws below 65536.
CUPYSIM_FUNCTION Words word_1(const PhiloxKey& key, std::uint64_t pixel, std::uint32_t draw) {
    return Words{} + ((pixel >> 32) ^ static_cast<std::uint64_t>((key.stage << 16 | draw) << 8));
}

CUPYSIM_FUNCTION Words word_1(const PhiloxKey& key, Words pixels, std::uint32_t draw) {
    return (pixels >> 32) ^ static_cast<std::uint64_t>((key.stage << 16 | draw) << 8);
}

// The random words of counters with the words w0 and w1. If w1 does not change, nor do two products of the first
// rounds, which compilers then move out of loops.
CUPYSIM_FUNCTION PhiloxWords philox(const PhiloxKey& key, Words w0, Words w1) {
    PhiloxWords w = {w0, w1, key.w2, key.w3};
#pragma GCC unroll 10
    for (int round = 0; round < PHILOX_ROUNDS; ++round) {
        const Words even = product(w.w0, PHILOX_EVEN), odd = product(w.w2, PHILOX_ODD);
        w = {(odd >> 32) ^ w.w1 ^ key.keys[2 * round], odd, (even >> 32) ^ w.w3 ^ key.keys[2 * round + 1], even};
    }
    return w;
}

// Deviates between 0 and 1, from 52 bits of two words. The 26 + 26 bits are the fraction of a number from 1 to 2.
CUPYSIM_FUNCTION Doubles deviates_of(Words high, Words low) {
    constexpr std::uint64_t UPPER = 0x000FFFFFFC000000ull, LOWER = 0x0000000003FFFFFFull;
    const Words bits = ((high << 20) & UPPER) | ((low >> 6) & LOWER) | 0x3FF0000000000000ull;
    return (reinterpret_cast<Doubles>(bits) - 1.0) + 1.1102230246251565e-16;
}

}  // namespace cupysim
