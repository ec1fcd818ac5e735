// Definitions that let NVRTC, nvcc, g++ and clang++ compile the same source.
//
// On a GPU, a thread works on one pixel. On a CPU, a thread works on a block of pixels, which are the lanes of
// its vector instructions. The code is written for a block of LANES pixels. On a GPU, LANES is 1, and loops
// over lanes disappear.
#pragma once

#ifdef __CUDACC__
#define CUPYSIM_FUNCTION __device__ __forceinline__
#define CUPYSIM_OUTLINE CUPYSIM_FUNCTION
// before a loop that would need too many registers if the compiler unrolled it
#define CUPYSIM_ROLLED _Pragma("unroll 1")
#define FOR_SOME_LANES(i, n) for (int i = 0; i < (n); ++i)
#else
#include <cmath>
#include <cstdint>
#include <cstring>
#define CUPYSIM_FUNCTION inline __attribute__((always_inline))
// for large functions that are called seldom: compilation takes less time
#define CUPYSIM_OUTLINE inline __attribute__((noinline))
#define CUPYSIM_ROLLED
#define FOR_SOME_LANES(i, n) _Pragma("omp simd") for (int i = 0; i < (n); ++i)
#endif
#define FOR_LANES(i) FOR_SOME_LANES(i, LANES)

