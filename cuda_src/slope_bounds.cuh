// Upper bounds of derivatives of F_latt^2, for derivatives within a tolerance. Like those of `spot_bounds.cuh`, they
// fall with each offset from the nearest reflection. `docs/tolerance.md` has the proofs.
#pragma once
#include "spot_bounds.cuh"

namespace cupysim {

// Largest sum of the absolute derivatives of the weights of the cubic interpolation along an axis, times 2, and
// divided by the largest sum of the absolute weights: |dF^2/dh| is at most this times the bound of F^2.
constexpr float CUBIC_STEEPNESS = 2.0f * (7.0f / 3.0f) / 1.25f * BOUND_SLACK;

// Member of each shape: `relative`, a bound of F_latt^2, of |dF_latt^2/dh| divided by the sharpness along h and the
// same for k and l, and with `SpotSize::with_sizes` also of derivatives with respect to sizes, relative to the sizes;
// all divided by the height of a spot.
// A shape without a specialisation has none, so that nothing is left out.
template <Shape shape>
struct LatticeSlopeBound {
    static CUPYSIM_FUNCTION float relative(const SpotSize&, float, float, float) { return 1e30f; }
};

// A factor g <= min(1, 1/q), q = (N sin(pi x))^2, has |dg/dx|/N <= 3 pi min(1, 1/q), and |d(N^2 g)/dN|/N is at most
// pi/sqrt(q) if q > 1.
template <>
struct LatticeSlopeBound<SQUARE> {
    static CUPYSIM_FUNCTION float relative(const SpotSize& size, float h, float k, float l) {
        const float qh = grating_bound(h, size.counts[0]), qk = grating_bound(k, size.counts[1]),
                    ql = grating_bound(l, size.counts[2]);
        const float slope = static_cast<float>(3.0 * PI) / (qh * qk * ql);
        if (!size.with_sizes) return slope;
        return slope * larger(square_root(larger(qh, larger(qk, ql))) * (1.0f / 3.0f), 1.0f);
    }
};

template <>
struct LatticeSlopeBound<NO_FRINGES> {
    static CUPYSIM_FUNCTION float relative(const SpotSize& size, float h, float k, float l) {
        return reaches_first_peak(size, h, k, l) ? LatticeSlopeBound<SQUARE>::relative(size, h, k, l) : 0.0f;
    }
};

// |S'(x)| <= min(3/8, 3 sqrt(x^4 + 3 x^2 + 9)/x^4).
template <>
struct LatticeSlopeBound<ROUND> {
    static CUPYSIM_FUNCTION float relative(const SpotSize& size, float h, float k, float l) {
        const float z = ball_argument(size, h, k, l), root = square_root(z * (z + 3.0f) + 9.0f);
        const float square = SpotBound<ROUND>::relative(size, h, k, l);
        const float steep = smaller(3.0f * root / (z * z), 0.375f);
        const float slope = static_cast<float>(2.0 * PI) * square_root(size.fudge * square) * steep;
        const float most = larger(slope, square);
        if (!size.with_sizes) return most;
        const float far = 9.0f * square_root(1.0f + z) * root / (z * z * z);
        return larger(most, 2.0f * (square + (z < 9.0f ? 1.125f : far)));
    }
};

// With F_latt^2 = exp(-2 y): |dF_latt^2/dh|/|G_h| <= 4 sqrt(fudge/0.63 y) exp(-2 y), which decreases from y = 1/4 on.
// Derivatives with respect to the metric are at most 4 y exp(-2 y), which decreases from y = 1/2 on, and the one with
// respect to log H is 2 exp(-2 y).
template <>
struct LatticeSlopeBound<GAUSS> {
    static CUPYSIM_FUNCTION float relative(const SpotSize& size, float h, float k, float l) {
        const float y = least_distance(size, h, k, l), z = larger(y, 0.25f), w = larger(y, 0.5f);
        const float steep = 4.0f * square_root(size.fudge * static_cast<float>(1.0 / GAUSS_WIDTH) * z);
        const float most = larger(exp_bound(y), steep * exp_bound(z));
        return size.with_sizes ? larger(most, larger(2.0f * exp_bound(y), 4.0f * w * exp_bound(w))) : most;
    }
};

// The bound of the derivatives of F_cell^2 F_latt^2, divided by the bound of F_cell^2 and the height of a spot.
template <Shape shape, Factors factors>
struct SlopeBound {
    static CUPYSIM_FUNCTION float relative(const SpotSize& size, float h, float k, float l) {
        const float slope = LatticeSlopeBound<shape>::relative(size, h, k, l) * BOUND_SLACK;
        if constexpr (factors != TRICUBIC) return slope;
        return slope + CUBIC_STEEPNESS / size.smallest_sharpness * SpotBound<shape>::relative(size, h, k, l);
    }
};

}  // namespace cupysim
