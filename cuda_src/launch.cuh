// The arguments of a launch: the numbers of a render plan for one image, and the pixels and steps to compute.
// `cupysim/backends/compiled/records.py` reads these structs, so each member needs a line of its own. Members
// with the name of a field of the plan are filled automatically.
//
// Lengths are in m, scattering vectors in 1/m, solid angles in sr.
#pragma once
#include "portable.cuh"

namespace cupysim {

// How a factor that varies within a pixel enters the sum of the pixel. ONCE: its first value multiplies the
// whole sum (quirks Q15, Q21). RUNNING: each value multiplies the sum so far (quirk Q14). EACH: each value
// multiplies its own term.
enum Use { ONCE, RUNNING, EACH };

// Groups of derivatives, as bits; see `Column` in `gradient.cuh`.
enum Group { OF_INDICES = 1, OF_PANEL = 2, OF_AXES = 4, OF_SOURCES = 8, OF_SIZES = 16, OF_SPREAD = 32, OF_FORMS = 64 };

struct Source {
    double incident[3];  // direction of flight
    double wavelength;
    double polarization[6];  // see `polarization_factor`
    double weight;  // brightness, 1 on average
    Int channel;  // of structure factors
};

// How a source changes with a parameter of the beam.
struct SourceChange {
    double wavelength;  // derivative of its logarithm
    double incident[3];
    double polarization[6];
};

// Strain of the cells of a mosaic domain: strained cells have the Miller indices S h.
struct Strain {
    double transposed[9];
    double inverse[9];
};

struct Crystal {
    double n_cells[3];
    double height;  // largest F_latt of Gaussian and top-hat spots
    // Rows of the matrix that measures distances for Gaussian and top-hat spots, divided by sqrt(0.63): a*, b*,
    // c* (1/Angstrom) times Na Nb Nc (quirk Q6), or the matrix of Na, Nb, Nc, or others.
    double spot_axes[9];
    // numbers that divide derivatives with respect to h, k, l in their bounds: Na, Nb, Nc, or lengths of the
    // vectors that measure distances
    double sharpness[3];
    // lower bounds of the squared distance y (without fudge) for offsets of at least h, k, l: the sum of
    // distance_sum h^2, ..., and each of distance_each h^2, ...
    double distance_sum[3];
    double distance_each[3];
};

// Amorphous matter of one kind.
struct Material {
    double molecules;  // times the number of orientations
    Int first_interval;
    Int n_intervals;
};

// F(|q|) of a material from `begin` (1/m) to the next interval, as a polynomial of |q| - begin.
struct FactorInterval {
    double begin;
    double coefficients[4];
};

// Forms of an operation of the Laue group, and the operation's matrix, which acts on indices; see `diffuse.cuh` and
// `diffuse_slopes.cuh`.
struct DiffuseOperation {
    double halo[9];
    double displacement[9];
    double turn[9];
};

// Neighbouring orientations of one crystal, which a render within a tolerance tests together.
struct OrientationGroup {
    Int first;
    Int count;
    Int crystal;
    double reference[9];  // rows a, b, c (m), their means
    double lengths[3];  // largest |a|, |b|, |c|
    double spreads[3];  // largest distance of a, b, c from the reference
};

struct Launch {
    // results: photons by pixel number, beginning with image_first; solid angles by block of pixels; the
    // others by place in the launch
    float* image;
    Int image_first;
    double* omega_sums;
    double* state;
    Int* found;
    double* found_indices;

    // pixels: a list of numbers slow*n_fast + fast; without a list, the region
    const Int* numbers;
    Int first_pixel;
    Int n_pixels;
    Int first_row;
    Int first_column;
    Int n_columns;
    Int n_fast;

    // steps: rays count layer, slow sub-pixel, fast sub-pixel and source (fastest); orientations count
    // crystal, spindle angle and domain (fastest)
    Int first_ray;
    Int n_rays;
    Int first_orientation;
    Int n_orientations;
    Int is_first_part;
    Int is_last_part;

    // panel
    double origin[3];
    double fast[3];
    double slow[3];
    double normal[3];
    double close_distance;
    double pixel_fast;
    double pixel_slow;
    double pixel_area;
    double layer_step;
    double attenuation;
    Int point_pixel;
    Int absorbs_all;
    Int n_layers;
    Int oversample;

    // a curved detector
    Int is_curved;
    Int bend_radial;
    double bend_radius;
    double bend_centre[3];
    double bend_axes[6];
    double bend_measures[6];
    double bend_offsets[2];

    // factors of the terms
    Int capture_use;
    Int polar_use;
    Int omega_use;
    Int polarized;
    double dmin;

    const Source* sources;
    Int n_sources;

    // orientations: their rows a, b, c (m), beginning with number first_matrix, as double or pairs of float
    const Crystal* crystals;
    Int n_crystals;
    Int orientations_each;
    const void* matrices;
    Int first_matrix;
    double fudge;
    double grid;  // 1.5 2^23 times the grid to which pairs of floats round products

    // structure factors divided by the largest one, with a border, and the square of the largest one
    const void* table;
    Int channel_size;
    Int table_shape[3];
    Int first_index[3];
    double constant_factor;
    double term_scale;

    // derivatives: groups of columns, rows of the Jacobian with COLUMNS numbers, and the first and last
    // column of a row that is not zero; results by parameter and pixel number, beginning with image_first
    Int groups;
    Int n_parameters;
    const double* parameters;
    const Int* parameter_columns;
    Int n_spreads;  // of rotations and of edges
    const double* matrix_derivatives;
    const SourceChange* source_changes;  // SOURCE_CHANGES for each source
    Int n_strained;  // domains with strained cells; zero if all cells are alike
    const Strain* strains;
    double* derivatives;
    Int derivatives_stride;

    // lists of structure factors by place in the launch: number of entries of a list, their places in the
    // table (negative if unused), and derivatives
    Int capacity;
    Int* entry_places;
    double* entry_values;

    // conversion of sums to photons
    double background;
    double ray_background;
    const Material* materials;
    Int n_materials;
    const FactorInterval* factor_intervals;

    // diffuse scattering
    const DiffuseOperation* diffuse_operations;
    Int n_operations;
    Int diffuse_neighbours;
    Int diffuse_only;
    Int as_diffbragg;
    Int of_rigid_cells;
    double diffuse_scale;
    Int has_background;
    double photons_per_squared_electron;
    double n_steps;

    // a render within `tolerated` photons: numbers of tiles and the bits of their pixels; groups of
    // orientations, whose matrices follow each other element by element; the largest factors of blocks of
    // the table; the number of terms computed for each tile
    double tolerated;
    double largest_kahn;  // largest absolute value of a Kahn factor
    const Int* tiles;
    const Int* tile_lanes;
    Int tiles_across;
    const OrientationGroup* orientation_groups;
    Int n_orientation_groups;
    const float* compact_matrices;
    Int compact_stride;
    const float* block_maxima;
    Int blocks_of_channel;
    Int* computed_terms;
    double largest_direct;  // the largest q at which 0 0 0 is the nearest reflection
};

}  // namespace cupysim
