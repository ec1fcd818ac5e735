// Photons of a pixel and how they change with parameters, in double precision.
//
// All parameters act through few numbers: Miller indices, the place of the panel, wavelengths,
// numbers of cells, the mosaic spread. The slopes of a pixel's photons with these, its columns, are
// added up over the steps, and contracted with each parameter's row of slopes at the end, so that
// more parameters cost little. Factors which vary within a pixel multiply each term (`EACH`).
#pragma once
#include "lattice_slopes.cuh"
#include "render_block.cuh"

namespace cupysim {

// The columns. Those of Miller indices are slopes with E of h -> (1 + E) h, row by row; those of
// the panel are slopes with the position of its origin and with its near distance, then with
// its fast, slow and normal vectors.
enum Column {
    INDICES = 0,
    ORIGIN = 9,
    CLOSE = 12,
    FAST = 13,
    SLOW = 16,
    NORMAL = 19,
    WAVELENGTH = 22,
    COUNTS = 23,
    SPREAD = 26,
    PHOTONS = 27,
    COLUMNS = 28,
};

// Which groups of columns somebody wants.
enum Group { OF_INDICES = 1, OF_PANEL = 2, OF_AXES = 4, OF_WAVELENGTH = 8, OF_COUNTS = 16, OF_SPREAD = 32 };

// Divides a factor out of photons again, which are zero if it is.
CUPYSIM_FUNCTION double divided_out(double total, double factor) {
    const bool none = factor == 0.0;
    return none ? 0.0 : total * reciprocal(none ? 1.0 : factor);
}

struct Columns {
    double of[COLUMNS][LANES];
};

// What the orientations of a ray add up, for the panel's columns.
struct RaySums {
    double terms[LANES];  // squared electrons
    double scattering[3][LANES];  // slopes with the scattering vector
};

// Structure factors of a block with their slopes along h, k, l.
struct FactorSlopes {
    double value[LANES];
    double along[3][LANES];
};

// The four weights of cubic interpolation and their slopes; 0 <= x < 1.
CUPYSIM_FUNCTION void lagrange_slopes(double x, double slopes[4]) {
    slopes[0] = (3.0 * x * x - 6.0 * x + 2.0) * (-1.0 / 6.0);
    slopes[1] = (3.0 * x * x - 4.0 * x - 1.0) * 0.5;
    slopes[2] = (3.0 * x * x - 2.0 * x - 2.0) * -0.5;
    slopes[3] = (3.0 * x * x - 1.0) * (1.0 / 6.0);
}

// F and its slopes, interpolated where the table holds the nodes, else of the nearest reflection.
CUPYSIM_FUNCTION void tricubic_slopes(const FactorTable<Double>& table, const Triple<Index<Double>>& indices, int i,
                                      FactorSlopes& factor) {
    factor.along[0][i] = factor.along[1][i] = factor.along[2][i] = 0.0;
    if (!has_all_nodes(table, indices)) {
        factor.value[i] = nearest_factor(table, wholes_of(indices));
        return;
    }
    double weights[3][4], slopes[3][4];
    const int corner[3] = {place_nodes(indices.h, table.before.h, table.last.h, weights[0]),
                           place_nodes(indices.k, table.before.k, table.last.k, weights[1]),
                           place_nodes(indices.l, table.before.l, table.last.l, weights[2])};
    const double offsets[3] = {indices.h.offset, indices.k.offset, indices.l.offset};
    for (int axis = 0; axis < 3; ++axis) {
        lagrange_slopes(offsets[axis] < 0.0 ? offsets[axis] + 1.0 : offsets[axis], slopes[axis]);
    }
    double value = 0.0, along_h = 0.0, along_k = 0.0, along_l = 0.0;
    for (int h = 0; h < 4; ++h) {
        double plane = 0.0, plane_k = 0.0, plane_l = 0.0;
        for (int k = 0; k < 4; ++k) {
            const double* row = table.values + ((corner[0] + h) * table.n_k + corner[1] + k) * table.n_l + corner[2];
            double line = 0.0, line_l = 0.0;
            for (int l = 0; l < 4; ++l) {
                line = multiply_add(weights[2][l], row[l], line);
                line_l = multiply_add(slopes[2][l], row[l], line_l);
            }
            plane = multiply_add(weights[1][k], line, plane);
            plane_k = multiply_add(slopes[1][k], line, plane_k);
            plane_l = multiply_add(weights[1][k], line_l, plane_l);
        }
        value = multiply_add(weights[0][h], plane, value);
        along_h = multiply_add(slopes[0][h], plane, along_h);
        along_k = multiply_add(weights[0][h], plane_k, along_k);
        along_l = multiply_add(weights[0][h], plane_l, along_l);
    }
    factor.value[i] = value;
    factor.along[0][i] = along_h;
    factor.along[1][i] = along_k;
    factor.along[2][i] = along_l;
}

// Miller indices of a lane, and F.
template <Factors factors>
CUPYSIM_FUNCTION void index_lane(const RayConstants<Double>& ray, const double* matrix, int i, double indices[3][LANES],
                                 Offsets<Double>& offsets, FactorSlopes& factor) {
    const auto at = miller_indices(ray.q, i, matrix, ray.grid);
    offsets.set(i, offsets_of(at));
    indices[0][i] = at.h.whole + at.h.offset;
    indices[1][i] = at.k.whole + at.k.offset;
    indices[2][i] = at.l.whole + at.l.offset;
    if constexpr (factors == CONSTANT) {
        factor.value[i] = ray.constant_factor;
    } else if constexpr (factors == NEAREST) {
        factor.value[i] = nearest_factor(ray.table, wholes_of(at));
    } else {
        tricubic_slopes(ray.table, at, i, factor);
    }
}

// One orientation: its terms, and their slopes.
template <Shape shape, Factors factors>
CUPYSIM_FUNCTION void add_slopes(const Launch& launch, const RayConstants<Double>& ray,
                                 const CrystalConstants<Double>& crystal, const double* matrix,
                                 const double* matrix_slopes, double wavelength_slope, RaySums& sums,
                                 Columns& columns) {
    const Int groups = launch.groups[0];
    double indices[3][LANES], scale[LANES];
    Offsets<Double> offsets;
    FactorSlopes factor;
    LatticeSlopes slopes;
    if constexpr (factors == TRICUBIC) {
        for (int i = 0; i < LANES; ++i) index_lane<factors>(ray, matrix, i, indices, offsets, factor);
    } else {
        FOR_LANES(i) index_lane<factors>(ray, matrix, i, indices, offsets, factor);
    }
    if constexpr (factors != CONSTANT) {
        double largest = 0.0;
        for (int i = 0; i < LANES; ++i) largest = larger(factor.value[i] * factor.value[i], largest);
        if (!(largest > 0.0)) return;
    }
    FOR_LANES(i) lattice_slopes<shape>(crystal, offsets.at(i), i, slopes);
    if (groups & OF_COUNTS) {
        FOR_LANES(i) count_slopes<shape>(crystal, offsets.at(i), i, slopes);
    }
    FOR_LANES(i) {
        const double f = factor.value[i];
        // rays beyond the resolution limit must not add 0 times infinity
        scale[i] = ray.active[i] != 0.0 ? f * f * ray.scale[i] : 0.0;
        if constexpr (factors == TRICUBIC) {
            const double twice = ray.active[i] != 0.0 ? 2.0 * f * ray.scale[i] * slopes.square[i] : 0.0;
            for (int axis = 0; axis < 3; ++axis) {
                slopes.along[axis][i] = scale[i] * slopes.along[axis][i] + twice * factor.along[axis][i];
            }
        } else {
            for (int axis = 0; axis < 3; ++axis) slopes.along[axis][i] *= scale[i];
        }
        sums.terms[i] += scale[i] * slopes.square[i];
    }
    if (groups & OF_INDICES) {
        for (int row = 0; row < 3; ++row) {
            double *of_h = columns.of[INDICES + 3 * row], *of_k = of_h + LANES, *of_l = of_k + LANES;
            const double* along = slopes.along[row];
            FOR_LANES(i) {
                of_h[i] += along[i] * indices[0][i];
                of_k[i] += along[i] * indices[1][i];
                of_l[i] += along[i] * indices[2][i];
            }
        }
    }
    if (groups & OF_PANEL) {
        FOR_LANES(i) {
            const double h = slopes.along[0][i], k = slopes.along[1][i], l = slopes.along[2][i];
            sums.scattering[0][i] += matrix[0] * h + matrix[3] * k + matrix[6] * l;
            sums.scattering[1][i] += matrix[1] * h + matrix[4] * k + matrix[7] * l;
            sums.scattering[2][i] += matrix[2] * h + matrix[5] * k + matrix[8] * l;
        }
    }
    if (groups & OF_WAVELENGTH) {
        // h is proportional to 1/lambda
        double* total = columns.of[WAVELENGTH];
        FOR_LANES(i)
        total[i] -= wavelength_slope * (slopes.along[0][i] * indices[0][i] + slopes.along[1][i] * indices[1][i] +
                                        slopes.along[2][i] * indices[2][i]);
    }
    if (groups & OF_COUNTS) {
        for (int axis = 0; axis < 3; ++axis) {
            double* total = columns.of[COUNTS + axis];
            FOR_LANES(i) total[i] += scale[i] * slopes.counts[axis][i];
        }
    }
    if (groups & OF_SPREAD) {
        double* total = columns.of[SPREAD];
        for (int axis = 0; axis < 3; ++axis) {
            const double* row = matrix_slopes + 3 * axis;
            FOR_LANES(i)
            total[i] += slopes.along[axis][i] * (row[0] * ray.q.x[i] + row[1] * ray.q.y[i] + row[2] * ray.q.z[i]);
        }
    }
}

// The columns of the panel from what a ray's orientations added up.
CUPYSIM_FUNCTION void add_panel(const Launch& launch, const Pixels& pixels, const Ray& ray, const double* source,
                                const double background[LANES], const RaySums& sums, Columns& columns) {
    const double* form = source + 4;
    const bool polar = launch.polar_use[0] == EACH, thick = launch.capture_use[0] == EACH;
    const double wavenumber = 1.0 / source[3], point = launch.point_pixel[0] ? 1.0 : 0.0;
    const double oversample = static_cast<double>(launch.oversample[0]), size = launch.pixel_size[0] / oversample;
    const double layer = static_cast<double>(ray.layer), step = launch.layer_step[0], mu = launch.attenuation[0];
    const double depth = layer * step, per_close = 1.0 / (launch.close_distance[0] + depth);
    const double n[3] = {launch.normal[0], launch.normal[1], launch.normal[2]};
    double places[3][LANES], tilts[LANES];
    FOR_LANES(i) {
        const double d[3] = {pixels.x[i], pixels.y[i], pixels.z[i]};
        const double total = sums.terms[i] + background[i];
        double slope[3] = {sums.scattering[0][i] * wavenumber, sums.scattering[1][i] * wavenumber,
                           sums.scattering[2][i] * wavenumber};
        const double per_polar = polar ? divided_out(total, pixels.polar[i]) : 0.0;
        slope[0] += per_polar * (2.0 * form[0] * d[0] + form[3] * d[1] + form[4] * d[2]);
        slope[1] += per_polar * (2.0 * form[1] * d[1] + form[3] * d[0] + form[5] * d[2]);
        slope[2] += per_polar * (2.0 * form[2] * d[2] + form[4] * d[0] + form[5] * d[1]);
        double tilted = 0.0;
        if (thick) {
            const double inverse = reciprocal(d[0] * n[0] + d[1] * n[1] + d[2] * n[2]);
            const double first = depth * mu * inverse, last = (depth + step) * mu * inverse;
            tilted =
                divided_out(total, pixels.capture[i]) * inverse * (first * exp_minus(first) - last * exp_minus(last));
        }
        for (int axis = 0; axis < 3; ++axis) slope[axis] += tilted * n[axis];
        const double along = slope[0] * d[0] + slope[1] * d[1] + slope[2] * d[2];
        const double inverse = reciprocal(pixels.airpath[i]), fall = (point - 3.0) * total;
        for (int axis = 0; axis < 3; ++axis) {
            places[axis][i] = (slope[axis] + d[axis] * (fall - along)) * inverse;
            columns.of[ORIGIN + axis][i] += places[axis][i];
        }
        columns.of[CLOSE][i] += (1.0 - point) * total * per_close;
        tilts[i] = tilted;
    }
    if (!(launch.groups[0] & OF_AXES)) return;
    FOR_LANES(i) {
        const double d[3] = {pixels.x[i], pixels.y[i], pixels.z[i]};
        const double fast = size * (pixels.fast[i] * oversample + static_cast<double>(ray.sub_fast)) + size / 2.0;
        const double slow = size * (pixels.slow[i] * oversample + static_cast<double>(ray.sub_slow)) + size / 2.0;
        for (int axis = 0; axis < 3; ++axis) {
            columns.of[FAST + axis][i] += fast * places[axis][i];
            columns.of[SLOW + axis][i] += slow * places[axis][i];
            columns.of[NORMAL + axis][i] += depth * places[axis][i] + tilts[i] * d[axis];
        }
    }
}

// Saves or restores the columns of a block from or to a launch's state.
template <bool save>
CUPYSIM_FUNCTION void keep_columns(const Launch& launch, Columns& columns, Int first) {
    for (int column = 0; column < COLUMNS; ++column) keep<save>(launch, first, column, columns.of[column]);
}

// Photons and slopes with the parameters.
CUPYSIM_FUNCTION void contract(const Launch& launch, const Pixels& pixels, const Columns& columns, Int first) {
    const double scale = launch.photons_per_squared_electron[0] / launch.n_steps[0];
    const int n = lanes_in_use(launch, first);
    for (Int number = 0; number < launch.n_parameters[0]; ++number) {
        const double* row = launch.parameters[0] + number * COLUMNS;
        const Int begin = launch.parameter_columns[0][2 * number], end = launch.parameter_columns[0][2 * number + 1];
        double slopes[LANES];
        FOR_LANES(i) slopes[i] = 0.0;
        for (Int column = begin; column < end; ++column) {
            const double weight = row[column] * scale;
            const double* values = columns.of[column];
            FOR_LANES(i) slopes[i] += weight * values[i];
        }
        double* out = launch.slopes[0] + number * launch.slopes_stride[0] - launch.image_first[0];
        for (int i = 0; i < LANES; ++i) {
            if (i >= n) break;
            out[pixels.number[i]] = slopes[i];
        }
    }
}

// The block of pixels from `first` on: all rays and orientations of the launch.
template <Shape shape, Factors factors>
CUPYSIM_FUNCTION void differentiate_block(const Launch& launch, Int first) {
    Pixels pixels;
    locate(launch, pixels, first);
    begin(launch, pixels);
    Columns columns;
    for (int column = 0; column < COLUMNS; ++column) {
        FOR_LANES(i) columns.of[column][i] = 0.0;
    }
    if (!launch.begins[0]) keep_columns<false>(launch, columns, first);
    Ray ray = ray_of(launch, launch.first_ray[0]);
    for (Int n = 0; n < launch.n_rays[0]; ++n, next_ray(launch, ray)) {
        approach(launch, pixels, ray, n == 0);
        const double* source = launch.sources[0] + ray.source * SOURCE_SIZE;
        RayConstants<Double> constants;
        scatter(pixels, source, constants.q);
        const bool reached = find_active(launch, constants.q, constants.active);
        if (launch.polarized[0]) keep_polarization(launch, pixels, source, constants.active);
        double background[LANES];
        FOR_LANES(i) pixels.sum[i] = 0.0;
        weigh(launch, pixels, source[11], constants.scale);
        RaySums sums;
        FOR_LANES(i) {
            background[i] = pixels.sum[i];
            sums.terms[i] = sums.scattering[0][i] = sums.scattering[1][i] = sums.scattering[2][i] = 0.0;
        }
        constants.table = factor_table<Double>(launch, source);
        constants.constant_factor = launch.constant_factor[0];
        constants.grid = launch.grid[0];
        const double wavelength_slope = launch.source_slopes[0][ray.source];
        CrystalConstants<Double> crystal;
        for (Int j = 0; reached && j < launch.n_orientations[0]; ++j) {
            const Int orientation = launch.first_orientation[0] + j, place = orientation - launch.first_matrix[0];
            const Int each = launch.orientations_each[0];
            if (j == 0 || orientation % each == 0) crystal = crystal_constants<Double>(launch, orientation / each);
            const double* matrix = static_cast<const double*>(launch.matrices[0]) + place * Double::MATRIX_SIZE;
            const double* slopes = launch.matrix_slopes[0] + place * Double::MATRIX_SIZE;
            add_slopes<shape, factors>(launch, constants, crystal, matrix, slopes, wavelength_slope, sums, columns);
        }
        if (launch.groups[0] & OF_PANEL) add_panel(launch, pixels, ray, source, background, sums, columns);
        FOR_LANES(i) columns.of[PHOTONS][i] += sums.terms[i] + background[i];
    }
    if (launch.ends[0]) {
        contract(launch, pixels, columns, first);
    } else {
        keep_columns<true>(launch, columns, first);
    }
}

}  // namespace cupysim
