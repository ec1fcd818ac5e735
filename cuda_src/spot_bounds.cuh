// Upper bounds of F_latt^2 from lower bounds of the offsets |h - h0|, |k - k0|, |l - l0| from the nearest
// reflection. Each bound falls with each offset, so it holds wherever the offsets are larger. The bounds are
// floats, relative to the height of a spot. `docs/tolerance.md` has the proofs.
#pragma once
#include "spot_shapes.cuh"

namespace cupysim {

// Allowance for the rounding of the bounds in single precision: every bound is multiplied by it.
constexpr float BOUND_SLACK = 1.0001f;

// Sizes of a crystal for the bounds.
struct SpotSize {
    float counts[3];  // Na, Nb, Nc
    float sum[3], each[3];  // y >= sum of (sum_i offset_i^2), y >= each_i offset_i^2; see `Crystal`
    float fudge;
    float smallest_sharpness;
    bool with_sizes;  // whether bounds of derivatives are also those with respect to sizes
};

CUPYSIM_FUNCTION SpotSize spot_size(const Launch& launch, const Crystal& crystal) {
    SpotSize size;
    for (int axis = 0; axis < 3; ++axis) {
        size.counts[axis] = static_cast<float>(crystal.n_cells[axis]);
        size.sum[axis] = static_cast<float>(crystal.distance_sum[axis] * launch.fudge);
        size.each[axis] = static_cast<float>(crystal.distance_each[axis] * launch.fudge);
    }
    size.fudge = static_cast<float>(launch.fudge);
    const double* sharpness = crystal.sharpness;
    size.smallest_sharpness = static_cast<float>(smaller(sharpness[0], smaller(sharpness[1], sharpness[2])));
    size.with_sizes = (launch.groups & OF_SIZES) != 0;
    return size;
}

// The lower bound of y, the squared distance divided by GAUSS_WIDTH.
CUPYSIM_FUNCTION float least_distance(const SpotSize& size, float h, float k, float l) {
    const float hh = h * h, kk = k * k, ll = l * l;
    const float together = size.sum[0] * hh + size.sum[1] * kk + size.sum[2] * ll;
    const float alone = larger(size.each[0] * hh, larger(size.each[1] * kk, size.each[2] * ll));
    return larger(together, alone) * (1.0f / BOUND_SLACK);
}

CUPYSIM_FUNCTION double squared_height(const Crystal& crystal) { return crystal.height * crystal.height; }

CUPYSIM_FUNCTION double squared_volume(const Crystal& crystal) {
    const double volume = crystal.n_cells[0] * crystal.n_cells[1] * crystal.n_cells[2];
    return volume * volume;
}

// Members of each shape: `height`, the largest F_latt^2, and `relative`, the bound of F_latt^2 / height. A shape
// without a specialisation has only the bound (Na Nb Nc)^2, so that nothing is left out.
template <Shape shape>
struct SpotBound {
    static CUPYSIM_FUNCTION double height(const Crystal& crystal) { return squared_volume(crystal); }
    static CUPYSIM_FUNCTION float relative(const SpotSize&, float, float, float) { return 1.0f; }
};

// The square of N sin(pi x) as a lower bound, at least 1: sin(pi x) >= 3x - 4x^3 for 0 <= x <= 1/2.
CUPYSIM_FUNCTION float grating_bound(float x, float n) {
    const float sine = x * (3.0f - 4.0f * x * x) * n;
    // 1e12, so that the product of three is finite
    return smaller(larger(sine * sine, 1.0f), 1e12f);
}

template <>
struct SpotBound<SQUARE> {
    static CUPYSIM_FUNCTION double height(const Crystal& crystal) { return squared_volume(crystal); }
    static CUPYSIM_FUNCTION float relative(const SpotSize& size, float h, float k, float l) {
        return 1.0f /
               (grating_bound(h, size.counts[0]) * grating_bound(k, size.counts[1]) * grating_bound(l, size.counts[2]));
    }
};

// x^2, the square of the argument of S(x), from 1 to 1e12.
CUPYSIM_FUNCTION float ball_argument(const SpotSize& size, float h, float k, float l) {
    const float nh = size.counts[0] * h, nk = size.counts[1] * k, nl = size.counts[2] * l;
    const float z = static_cast<float>(PI * PI) * size.fudge * (nh * nh + nk * nk + nl * nl);
    return smaller(larger(z, 1.0f), 1e12f);
}

// S(x)^2 <= min(1, 9 (1 + x^2)/x^6), because sin x - x cos x = sqrt(1 + x^2) sin(x - atan x), and S is a mean
// of cosines.
template <>
struct SpotBound<ROUND> {
    static CUPYSIM_FUNCTION double height(const Crystal& crystal) {
        return squared_volume(crystal) * SPHERE_IN_CUBE * SPHERE_IN_CUBE;
    }
    static CUPYSIM_FUNCTION float relative(const SpotSize& size, float h, float k, float l) {
        const float z = ball_argument(size, h, k, l);
        return smaller(9.0f * (1.0f + z) / (z * z * z), 1.0f);
    }
};

// exp(-2 y) from above: between two powers of two, the chord of 2^x is above the curve, and a linear function of
// the bits of a float is this chord
CUPYSIM_FUNCTION float exp_bound(float y) {
    const float power = smaller(2.885390082f * y, 126.0f);
    return float_of_bits(static_cast<int>((127.0f - power) * 8388608.0f));
}

template <>
struct SpotBound<GAUSS> {
    static CUPYSIM_FUNCTION double height(const Crystal& crystal) { return squared_height(crystal); }
    static CUPYSIM_FUNCTION float relative(const SpotSize& size, float h, float k, float l) {
        return exp_bound(least_distance(size, h, k, l));
    }
};

template <>
struct SpotBound<TOPHAT> {
    static CUPYSIM_FUNCTION double height(const Crystal& crystal) { return squared_height(crystal); }
    static CUPYSIM_FUNCTION float relative(const SpotSize& size, float h, float k, float l) {
        const float edge = static_cast<float>(TOPHAT_EDGE / GAUSS_WIDTH) * BOUND_SLACK;
        return least_distance(size, h, k, l) < edge ? 1.0f : 0.0f;
    }
};

// Whether offsets may be within the first minimum of a parallelepiped's transform.
CUPYSIM_FUNCTION bool reaches_first_peak(const SpotSize& size, float h, float k, float l) {
    const float nh = size.counts[0] * h, nk = size.counts[1] * k, nl = size.counts[2] * l;
    return larger(nh, larger(nk, nl)) <= BOUND_SLACK;
}

template <>
struct SpotBound<NO_FRINGES> {
    static CUPYSIM_FUNCTION double height(const Crystal& crystal) { return squared_volume(crystal); }
    static CUPYSIM_FUNCTION float relative(const SpotSize& size, float h, float k, float l) {
        return reaches_first_peak(size, h, k, l) ? SpotBound<SQUARE>::relative(size, h, k, l) : 0.0f;
    }
};

template <>
struct SpotBound<FLAT> {
    static CUPYSIM_FUNCTION double height(const Crystal& crystal) { return squared_volume(crystal); }
    static CUPYSIM_FUNCTION float relative(const SpotSize& size, float h, float k, float l) {
        return reaches_first_peak(size, h, k, l) ? 1.0f : 0.0f;
    }
};

}  // namespace cupysim
