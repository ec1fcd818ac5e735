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
