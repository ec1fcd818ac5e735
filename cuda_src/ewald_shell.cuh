// Reflections in a shell around the Ewald sphere. Only a CPU uses this file.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "portable.cuh"

namespace cupysim {

// What to search for. `cupysim/backends/compiled/records.py` reads this struct.
struct ShellSearch {
    double star[9];  // columns a*, b*, c* (1/m)
    double beam[3];  // wave vector of the incident photons (1/m)
    double width;  // largest distance from the sphere (1/m) is width + spread times the length of q
    double spread;
    double longest;  // largest length of q (1/m)
    Int first[3];  // limits of h, k, l
    Int last[3];
    Int inner;  // number of the index with the widest range
    // structure factors of each channel, with a border of the value outside the table; or one constant
    const double* table;
    Int n_channels;
    Int table_first[3];  // smallest h, k, l of the table without its border
    Int table_size[3];
    Int is_constant;
    double constant;
    Int capacity;  // of the results
    Int* hkl;  // three for each reflection
    double* rays;  // wave vectors of scattered photons (1/m), three for each reflection
    double* amplitudes;  // structure factors, one for each channel
};

// Limits of x for which start + x along is within a sphere around the origin. If there are none, the first limit is
// infinite, and the last minus infinite.
struct RootRange {
    double first, last;
};

inline RootRange between_roots(const double start[3], const double along[3], double radius) {
    const double square = along[0] * along[0] + along[1] * along[1] + along[2] * along[2];
    const double product = start[0] * along[0] + start[1] * along[1] + start[2] * along[2];
    const double from_origin = start[0] * start[0] + start[1] * start[1] + start[2] * start[2];
    const double middle = -product / square, left = (radius * radius - from_origin) / square + middle * middle;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (!(left >= 0.0)) return {infinity, -infinity};
    const double half = std::sqrt(left);
    return {middle - half, middle + half};
}

class ShellReflections {
  public:
    explicit ShellReflections(const ShellSearch& search) : search(search) {
        radius = length_of(search.beam);
        const double reach = search.width + search.longest * search.spread;
        outside = radius + reach;
        inside = larger(radius - reach, 0.0);
    }

    // Finds all reflections, and returns their number. Those beyond the capacity are only counted.
    Int find() {
        const Int inner = search.inner, slow = inner == 0 ? 1 : 0, fast = inner == 2 ? 1 : 2;
        Int index[3];
        for (index[slow] = search.first[slow]; index[slow] <= search.last[slow]; ++index[slow]) {
            for (index[fast] = search.first[fast]; index[fast] <= search.last[fast]; ++index[fast])
                search_row(index, slow, fast);
        }
        return count;
    }

  private:
    const ShellSearch& search;
    double radius, outside, inside;
    Int count = 0;

    static double length_of(const double v[3]) { return std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]); }

    // All reflections with two given indices.
    void search_row(Int index[3], Int slow, Int fast) {
        const Int inner = search.inner;
        double start[3], ray[3], along[3];
        for (int i = 0; i < 3; ++i) {
            const double* star = search.star + 3 * i;
            start[i] = static_cast<double>(index[slow]) * star[slow] + static_cast<double>(index[fast]) * star[fast];
            ray[i] = start[i] + search.beam[i];
            along[i] = star[inner];
        }
        const RootRange limit = between_roots(start, along, search.longest), outer = between_roots(ray, along, outside);
        // one more on each side, so that rounding errors exclude none
        const double low =
            std::max({std::floor(limit.first), std::floor(outer.first), static_cast<double>(search.first[inner])});
        const double high =
            std::min({std::ceil(limit.last), std::ceil(outer.last), static_cast<double>(search.last[inner])});
        if (!(low <= high)) return;
        const RootRange hollow = between_roots(ray, along, inside);
        const double begin = std::ceil(hollow.first) + 1.0, end = std::floor(hollow.last) - 1.0;
        for (double x = low; x <= high; x += 1.0) {
            // jump over the inside of the shell
            if (x > begin && x < end) {
                x = end;
                if (x > high) break;
            }
            index[inner] = static_cast<Int>(x);
            keep_if_near(index, start, ray, along, x);
        }
    }

    void keep_if_near(const Int index[3], const double start[3], const double from[3], const double along[3],
                      double x) {
        double q[3], ray[3];
        for (int i = 0; i < 3; ++i) {
            q[i] = start[i] + x * along[i];
            ray[i] = from[i] + x * along[i];
        }
        const double length = length_of(q), distance = std::fabs(length_of(ray) - radius);
        if (!(distance <= search.width + length * search.spread && length <= search.longest && length > 0.0)) return;
        const bool has_room = count < search.capacity;
        if (!has_amplitude(index, has_room ? search.amplitudes + count * search.n_channels : nullptr)) return;
        for (int i = 0; i < 3 && has_room; ++i) {
            search.hkl[3 * count + i] = index[i];
            search.rays[3 * count + i] = ray[i];
        }
        ++count;
    }

    // Whether a reflection has a structure factor in any channel. Stores those of all channels unless `amplitudes` is
    // null.
    bool has_amplitude(const Int index[3], double* amplitudes) const {
        Int place = 0, size = 1;
        for (int i = 0; i < 3; ++i) {
            const Int length = search.table_size[i], beyond = index[i] - (search.table_first[i] - 1);
            place = place * length + smaller(larger(beyond, Int(0)), length - 1);
            size *= length;
        }
        bool any = false;
        for (Int channel = 0; channel < search.n_channels; ++channel) {
            const double amplitude = search.is_constant ? search.constant : search.table[channel * size + place];
            any = any || amplitude != 0.0;
            if (amplitudes != nullptr) amplitudes[channel] = amplitude;
        }
        return any;
    }
};

}  // namespace cupysim
