// Photons of a pixel and their derivatives with respect to parameters, in double precision.
//
// All parameters act through few intermediates: Miller indices, the position of the panel, wavelengths and directions
// of the sources, numbers of cells, mosaic spreads, and the forms of halos. The derivatives of a pixel's photons with
// respect to them are its columns. They are summed over the steps. At the end, the Jacobian of the intermediates with
// respect to the parameters multiplies them, so more parameters cost little. Factors that vary within a pixel multiply
// each term (`EACH`). With T = F_cell^2 F_latt^2 w, a term of the sum:
//
//     dT/dh = w (F_cell^2 d(F_latt^2)/dh + 2 F_cell dF_cell/dh F_latt^2)
#pragma once
#include "diffuse_slopes.cuh"
#include "render_block.cuh"

namespace cupysim {

// Columns. INDICES: with respect to E of (h, k, l) -> (1 + E) (h, k, l), row by row. ORIGIN to NORMAL: origin
// of the panel, distance of its plane, its fast, slow and normal vectors. WAVELENGTH to VERTICAL: wavelength of the
// beam, its bandwidth, and its horizontal and vertical divergence. SPREAD: spreads of rotations, then of edges. The
// columns from FORMS on exist for diffuse scattering only, so that they need no registers otherwise: the elements
// of the form of halos, then of displacements, and the logarithm of the scale.
enum Column {
    INDICES = 0,
    ORIGIN = 9,
    CLOSE = 12,
    FAST = 13,
    SLOW = 16,
    NORMAL = 19,
    WAVELENGTH = 22,
    BANDWIDTH = 23,
    HORIZONTAL = 24,
    VERTICAL = 25,
    SIZES = 26,
    SPREAD = 33,
    PHOTONS = 42,
    FORMS = 43,
    LOG_SCALE = 55,
    COLUMNS = 56,  // of a row of the Jacobian
};

// Parameters with which sources change.
constexpr int SOURCE_CHANGES = SIZES - WAVELENGTH;

static_assert(LOG_SCALE == FORMS + 2 * FORM_ELEMENTS, "there is a column for each element of both forms");

struct Columns {
    double of[FORMS][LANES];
};

struct DiffuseColumns : Columns {
    double of_forms[COLUMNS - FORMS][LANES];
};

// The columns of a kernel with or without diffuse scattering.
template <bool diffuse>
struct ColumnsFor {
    using Type = Columns;
};

template <>
struct ColumnsFor<true> {
    using Type = DiffuseColumns;
};

CUPYSIM_FUNCTION double* column_at(Columns& columns, Int column) { return columns.of[column]; }
CUPYSIM_FUNCTION const double* column_at(const Columns& columns, Int column) { return columns.of[column]; }
CUPYSIM_FUNCTION double* column_at(DiffuseColumns& columns, Int column) {
    return column < FORMS ? columns.of[column] : columns.of_forms[column - FORMS];
}

// Sums over the orientations of a ray, for the columns of the panel and of the sources.
struct RaySums {
    double terms[LANES];  // squared electrons
    double scattering[3][LANES];  // derivatives with respect to the scattering vector q
};

// Structure factors of a block, and their derivatives with respect to h, k, l.
struct FactorDerivatives {
    double value[LANES];
    double along[3][LANES];
};

// Miller indices of a lane, its offset from the nearest reflection, and F.
template <Factors factors>
CUPYSIM_FUNCTION void index_of_lane(const RayConstants<Double>& ray, const double* matrix, int i,
                                    double indices[3][LANES], Offsets<Double>& offsets, FactorDerivatives& factor) {
    const auto at = miller_indices(ray.q, i, matrix, ray.grid);
    offsets.set(i, offsets_of(at));
    indices[0][i] = at.h.nearest + at.h.offset;
    indices[1][i] = at.k.nearest + at.k.offset;
    indices[2][i] = at.l.nearest + at.l.offset;
    const auto found = structure_factor<factors, true>(ray.table, ray.constant_factor, at);
    factor.value[i] = found.value;
    if constexpr (factors == TRICUBIC) {
        factor.along[0][i] = found.along.h;
        factor.along[1][i] = found.along.k;
        factor.along[2][i] = found.along.l;
    }
}

// dI/dE_rc = dT/d(index r) index c
CUPYSIM_FUNCTION void add_products(const double along[3][LANES], const double indices[3][LANES], Columns& columns) {
    for (int row = 0; row < 3; ++row) {
        double *of_h = columns.of[INDICES + 3 * row], *of_k = of_h + LANES, *of_l = of_k + LANES;
        const double* slope = along[row];
        FOR_LANES(i) {
            of_h[i] += slope[i] * indices[0][i];
            of_k[i] += slope[i] * indices[1][i];
            of_l[i] += slope[i] * indices[2][i];
        }
    }
}

// If the indices S h of strained cells change because of h -> (1 + E) h, dT = (S^T dT/d(S h)) E (S^-1 (S h)).
CUPYSIM_FUNCTION void add_index_columns(const Launch& launch, const LatticeDerivatives& term,
                                        const double indices[3][LANES], Int orientation, Columns& columns) {
    if (launch.n_strained == 0) {
        add_products(term.along, indices, columns);
        return;
    }
    const Strain strain = launch.strains[orientation % launch.n_strained];
    double along[3][LANES], unstrained[3][LANES];
    FOR_LANES(i) {
        const auto slope = times_matrix(strain.transposed, term.along[0][i], term.along[1][i], term.along[2][i]);
        const auto index = times_matrix(strain.inverse, indices[0][i], indices[1][i], indices[2][i]);
        along[0][i] = slope.h, along[1][i] = slope.k, along[2][i] = slope.l;
        unstrained[0][i] = index.h, unstrained[1][i] = index.k, unstrained[2][i] = index.l;
    }
    add_products(along, unstrained, columns);
}

// dT/dq = a dT/dh + b dT/dk + c dT/dl
CUPYSIM_FUNCTION void add_scattering(const LatticeDerivatives& term, const double* matrix, RaySums& sums) {
    FOR_LANES(i) {
        const double h = term.along[0][i], k = term.along[1][i], l = term.along[2][i];
        sums.scattering[0][i] += matrix[0] * h + matrix[3] * k + matrix[6] * l;
        sums.scattering[1][i] += matrix[1] * h + matrix[4] * k + matrix[7] * l;
        sums.scattering[2][i] += matrix[2] * h + matrix[5] * k + matrix[8] * l;
    }
}

// dT/dsize = F_cell^2 w d(F_latt^2)/dsize
template <Shape shape>
CUPYSIM_FUNCTION void add_size_columns(const LatticeDerivatives& term, const double scale[LANES], Columns& columns) {
    for (int number = 0; number < SpotShape<shape>::N_SIZES; ++number) {
        double* column = columns.of[SIZES + number];
        FOR_LANES(i) column[i] += scale[i] * term.sizes[number][i];
    }
}

// A spread turns or strains the cells of a domain: dT/dspread = T_h (da/dspread).q + ... The derivatives of an
// orientation with respect to the spreads follow each other.
CUPYSIM_FUNCTION void add_spread_columns(const Launch& launch, const LatticeDerivatives& term,
                                         const Scattering<Double>& q, const double* matrix_derivatives,
                                         Columns& columns) {
    CUPYSIM_ROLLED
    for (Int spread = 0; spread < launch.n_spreads; ++spread) {
        double* column = columns.of[SPREAD + spread];
        for (int axis = 0; axis < 3; ++axis) {
            const double* row = matrix_derivatives + spread * Double::MATRIX_SIZE + 3 * axis;
            FOR_LANES(i) column[i] += term.along[axis][i] * (row[0] * q.x[i] + row[1] * q.y[i] + row[2] * q.z[i]);
        }
    }
}

// Adds the terms T of one orientation, and their derivatives, to the sums and columns.
template <Shape shape, Factors factors>
CUPYSIM_FUNCTION void add_orientation(const Launch& launch, const RayConstants<Double>& ray,
                                      const CrystalConstants<Double>& crystal, Int orientation, const double* matrix,
                                      const double* matrix_derivatives, RaySums& sums, Columns& columns) {
    const Int groups = launch.groups;
    double indices[3][LANES], scale[LANES];
    Offsets<Double> offsets;
    FactorDerivatives factor;
    LatticeDerivatives term;
    if constexpr (factors == TRICUBIC) {
        for (int i = 0; i < LANES; ++i) index_of_lane<factors>(ray, matrix, i, indices, offsets, factor);
    } else {
        FOR_LANES(i) index_of_lane<factors>(ray, matrix, i, indices, offsets, factor);
    }
    if constexpr (factors != CONSTANT) {
        double largest = 0.0;
        for (int i = 0; i < LANES; ++i) largest = larger(factor.value[i] * factor.value[i], largest);
        if (!(largest > 0.0)) return;
    }
    FOR_LANES(i) SpotShape<shape>::derivatives(crystal, offsets.at(i), i, term);
    // size derivatives of Gaussian spots need only F_latt^2; computed here, they would occupy registers
    constexpr bool is_late = SpotShape<shape>::N_SIZES > 3;
    if (!is_late && (groups & OF_SIZES)) {
        FOR_LANES(i) SpotShape<shape>::size_derivatives(crystal, offsets.at(i), i, term);
    }
    // turn derivatives of F_latt^2 into those of T
    FOR_LANES(i) {
        const double f = factor.value[i];
        // rays beyond the resolution limit must not add 0 times infinity
        scale[i] = ray.active[i] != 0.0 ? f * f * ray.scale[i] : 0.0;
        if constexpr (factors == TRICUBIC) {
            const double twice = ray.active[i] != 0.0 ? 2.0 * f * ray.scale[i] * term.square[i] : 0.0;
            for (int axis = 0; axis < 3; ++axis) {
                term.along[axis][i] = scale[i] * term.along[axis][i] + twice * factor.along[axis][i];
            }
        } else {
            for (int axis = 0; axis < 3; ++axis) term.along[axis][i] *= scale[i];
        }
        sums.terms[i] += scale[i] * term.square[i];
    }
    if (is_late && (groups & OF_SIZES)) {
        FOR_LANES(i) SpotShape<shape>::size_derivatives(crystal, offsets.at(i), i, term);
    }
    if (groups & OF_SIZES) add_size_columns<shape>(term, scale, columns);
    if (groups & OF_INDICES) add_index_columns(launch, term, indices, orientation, columns);
    if (groups & (OF_PANEL | OF_SOURCES)) add_scattering(term, matrix, sums);
    if (groups & OF_SPREAD) add_spread_columns(launch, term, ray.q, matrix_derivatives, columns);
}

// Adds the diffuse scattering of one orientation, and its derivatives, to the sums and columns.
template <Factors factors>
CUPYSIM_FUNCTION void add_diffuse(const Launch& launch, const RayConstants<Double>& ray, Int orientation,
                                  const double* matrix, const double* matrix_derivatives, RaySums& sums,
                                  DiffuseColumns& columns) {
    const Int groups = launch.groups;
    double indices[3][LANES], scale[LANES];
    BlockIndices at;
    DiffuseSlopes found;
    LatticeDerivatives term;
    block_indices(ray.q, matrix, ray.grid, at);
    diffuse_slopes<factors>(launch, ray.table, at, found);
    FOR_LANES(i) {
        scale[i] = ray.active[i] != 0.0 ? launch.diffuse_scale * ray.scale[i] : 0.0;
        sums.terms[i] += scale[i] * found.value[i];
        for (int axis = 0; axis < 3; ++axis) {
            indices[axis][i] = at.nearest[axis][i] + at.offset[axis][i];
            term.along[axis][i] = scale[i] * found.along[axis][i];
        }
    }
    if (groups & OF_FORMS) {
        for (int number = 0; number < FORM_ELEMENTS; ++number) {
            FOR_LANES(i) columns.of_forms[number][i] += scale[i] * found.halo[number][i];
            FOR_LANES(i) columns.of_forms[FORM_ELEMENTS + number][i] += scale[i] * found.displacement[number][i];
        }
        FOR_LANES(i) columns.of_forms[LOG_SCALE - FORMS][i] += scale[i] * found.value[i];
    }
    if (groups & OF_INDICES) add_index_columns(launch, term, indices, orientation, columns);
    if (groups & (OF_PANEL | OF_SOURCES)) add_scattering(term, matrix, sums);
    if (groups & OF_SPREAD) add_spread_columns(launch, term, ray.q, matrix_derivatives, columns);
}

// The columns of the panel, from a ray's photons I and their derivatives with respect to q and to the
// variables of the weight. If a point of the panel at r = R d moves by dr,
//     d changes by (dr - d (d.dr))/R, q by that divided by lambda, and log R by d.dr/R.
// With G = dI/dd at constant R: dI/dr = (G - d (d.G) + d dI/dlog R)/R.
CUPYSIM_FUNCTION void add_panel_columns(const Launch& launch, const PixelBlock& pixels, const Ray& ray,
                                        const Source& source, const double background[LANES], const RaySums& sums,
                                        Columns& columns) {
    const double wavenumber = 1.0 / source.wavelength;
    const double oversample = static_cast<double>(launch.oversample);
    const double fast_size = launch.pixel_fast / oversample, slow_size = launch.pixel_slow / oversample;
    const double depth = static_cast<double>(ray.layer) * launch.layer_step;
    double origin[3][LANES], normal[LANES];
    FOR_LANES(i) {
        const double d[3] = {pixels.x[i], pixels.y[i], pixels.z[i]};
        const double total = sums.terms[i] + background[i];
        const auto weight = weight_derivatives(launch, pixels, source, ray.layer, total, i);
        const double direction[3] = {sums.scattering[0][i] * wavenumber + weight.direction.h,
                                     sums.scattering[1][i] * wavenumber + weight.direction.k,
                                     sums.scattering[2][i] * wavenumber + weight.direction.l};
        const double along = direction[0] * d[0] + direction[1] * d[1] + direction[2] * d[2];
        const double inverse = reciprocal(pixels.airpath[i]);
        for (int axis = 0; axis < 3; ++axis) {
            origin[axis][i] = (direction[axis] + d[axis] * (weight.airpath - along)) * inverse;
            columns.of[ORIGIN + axis][i] += origin[axis][i];
        }
        columns.of[CLOSE][i] += weight.close;
        normal[i] = weight.normal;
    }
    if (!(launch.groups & OF_AXES)) return;
    // r = origin + f fast + s slow + depth normal
    const double sub_fast = static_cast<double>(ray.sub_fast), sub_slow = static_cast<double>(ray.sub_slow);
    FOR_LANES(i) {
        const double d[3] = {pixels.x[i], pixels.y[i], pixels.z[i]};
        const double f = sub_pixel_position(pixels.fast[i], oversample, sub_fast, fast_size);
        const double s = sub_pixel_position(pixels.slow[i], oversample, sub_slow, slow_size);
        for (int axis = 0; axis < 3; ++axis) {
            columns.of[FAST + axis][i] += f * origin[axis][i];
            columns.of[SLOW + axis][i] += s * origin[axis][i];
            columns.of[NORMAL + axis][i] += depth * origin[axis][i] + normal[i] * d[axis];
        }
    }
}

// The columns of the sources, from a ray's photons and their derivatives with respect to q = (d - i)/lambda. If the
// source's direction i changes by di and its wavelength by dlambda, q changes by -di/lambda - q dlambda/lambda, and
// the polarization factor K, a form of d, by dK.
CUPYSIM_FUNCTION void add_source_columns(const Launch& launch, const PixelBlock& pixels, Int number,
                                         const double background[LANES], const RaySums& sums, Columns& columns) {
    const Source& source = launch.sources[number];
    const double wavenumber = 1.0 / source.wavelength;
    const bool polarized = launch.polar_use == EACH;
    Scattering<Double> q;
    scattering_vector(pixels, source, q);
    CUPYSIM_ROLLED
    for (int which = 0; which < SOURCE_CHANGES; ++which) {
        const SourceChange change = launch.source_changes[number * SOURCE_CHANGES + which];
        const double* form = change.polarization;
        FOR_LANES(i) {
            const double of_polarization = polarized
                                               ? divided_out(sums.terms[i] + background[i], pixels.polar[i]) *
                                                     polarization_factor(form, pixels.x[i], pixels.y[i], pixels.z[i])
                                               : 0.0;
            columns.of[WAVELENGTH + which][i] +=
                of_polarization -
                sums.scattering[0][i] * (change.incident[0] * wavenumber + change.wavelength * q.x[i]) -
                sums.scattering[1][i] * (change.incident[1] * wavenumber + change.wavelength * q.y[i]) -
                sums.scattering[2][i] * (change.incident[2] * wavenumber + change.wavelength * q.z[i]);
        }
    }
}

// Adds the derivatives of the scattering of amorphous matter with respect to q.
CUPYSIM_FUNCTION void add_background_slopes(const Launch& launch, const PixelBlock& pixels, Int number, RaySums& sums) {
    if (!has_matter(launch) || launch.first_orientation != 0) return;
    const Source& source = launch.sources[number];
    const UsedFactors each = used_as(launch, EACH);
    Scattering<Double> q;
    scattering_vector(pixels, source, q);
    for (int i = 0; i < LANES; ++i) {
        const double length = length_of(q, i);
        const double weight = times_factors(each, pixels, i, term_weight(launch, pixels, source, i));
        const double slope = weight * amorphous_intensity(launch, length).derivative;
        const double along = length > 0.0 ? slope / length : 0.0;
        sums.scattering[0][i] += along * q.x[i];
        sums.scattering[1][i] += along * q.y[i];
        sums.scattering[2][i] += along * q.z[i];
    }
}

// Saves or restores the columns of a block from or to a launch's state.
template <bool save>
CUPYSIM_FUNCTION void copy_columns(const Launch& launch, Columns& columns, Int first) {
    for (int column = 0; column < FORMS; ++column) copy_state<save>(launch, first, column, columns.of[column]);
}

template <bool save>
CUPYSIM_FUNCTION void copy_columns(const Launch& launch, DiffuseColumns& columns, Int first) {
    for (int column = 0; column < COLUMNS; ++column) {
        copy_state<save>(launch, first, column, column_at(columns, column));
    }
}

// Writes dI/dparameter, the sum over the columns of Jacobian times column, for the lanes whose bits are set.
template <class SomeColumns>
CUPYSIM_FUNCTION void store_derivatives(const Launch& launch, const PixelBlock& pixels, SomeColumns& columns,
                                        unsigned long long lanes) {
    const double scale = launch.photons_per_squared_electron / launch.n_steps;
    for (Int number = 0; number < launch.n_parameters; ++number) {
        const double* row = launch.parameters + number * COLUMNS;
        const Int begin = launch.parameter_columns[2 * number], end = launch.parameter_columns[2 * number + 1];
        double derivatives[LANES];
        FOR_LANES(i) derivatives[i] = 0.0;
        for (Int column = begin; column < end; ++column) {
            const double weight = row[column] * scale;
            const double* values = column_at(columns, column);
            FOR_LANES(i) derivatives[i] += weight * values[i];
        }
        double* out = launch.derivatives + number * launch.derivatives_stride - launch.image_first;
        for (int i = 0; i < LANES; ++i) {
            if (lanes >> i & 1) out[pixels.numbers[i]] = derivatives[i];
        }
    }
}

CUPYSIM_FUNCTION void clear(Columns& columns) {
    for (int column = 0; column < FORMS; ++column) {
        FOR_LANES(i) columns.of[column][i] = 0.0;
    }
}

CUPYSIM_FUNCTION void clear(DiffuseColumns& columns) {
    for (int column = 0; column < COLUMNS; ++column) {
        double* values = column_at(columns, column);
        FOR_LANES(i) values[i] = 0.0;
    }
}

CUPYSIM_FUNCTION void clear(RaySums& sums) {
    FOR_LANES(i) sums.terms[i] = sums.scattering[0][i] = sums.scattering[1][i] = sums.scattering[2][i] = 0.0;
}

// Adds a ray, or a part of it, to the columns, after its orientations.
CUPYSIM_FUNCTION void add_ray(const Launch& launch, const PixelBlock& pixels, const Ray& ray,
                              const double background[LANES], const RaySums& sums, Columns& columns) {
    if (launch.groups & OF_PANEL) {
        add_panel_columns(launch, pixels, ray, launch.sources[ray.source], background, sums, columns);
    }
    if (launch.groups & OF_SOURCES) add_source_columns(launch, pixels, ray.source, background, sums, columns);
    FOR_LANES(i) columns.of[PHOTONS][i] += sums.terms[i] + background[i];
}

// Differentiates a block of pixels, which begins at `first`, over all rays and orientations of the launch. With
// `diffuse`, the terms are those of diffuse scattering; the spot shape is then not used.
template <Shape shape, Factors factors, bool diffuse = false>
CUPYSIM_FUNCTION void differentiate_block(const Launch& launch, Int first) {
    static_assert(SpotShape<shape>::HAS_DERIVATIVES, "this shape has no derivatives");
    PixelBlock pixels;
    number_pixels(launch, pixels, first);
    reset(launch, pixels);
    typename ColumnsFor<diffuse>::Type columns;
    clear(columns);
    if (!launch.is_first_part) copy_columns<false>(launch, columns, first);
    Ray ray = ray_of(launch, launch.first_ray);
    for (Int n = 0; n < launch.n_rays; ++n, next_ray(launch, ray)) {
        // after `prepare_ray`, `total` is the background of the ray
        FOR_LANES(i) pixels.total[i] = 0.0;
        RayConstants<Double> constants;
        const bool is_reached = prepare_ray(launch, pixels, ray, n == 0, constants);
        double background[LANES];
        RaySums sums;
        FOR_LANES(i) background[i] = pixels.total[i];
        clear(sums);
        CrystalConstants<Double> crystal;
        for (Int j = 0; is_reached && j < launch.n_orientations; ++j) {
            const Int orientation = launch.first_orientation + j, place = orientation - launch.first_matrix;
            const Int each = launch.orientations_each;
            if (j == 0 || orientation % each == 0) crystal = crystal_constants<Double>(launch, orientation / each);
            const double* matrix = matrix_of<Double>(launch, orientation);
            const double* derivatives = launch.matrix_derivatives + place * launch.n_spreads * Double::MATRIX_SIZE;
            if constexpr (diffuse) {
                add_diffuse<factors>(launch, constants, orientation, matrix, derivatives, sums, columns);
            } else {
                add_orientation<shape, factors>(launch, constants, crystal, orientation, matrix, derivatives, sums,
                                                columns);
            }
        }
        add_background_slopes(launch, pixels, ray.source, sums);
        add_ray(launch, pixels, ray, background, sums, columns);
    }
    if (launch.is_last_part) {
        const int n = lanes_in_use(launch, first);
        store_derivatives(launch, pixels, columns, n < 64 ? (1ull << n) - 1 : ~0ull);
    } else {
        copy_columns<true>(launch, columns, first);
    }
}

}  // namespace cupysim
