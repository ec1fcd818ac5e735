// Photons, places and excitations of reflections, summed over the steps of an image, as in
// `cupysim/prediction/step_sums.py`. Only a CPU uses this file.
#pragma once
#include <vector>

#include "spot_sections.cuh"
#include "weights.cuh"

namespace cupysim {

// Smallest cosine between a ray and a panel's normal, as in `cupysim/prediction/panel_place.py`. More inclined rays
// do not meet the panel.
constexpr double GRAZING = 1e-9;

// `cupysim/backends/compiled/records.py` reads these structs.

// A source and an orientation.
struct SpotStep {
    double star[9];  // columns a*, b*, c* (1/m)
    double to_scattering[9];  // from the variables of the shape to scattering vectors
    double volume;  // absolute determinant of the inverse of that matrix
    double beam[3];  // wave vector of the incident photons (1/m)
    double wavenumber;  // 1/m
    double reach;  // largest distance from the sphere (1/m)
    double polarization[6];  // form of the polarization factor
    double weight;  // of the terms of the source, the same for all rays
    Int channel;  // of structure factors
    // upper bound of the photons divided by F^2: the largest factors times a bound of the section, see `SpotShape` of
    // `cupysim/plan/spot_shapes.py`
    double bound_scale;
    double bound_width;
};

struct SpotSearch {
    const double* hkl;  // h of all reflections, then k, then l
    const double* squares;  // F^2 of all reflections, for each channel
    Int n_reflections;
    Int n_channels;
    const SpotStep* steps;
    Int n_steps;

    Int shape;
    double n_cells[3];  // 1 if the shape measures distances
    double height;
    double fudge;

    // the panel (m)
    double origin[3];
    double normal[3];
    double fast[3];
    double slow[3];
    double pixel_fast;
    double pixel_slow;
    Int n_layers;
    double layer_step;
    double attenuation;
    Int absorbs_all;
    Int captures_each;
    Int polarized;

    // reflections whose upper bound is below this number of photons are left out; 0 leaves out none
    double fewest;

    // sums over the steps, which begin at zero; positions are multiplied by photons
    double* photons;
    double* fast_sum;
    double* slow_sum;
    double* excitation;
};

// Columns of numbers of the same count.
class WorkColumns {
  public:
    explicit WorkColumns(std::size_t n) : columns(n) {}
    void resize(std::size_t count) {
        for (auto& column : columns) column.resize(count);
    }
    double* operator[](std::size_t i) { return columns[i].data(); }

  private:
    std::vector<std::vector<double>> columns;
};

template <Shape shape>
class SpotSums {
  public:
    explicit SpotSums(const SpotSearch& search) : search(search) {
        const double* n = search.n_cells;
        form = {{n[0], n[1], n[2]}, search.height, search.fudge};
        cross(search.fast, search.slow, across);
        cross(search.slow, across, dual_fast);
        cross(across, search.fast, dual_slow);
        const double square = dot(across, across);
        for (int i = 0; i < 3; ++i) {
            dual_fast[i] /= square * search.pixel_fast;
            dual_slow[i] /= square * search.pixel_slow;
        }
    }

    void add_all() {
        choose();
        for (Int step = 0; step < search.n_steps; ++step) {
            const SpotStep& at = search.steps[step];
            distances_from_sphere(at);
            // reflections within reach, so that all lanes of the next loops have work
            near.clear();
            for (std::size_t i = 0; i < chosen.size(); ++i) {
                if (std::fabs(distances[i]) <= at.reach) near.push_back(i);
            }
            compute_sections(at);
            for (std::size_t i = 0; i < near.size(); ++i) add(at, i);
        }
    }

  private:
    const SpotSearch& search;
    SpotForm form;
    double across[3], dual_fast[3], dual_slow[3];
    std::vector<Int> chosen;  // numbers of the reflections
    std::vector<double> h, k, l, distances;  // of these
    std::vector<std::size_t> near;  // places of those within reach of a step
    // of these: h, k, l, distances, rays, projections, sections by the sphere and through the reflection
    enum { H, K, L, ZETA, X, Y, Z, ALONG_H, ALONG_K, ALONG_L, BY_SPHERE, THROUGH, N_COLUMNS };
    WorkColumns work{N_COLUMNS};

    static double dot(const double a[3], const double b[3]) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

    static void cross(const double a[3], const double b[3], double result[3]) {
        result[0] = a[1] * b[2] - a[2] * b[1];
        result[1] = a[2] * b[0] - a[0] * b[2];
        result[2] = a[0] * b[1] - a[1] * b[0];
    }

