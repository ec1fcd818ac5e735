// Types of the numbers in a variant of the kernel.
//
// Miller indices need more digits than a float has: sin(pi N h) of a crystal of N = 1000 cells at h = 50
// loses 4 % of a peak's height in single precision. Offsets from the nearest reflection need fewer digits.
#pragma once
#include "pairs.cuh"

namespace cupysim {

// All numbers in double precision: accurate to 1e-6 of each pixel, including weak ones.
struct Double {
    using Real = double;  // sines, structure factors
    using Offset = double;  // fractional Miller indices
    using Number = double;  // integers
    using Element = double;  // of orientation matrices
    static constexpr int MATRIX_SIZE = 9;
    static constexpr int TILE = 1 << 30;  // steps added up in Real
};

// Miller indices in double precision, other numbers in single precision: accurate to 1e-6 of the image's
// maximum. For CPUs, and for GPUs with half as many float64 units as float32 units.
struct Mixed {
    using Real = float;
    using Offset = double;
    using Number = double;
    using Element = double;
    static constexpr int MATRIX_SIZE = 9;
    static constexpr int TILE = 16;
};

// The same with pairs of floats, without float64 in the inner loop. For GPUs with one float64 unit for 32 or
// 64 float32 units.
struct Pairs {
    using Real = float;
    using Offset = Pair;
    using Number = float;
    using Element = float;
    static constexpr int MATRIX_SIZE = 18;  // high parts, then low parts
    static constexpr int TILE = 16;
};

// Precisions and their types.
#ifdef CUPYSIM_WITH_PAIRS
#define CUPYSIM_PRECISIONS(PRECISION) PRECISION(DOUBLE, Double) PRECISION(MIXED, Mixed) PRECISION(PAIRS, Pairs)
#else
// pairs of floats are for GPUs; a CPU uses them only in tests
#define CUPYSIM_PRECISIONS(PRECISION) PRECISION(DOUBLE, Double) PRECISION(MIXED, Mixed)
#endif

enum Precision { DOUBLE, MIXED, PAIRS };

}  // namespace cupysim
