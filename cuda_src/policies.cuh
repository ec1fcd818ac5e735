// In which types a variant of the kernel computes.
//
// Miller indices need more digits than a float has: sin(pi N h) of a crystal of
// N = 1000 cells at h = 50 loses 4 % of a peak's height in single precision. What is left of
// them once the nearest reflection is subtracted does not.
#pragma once
#include "pairs.cuh"

namespace cupysim {

// All in double precision: 1e-6 of every pixel, weak ones included.
struct Double {
    using Real = double;  // sines, structure factors
    using Offset = double;  // fractional Miller indices
    using Number = double;  // integers
    using Element = double;  // of orientation matrices
    static constexpr int MATRIX_SIZE = 9;
    static constexpr int TILE = 1 << 30;  // steps added up in Real
};

// Miller indices in double precision, the rest in single: 1e-6 of the image's
// maximum. For CPUs, and GPUs whose float64 units are half as many.
struct Mixed {
    using Real = float;
    using Offset = double;
    using Number = double;
    using Element = double;
    static constexpr int MATRIX_SIZE = 9;
    static constexpr int TILE = 16;
};

// The same with pairs of floats: no float64 in the inner loop. For GPUs with
// one float64 unit for 32 or 64 others.
struct Pairs {
    using Real = float;
    using Offset = Pair;
    using Number = float;
    using Element = float;
    static constexpr int MATRIX_SIZE = 18;  // high parts, then low parts
    static constexpr int TILE = 16;
};

// Precisions, and their types.
#ifdef CUPYSIM_WITH_PAIRS
#define CUPYSIM_PRECISIONS(PRECISION) PRECISION(DOUBLE, Double) PRECISION(MIXED, Mixed) PRECISION(PAIRS, Pairs)
#else
// pairs of floats are for GPUs; a CPU computes them in tests alone
#define CUPYSIM_PRECISIONS(PRECISION) PRECISION(DOUBLE, Double) PRECISION(MIXED, Mixed)
#endif

enum Precision { DOUBLE, MIXED, PAIRS };

}  // namespace cupysim