    void keep(const std::vector<Int>& numbers) {
        chosen = numbers;
        h.resize(chosen.size()), k.resize(chosen.size()), l.resize(chosen.size()), distances.resize(chosen.size());
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            h[i] = search.hkl[chosen[i]];
            k[i] = search.hkl[search.n_reflections + chosen[i]];
            l[i] = search.hkl[2 * search.n_reflections + chosen[i]];
        }
    }

    void distances_from_sphere(const SpotStep& at) {
        const double* s = at.star;
        const double *m = h.data(), *n = k.data(), *o = l.data();
        double* result = distances.data();
        const Int count = static_cast<Int>(chosen.size());
#pragma omp simd
        for (Int i = 0; i < count; ++i) {
            const double x = s[0] * m[i] + s[1] * n[i] + s[2] * o[i] + at.beam[0];
            const double y = s[3] * m[i] + s[4] * n[i] + s[5] * o[i] + at.beam[1];
            const double z = s[6] * m[i] + s[7] * n[i] + s[8] * o[i] + at.beam[2];
            result[i] = std::sqrt(x * x + y * y + z * z) - at.wavenumber;
        }
    }

    // An upper bound of the photons of a step divided by F^2.
    double bound(const SpotStep& at, double distance) const {
        const double square = distance * distance;
        if constexpr (SpotSection<shape>::MEASURES_DISTANCE) {
            return at.bound_scale * SpotSection<shape>::of_distance(form, square * at.bound_width * at.bound_width);
        } else {
            return at.bound_scale / larger(square, at.bound_width);
        }
    }

