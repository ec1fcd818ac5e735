// What a launch is told: the numbers of a render plan for one image, and the
// pixels and steps to work through. One list serves the compilers and the
// Python side, which reads the lines FIELD(type, name, count) below.
//
// Lengths are in m, scattering vectors in 1/m, solid angles in sr.
#pragma once
#include "portable.cuh"

namespace cupysim {

// clang-format off
#define CUPYSIM_FIELDS(FIELD) \
    /* where results go: photons by pixel number, solid angles by block of pixels, the \
       others by place in the launch */ \
    FIELD(float*, image, 1) \
    FIELD(Int, image_first, 1) \
    FIELD(double*, omega_sums, 1) \
    FIELD(double*, state, 1) \
    FIELD(Int*, found, 1) \
    FIELD(double*, found_indices, 1) \
    /* pixels: a list of numbers slow*n_fast + fast, or the region if there is none */ \
    FIELD(const Int*, numbers, 1) \
    FIELD(Int, first_pixel, 1) \
    FIELD(Int, n_pixels, 1) \
    FIELD(Int, first_row, 1) \
    FIELD(Int, first_column, 1) \
    FIELD(Int, n_columns, 1) \
    FIELD(Int, n_fast, 1) \
    /* steps: rays count layer, slow and fast sub-pixel, source (fastest); orientations \
       count crystal, spindle angle, domain (fastest) */ \
    FIELD(Int, first_ray, 1) \
    FIELD(Int, n_rays, 1) \
    FIELD(Int, first_orientation, 1) \
    FIELD(Int, n_orientations, 1) \
    FIELD(Int, begins, 1) \
    FIELD(Int, ends, 1) \
    /* panel */ \
    FIELD(double, origin, 3) \
    FIELD(double, fast, 3) \
    FIELD(double, slow, 3) \
    FIELD(double, normal, 3) \
    FIELD(double, close_distance, 1) \
    FIELD(double, bend_radius, 1) \
    FIELD(double, bend_centre, 3) \
    FIELD(double, bend_axes, 6) \
    FIELD(double, bend_measures, 6) \
    FIELD(double, bend_offsets, 2) \
    FIELD(double, pixel_size, 1) \
    FIELD(double, pixel_area, 1) \
    FIELD(double, layer_step, 1) \
    FIELD(double, attenuation, 1) \
    FIELD(Int, curved, 1) \
    FIELD(Int, radial, 1) \
    FIELD(Int, point_pixel, 1) \
    FIELD(Int, absorbs_all, 1) \
    FIELD(Int, n_layers, 1) \
    FIELD(Int, oversample, 1) \
    FIELD(Int, capture_use, 1) \
    FIELD(Int, polar_use, 1) \
    FIELD(Int, omega_use, 1) \
    FIELD(double, dmin, 1) \
    /* sources: records of SOURCE_SIZE numbers */ \
    FIELD(const double*, sources, 1) \
    FIELD(Int, n_sources, 1) \
    FIELD(Int, polarized, 1) \
    /* crystals: records of CRYSTAL_SIZE numbers; orientations: rows a, b, c (m) of those \
       from first_matrix on, as double or as pairs of float */ \
    FIELD(const double*, crystals, 1) \
    FIELD(Int, n_crystals, 1) \
    FIELD(Int, orientations_each, 1) \
    FIELD(const void*, matrices, 1) \
    FIELD(Int, first_matrix, 1) \
    FIELD(double, fudge, 1) \
    FIELD(double, grid, 1) \
    /* structure factors divided by the largest, with a border, and its square */ \
    FIELD(const void*, table, 1) \
    FIELD(Int, channel_size, 1) \
    FIELD(Int, lengths, 3) \
    FIELD(Int, first_index, 3) \
    FIELD(double, constant_factor, 1) \
    FIELD(double, term_scale, 1) \
    /* gradients: which groups of columns, rows of slopes with COLUMNS numbers and the first and \
       last column which is not zero; results by parameter and pixel number, from image_first on */ \
    FIELD(Int, groups, 1) \
    FIELD(Int, n_parameters, 1) \
    FIELD(const double*, parameters, 1) \
    FIELD(const Int*, parameter_columns, 1) \
    FIELD(const double*, matrix_slopes, 1) \
    FIELD(const double*, source_slopes, 1) \
    FIELD(double*, slopes, 1) \
    FIELD(Int, slopes_stride, 1) \
    /* lists of structure factors by place in the launch: so many entries, places in the table \
       (negative where there is none yet), slopes */ \
    FIELD(Int, capacity, 1) \
    FIELD(Int*, entry_places, 1) \
    FIELD(double*, entry_values, 1) \
    /* sums to photons */ \
    FIELD(double, background, 1) \
    FIELD(double, ray_background, 1) \
    FIELD(Int, has_background, 1) \
    FIELD(double, photons_per_squared_electron, 1) \
    FIELD(double, n_steps, 1)
// clang-format on

#define CUPYSIM_DECLARE(type, name, count) type name[count];
struct Launch {
    CUPYSIM_FIELDS(CUPYSIM_DECLARE)
};
#undef CUPYSIM_DECLARE

// How a factor which varies within a pixel enters the pixel's sum: the first one multiplies the
// whole sum (quirks Q15, Q21), each multiplies the sum so far (quirk Q14), or each its own term.
enum Use { ONCE, RUNNING, EACH };

// A source: direction of flight, wavelength, the six numbers of its
// polarization factor (see polarization.cuh), its channel of structure factors and its brightness.
constexpr int SOURCE_SIZE = 12;
// A crystal: cells along a, b, c, and rows by which Gaussian and flat spots are measured: a*, b*, c*
// (1/Angstrom) times Na Nb Nc / sqrt(0.63) (quirk Q6), or a diagonal of Na, Nb, Nc over sqrt(0.63).
constexpr int CRYSTAL_SIZE = 12;

}  // namespace cupysim
