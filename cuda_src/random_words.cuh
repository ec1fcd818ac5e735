// Random words of Philox4x32-10 (Salmon et al. (2011) Proc. SC11, 16) for one pixel. `philox.cuh` computes the same
// words for many pixels at a time.
#pragma once
#include "response.cuh"

namespace cupysim {

// The four words of a draw.
struct PixelWords {
    Natural w0, w1, w2, w3;
};

// Random words of a pixel, for a stage of the response and a draw below 65536.
CUPYSIM_FUNCTION PixelWords words_of(Word seed, Word shot, Word pixel, int stage, Natural draw) {
    constexpr Natural EVEN = 0xD2511F53u, ODD = 0xCD9E8D57u, STEP_0 = 0x9E3779B9u, STEP_1 = 0xBB67AE85u;
    const Natural counted = (static_cast<Natural>(stage) << 16) | draw;
    PixelWords w = {static_cast<Natural>(pixel), static_cast<Natural>(pixel >> 32) ^ (counted << 8),
                    static_cast<Natural>(shot), static_cast<Natural>(shot >> 32)};
    Natural k0 = static_cast<Natural>(seed), k1 = static_cast<Natural>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const Word even = static_cast<Word>(w.w0) * EVEN, odd = static_cast<Word>(w.w2) * ODD;
        w = {static_cast<Natural>(odd >> 32) ^ w.w1 ^ k0, static_cast<Natural>(odd),
             static_cast<Natural>(even >> 32) ^ w.w3 ^ k1, static_cast<Natural>(even)};
        k0 += STEP_0;
        k1 += STEP_1;
    }
    return w;
}

// A deviate between 0 and 1, from 52 bits of two words.
CUPYSIM_FUNCTION double deviate_of_words(Natural high, Natural low) {
    const double whole = static_cast<double>(high >> 6) * 67108864.0 + static_cast<double>(low >> 6);
    return (whole + 0.5) * 2.220446049250313e-16;
}

}  // namespace cupysim