    // Chooses the reflections that may have enough photons.
    void choose() {
        std::vector<Int> enough;
        std::vector<double> largest(static_cast<std::size_t>(search.n_channels), 0.0);
        // first as if each reflection were on the sphere in all steps
        for (Int step = 0; step < search.n_steps && search.fewest > 0.0; ++step)
            largest[search.steps[step].channel] += bound(search.steps[step], 0.0);
        for (Int i = 0; i < search.n_reflections; ++i) {
            double most = 0.0;
            for (Int channel = 0; channel < search.n_channels; ++channel)
                most += largest[channel] * search.squares[channel * search.n_reflections + i];
            if (most >= search.fewest) enough.push_back(i);
        }
        keep(enough);
        if (!(search.fewest > 0.0)) return;
        std::vector<double> most(chosen.size(), 0.0);
        for (Int step = 0; step < search.n_steps; ++step) {
            const SpotStep& at = search.steps[step];
            distances_from_sphere(at);
            const double* squares = search.squares + at.channel * search.n_reflections;
            for (std::size_t i = 0; i < chosen.size(); ++i) {
                if (std::fabs(distances[i]) <= at.reach) most[i] += squares[chosen[i]] * bound(at, distances[i]);
            }
        }
        enough.clear();
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            if (most[i] >= search.fewest) enough.push_back(chosen[i]);
        }
        keep(enough);
    }

    // Sections of the reflections within reach.
    void compute_sections(const SpotStep& step) {
        // copies, which the results cannot change: otherwise the compiler does not vectorise the loop
        const SpotStep at = step;
        const Int count = static_cast<Int>(near.size());
        work.resize(near.size());
        for (Int i = 0; i < count; ++i) {
            const std::size_t place = near[i];
            work[H][i] = h[place], work[K][i] = k[place], work[L][i] = l[place], work[ZETA][i] = distances[place];
        }
        const double *s = at.star, *m = at.to_scattering, *hs = work[H], *ks = work[K], *ls = work[L],
                     *zetas = work[ZETA];
        double *xs = work[X], *ys = work[Y], *zs = work[Z], *by_sphere = work[BY_SPHERE], *through = work[THROUGH];
        double *along_h = work[ALONG_H], *along_k = work[ALONG_K], *along_l = work[ALONG_L];
        const SpotForm spot = form;
#pragma omp simd
        for (Int i = 0; i < count; ++i) {
            const double x = s[0] * hs[i] + s[1] * ks[i] + s[2] * ls[i] + at.beam[0];
            const double y = s[3] * hs[i] + s[4] * ks[i] + s[5] * ls[i] + at.beam[1];
            const double z = s[6] * hs[i] + s[7] * ks[i] + s[8] * ls[i] + at.beam[2];
            const double inverse = 1.0 / (at.wavenumber + zetas[i]);
            const Triple<double> p = {inverse * (x * m[0] + y * m[3] + z * m[6]),
                                      inverse * (x * m[1] + y * m[4] + z * m[7]),
                                      inverse * (x * m[2] + y * m[5] + z * m[8])};
            xs[i] = x, ys[i] = y, zs[i] = z;
            along_h[i] = p.h, along_k[i] = p.k, along_l[i] = p.l;
            by_sphere[i] = section<shape>(spot, p, zetas[i], at.volume);
            through[i] = section<shape>(spot, p, 0.0, at.volume);
        }
    }

    // Adds a step of one of the reflections within reach.
    void add(const SpotStep& at, std::size_t i) {
        const double* m = at.to_scattering;
        const Triple<double> p = {work[ALONG_H][i], work[ALONG_K][i], work[ALONG_L][i]};
        const double by_sphere = work[BY_SPHERE][i];
        // the highest point on the sphere has the smallest sum of (N dh)^2
        const Triple<double> weighted = {p.h / (form.n_cells.h * form.n_cells.h),
                                         p.k / (form.n_cells.k * form.n_cells.k),
                                         p.l / (form.n_cells.l * form.n_cells.l)};
        const double along = work[ZETA][i] / (p.h * weighted.h + p.k * weighted.k + p.l * weighted.l);
        double direction[3] = {work[X][i], work[Y][i], work[Z][i]};
        for (int axis = 0; axis < 3; ++axis)
            direction[axis] -=
                along * (m[3 * axis] * weighted.h + m[3 * axis + 1] * weighted.k + m[3 * axis + 2] * weighted.l);
        const double length = std::sqrt(dot(direction, direction));
        for (double& component : direction) component /= length;
        const Int reflection = chosen[near[i]];
        search.excitation[reflection] += by_sphere / work[THROUGH][i];
        const double polar =
            search.polarized ? polarization_factor(at.polarization, direction[0], direction[1], direction[2]) : 1.0;
        const double square = search.squares[at.channel * search.n_reflections + reflection];
        const double photons = square * at.weight * by_sphere * polar / (at.wavenumber * at.wavenumber);
        add_on_panel(direction, photons, reflection);
    }

    // Follows photons to their mean depth in the panel, and adds those that it absorbs.
    void add_on_panel(const double direction[3], double photons, Int reflection) {
        const double parallax = dot(direction, search.normal), step = search.layer_step;
        const double n_layers = static_cast<double>(search.n_layers), approach = dot(direction, across);
        if (!(std::fabs(approach) > GRAZING)) return;
        // with quirk Q15 all layers count equally, otherwise by what they absorb
        const double layer =
            search.captures_each ? mean_layer(step * search.attenuation / parallax) : 0.5 * (n_layers - 1.0);
        double origin[3], place[3];
        for (int axis = 0; axis < 3; ++axis) origin[axis] = search.origin[axis] + layer * step * search.normal[axis];
        const double distance = dot(origin, across) / approach;
        if (!(distance > 0.0)) return;
        for (int axis = 0; axis < 3; ++axis) place[axis] = distance * direction[axis] - origin[axis];
        photons *= search.absorbs_all ? n_layers : captured(parallax);
        search.photons[reflection] += photons;
        search.fast_sum[reflection] += photons * dot(place, dual_fast);
        search.slow_sum[reflection] += photons * dot(place, dual_slow);
    }

    // Mean number of the layer that absorbs a photon, from the optical thickness of a layer.
    double mean_layer(double slant) const {
        double reached = 1.0, total = 0.0, sum = 0.0;
        const double passed = std::exp(-std::fabs(slant));
        for (Int layer = 0; layer < search.n_layers; ++layer) {
            total += reached;
            sum += reached * static_cast<double>(layer);
            reached *= passed;
        }
        const double mean = sum / total;
        return std::isfinite(mean) ? mean : 0.0;
    }

    // Sum of the absorbed fractions of all layers.
    double captured(double parallax) const {
        const double n_layers = static_cast<double>(search.n_layers), step = search.layer_step;
        // with quirk Q15 all layers get the absorbed fraction of the last layer
        const double fraction = search.captures_each
                                    ? capture_fraction(0.0, n_layers * step, search.attenuation, parallax)
                                    : n_layers * capture_fraction(n_layers - 1.0, step, search.attenuation, parallax);
        return std::isfinite(fraction) ? fraction : 0.0;
    }
};

}  // namespace cupysim
