// Vectors of 64-bit words, for code that compilers do not vectorise well. Only a CPU uses this file.
#pragma once
#include "portable.cuh"
#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace cupysim {

// The size of vectors (bytes). If vectors are larger than those of the processor, compilers compare them lane by lane.
#if defined(__AVX2__)
constexpr int VECTOR_SIZE = 32;
#else
constexpr int VECTOR_SIZE = 16;
#endif
constexpr int WORD_LANES = VECTOR_SIZE / 8;
typedef std::uint64_t Words __attribute__((vector_size(VECTOR_SIZE)));
typedef double Doubles __attribute__((vector_size(VECTOR_SIZE)));
constexpr int FLOAT_LANES = VECTOR_SIZE / 4;
typedef float Floats __attribute__((vector_size(VECTOR_SIZE)));
typedef std::int32_t Integers __attribute__((vector_size(VECTOR_SIZE)));
typedef std::uint32_t Naturals __attribute__((vector_size(VECTOR_SIZE)));

constexpr std::uint64_t LOW_WORD = 0xFFFFFFFFull;

// The vector that begins at a place in memory.
template <class Vector, class Number>
CUPYSIM_FUNCTION Vector vector_at(const Number* place) {
    Vector vector;
    std::memcpy(&vector, place, sizeof vector);
    return vector;
}

template <class Vector, class Number>
CUPYSIM_FUNCTION void store(Vector vector, Number* place) {
    std::memcpy(place, &vector, sizeof vector);
}

// The signs of a vector's numbers, as bits.
CUPYSIM_FUNCTION std::uint32_t mask_of(Integers signs) {
#if defined(__AVX2__)
    return static_cast<std::uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(signs)));
#elif defined(__SSE2__)
    return static_cast<std::uint32_t>(_mm_movemask_ps(reinterpret_cast<__m128>(signs)));
#else
    std::uint32_t mask = 0;
    for (int i = 0; i < FLOAT_LANES; ++i) mask |= static_cast<std::uint32_t>(signs[i] < 0) << i;
    return mask;
#endif
}

// Numbers that `compare_rising` compares at a time.
constexpr int RISING = 16;

// Sets bit i of `below` if number i after *first exceeds it by less than rise - guard, and bit i of `near_or_below` if
// by less than rise + guard. Differences are taken modulo 2^32.
CUPYSIM_FUNCTION void compare_rising(const std::uint32_t* first, std::int32_t rise, std::int32_t guard,
                                     std::uint32_t& below, std::uint32_t& near_or_below) {
#if defined(__AVX512F__)
    // a vector of *first from memory is faster than a vector of a computed sum
    const __m512i limit = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(*first)), _mm512_set1_epi32(rise));
    const __m512i excess = _mm512_sub_epi32(_mm512_loadu_si512(first + 1), limit);
    below = _cvtmask16_u32(_mm512_cmplt_epi32_mask(excess, _mm512_set1_epi32(-guard)));
    near_or_below = _cvtmask16_u32(_mm512_cmplt_epi32_mask(excess, _mm512_set1_epi32(guard)));
#else
    const std::uint32_t limit = *first + static_cast<std::uint32_t>(rise);
    below = near_or_below = 0;
    for (int i = 0; i < RISING; i += FLOAT_LANES) {
        const Naturals beyond = vector_at<Naturals>(first + 1 + i) - limit;
        const Integers excess = reinterpret_cast<Integers>(beyond);
        below |= mask_of(excess < -guard) << i;
        near_or_below |= mask_of(excess < guard) << i;
    }
#endif
}

// Numbers that `rising_below` compares at a time.
constexpr int FEW_RISING = 4;
typedef std::int32_t FewIntegers __attribute__((vector_size(4 * FEW_RISING)));
typedef std::uint32_t FewNaturals __attribute__((vector_size(4 * FEW_RISING)));

// Bit i tells whether number i after *first exceeds it by less than `rise`, modulo 2^32. Numbers ascend.
CUPYSIM_FUNCTION std::uint32_t rising_below(const std::uint32_t* first, std::int32_t rise) {
    FewNaturals numbers;
    std::memcpy(&numbers, first + 1, sizeof numbers);
    const FewNaturals beyond = numbers - *first;
    const FewIntegers below = reinterpret_cast<FewIntegers>(beyond) < rise;
#if defined(__SSE2__)
    return static_cast<std::uint32_t>(_mm_movemask_ps(reinterpret_cast<__m128>(below)));
#else
    std::uint32_t mask = 0;
    for (int i = 0; i < FEW_RISING; ++i) mask |= static_cast<std::uint32_t>(below[i] & 1) << i;
    return mask;
#endif
}

// Products of the lower halves.
CUPYSIM_FUNCTION Words product(Words a, std::uint32_t b) {
#if defined(__AVX2__)
    return reinterpret_cast<Words>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), _mm256_set1_epi64x(b)));
#elif defined(__SSE2__)
    return reinterpret_cast<Words>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), _mm_set1_epi64x(b)));
#else
    return (a & LOW_WORD) * static_cast<std::uint64_t>(b);
#endif
}

}  // namespace cupysim