namespace cupysim {

#ifdef __CUDACC__
constexpr int LANES = 1;
#else
constexpr int LANES = 64;
#endif

using Int = long long;

// Numbers of 32 and 64 bits without sign. A GPU's compiler has no <cstdint>.
#ifdef __CUDACC__
using Natural = unsigned int;
using Word = unsigned long long;
#else
using Natural = std::uint32_t;
using Word = std::uint64_t;
#endif

// Values along the three axes h, k, l. Members have names, not numbers, because compilers do not vectorise
// across lanes if a lane has arrays of its own.
template <class T>
struct Triple {
    T h, k, l;
};

// a*b + c, fused if that is as fast.
CUPYSIM_FUNCTION double multiply_add(double a, double b, double c) {
#if defined(__CUDACC__)
    return fma(a, b, c);
#elif defined(__FMA__) || defined(__aarch64__)
    return __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
}

CUPYSIM_FUNCTION float multiply_add(float a, float b, float c) {
#if defined(__CUDACC__)
    return __fmaf_rn(a, b, c);
#elif defined(__FMA__) || defined(__aarch64__)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

// a*b + c with one rounding, even if it is slow: error-free products need it.
CUPYSIM_FUNCTION float fused(float a, float b, float c) {
#if defined(__CUDACC__)
    return __fmaf_rn(a, b, c);
#else
    return __builtin_fmaf(a, b, c);
#endif
}

// Products and sums that no compiler may fuse with their neighbours.
CUPYSIM_FUNCTION double product(double a, double b) {
#if defined(__CUDACC__)
    return __dmul_rn(a, b);
#else
    return a * b;  // the host build has -ffp-contract=off
#endif
}

CUPYSIM_FUNCTION double sum(double a, double b) {
#if defined(__CUDACC__)
    return __dadd_rn(a, b);
#else
    return a + b;
#endif
}

CUPYSIM_FUNCTION float product(float a, float b) {
#if defined(__CUDACC__)
    return __fmul_rn(a, b);
#else
    return a * b;
#endif
}

CUPYSIM_FUNCTION float sum(float a, float b) {
#if defined(__CUDACC__)
    return __fadd_rn(a, b);
#else
    return a + b;
#endif
}

// The bits of a float, and the float with some bits.
CUPYSIM_FUNCTION int bits_of(float value) {
#ifdef __CUDACC__
    return __float_as_int(value);
#else
    int bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
#endif
}

CUPYSIM_FUNCTION float float_of_bits(int bits) {
#ifdef __CUDACC__
    return __int_as_float(bits);
#else
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
#endif
}

// The bits of a double, and the double with some bits.
CUPYSIM_FUNCTION Word bits_of(double value) {
#ifdef __CUDACC__
    return static_cast<Word>(__double_as_longlong(value));
#else
    Word bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
#endif
}

CUPYSIM_FUNCTION double double_of_bits(Word bits) {
#ifdef __CUDACC__
    return __longlong_as_double(static_cast<Int>(bits));
#else
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
#endif
}

// 1.5 * 2^52 and 1.5 * 2^23. Adding them to a smaller number leaves its nearest integer in the low bits. On a
// GPU, two additions are faster than the rounding instruction, and the oldest x86 processors have none.
constexpr double WHOLE = 6755399441055744.0;
constexpr float WHOLE_FLOAT = 12582912.0f;

#if !defined(__CUDACC__) && (defined(__SSE4_1__) || defined(__aarch64__))
#define CUPYSIM_ROUNDS_FAST 1
#endif

// The nearest integer, halves rounded to even; |x| < 2^51.
CUPYSIM_FUNCTION double nearest_even(double x) {
#ifdef CUPYSIM_ROUNDS_FAST
    return __builtin_rint(x);
#else
    return sum(sum(x, WHOLE), -WHOLE);
#endif
}

// The nearest integer, halves rounded to even; |x| < 2^22.
CUPYSIM_FUNCTION float nearest_even(float x) {
#ifdef CUPYSIM_ROUNDS_FAST
    return __builtin_rintf(x);
#else
    return sum(sum(x, WHOLE_FLOAT), -WHOLE_FLOAT);
#endif
}

// The nearest integer, halves rounded down as in the C program: ceil(x - 0.5).
CUPYSIM_FUNCTION double nearest_index(double x) {
    const double shifted = x - 0.5;
#if defined(__CUDACC__)
    return __dadd_rn(__dadd_ru(shifted, WHOLE), -WHOLE);
#elif defined(CUPYSIM_ROUNDS_FAST)
    return __builtin_ceil(shifted);
#else
    const double near = nearest_even(shifted);
    return near < shifted ? near + 1.0 : near;
#endif
}

// An integer as a place in a table. On a GPU it is an int, which the low bits of the sum with WHOLE hold
// already. On a CPU it keeps its type, since doubles and floats are limited to the table before many are
// converted at a time.
#ifdef __CUDACC__
template <class Number>
struct Place {
    using Type = int;
};
CUPYSIM_FUNCTION int place_of(double whole) { return __double2loint(__dadd_rn(whole, WHOLE)); }
CUPYSIM_FUNCTION int place_of(float whole) {
    return __float_as_int(__fadd_rn(whole, WHOLE_FLOAT)) - __float_as_int(WHOLE_FLOAT);
}
#else
template <class Number>
struct Place {
    using Type = Number;
};
template <class Number>
CUPYSIM_FUNCTION Number place_of(Number whole) {
    return whole;
}
#endif

// The nearest float. CuPy compiles with -ftz=true, which would add a comparison in float64 only to round
// denormal results to zero.
CUPYSIM_FUNCTION float to_float(double x) {
#if defined(__CUDACC__)
    float y;
    asm("cvt.rn.f32.f64 %0, %1;" : "=f"(y) : "d"(x));
    return y;
#else
    return static_cast<float>(x);
#endif
}

// The same number as a double, and a product, a sum and a quotient of floats that is rounded once. Denormal numbers
// stay as they are, although CuPy compiles with -ftz=true.
CUPYSIM_FUNCTION double to_double(float x) {
#if defined(__CUDACC__)
    double y;
    asm("cvt.f64.f32 %0, %1;" : "=d"(y) : "f"(x));
    return y;
#else
    return static_cast<double>(x);
#endif
}

CUPYSIM_FUNCTION float rounded_product(float a, float b) {
#if defined(__CUDACC__)
    float y;
    asm("mul.rn.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
    return y;
#else
    return a * b;
#endif
}

CUPYSIM_FUNCTION float rounded_sum(float a, float b) {
#if defined(__CUDACC__)
    float y;
    asm("add.rn.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
    return y;
#else
    return a + b;
#endif
}

CUPYSIM_FUNCTION float rounded_quotient(float a, float b) {
#if defined(__CUDACC__)
    float y;
    asm("div.rn.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
    return y;
#else
    return a / b;
#endif
}

// 1/x, accurate to the last bit or two. x must be neither zero nor infinite.
CUPYSIM_FUNCTION double reciprocal(double x) {
#if defined(__CUDACC__)
    double y;
    asm("rcp.approx.ftz.f64 %0, %1;" : "=d"(y) : "d"(x));
    y = fma(fma(-x, y, 1.0), y, y);
    return fma(fma(-x, y, 1.0), y, y);
#else
    return 1.0 / x;
#endif
}

CUPYSIM_FUNCTION float reciprocal(float x) {
#if defined(__CUDACC__)
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return __fmaf_rn(__fmaf_rn(-x, y, 1.0f), y, y);
#else
    return 1.0f / x;
#endif
}

// x/y if 1/y is known. The product, corrected by its own remainder, is the quotient to the last bit
// (Markstein (1990) IBM J. Res. Dev. 34, 111).
CUPYSIM_FUNCTION double divided(double x, double y, double inverse) {
#if defined(__CUDACC__) || defined(__FMA__) || defined(__aarch64__)
    const double near = product(x, inverse);
    return multiply_add(multiply_add(-near, y, x), inverse, near);
#else
    (void)inverse;
    return x / y;
#endif
}

CUPYSIM_FUNCTION double square_root(double x) { return sqrt(x); }
CUPYSIM_FUNCTION float square_root(float x) { return sqrtf(x); }

// The larger and the smaller of two numbers; `b` if `a` is not a number.
template <class T>
CUPYSIM_FUNCTION T larger(T a, T b) {
    return a > b ? a : b;
}

template <class T>
CUPYSIM_FUNCTION T smaller(T a, T b) {
    return a < b ? a : b;
}

}  // namespace cupysim
