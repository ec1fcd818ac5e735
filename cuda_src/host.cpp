// Entries on a CPU: OpenMP threads share the blocks of pixels. Called through ctypes.
#include "factor_entries.cuh"
#include "gradient.cuh"
#include "search.cuh"

using namespace cupysim;

namespace {

using Block = void (*)(const Launch&, Int);

template <class Policy, Shape shape, Factors factors, bool running>
void render(const Launch& launch, Int first) {
    render_block<Policy, shape, factors, running>(launch, first);
}

template <Shape shape>
void search_stop(const Launch& launch, Int first) {
    Int found[LANES];
    double indices[3][LANES];
    find_interpolation_stop<shape>(launch, first, found, indices);
    for (int i = 0; i < lanes_in_use(launch, first); ++i) {
        launch.found[0][first + i] = found[i];
        for (int axis = 0; axis < 3; ++axis) launch.found_indices[0][3 * (first + i) + axis] = indices[axis][i];
    }
}

void search_first_ray(const Launch& launch, Int first) {
    Int found[LANES];
    find_first_ray(launch, first, found);
    for (int i = 0; i < lanes_in_use(launch, first); ++i) launch.found[0][first + i] = found[i];
}

template <class Policy, Shape shape, Factors factors>
Block choose_running(bool running) {
    return running ? render<Policy, shape, factors, true> : render<Policy, shape, factors, false>;
}

template <class Policy, Shape shape>
Block choose_factors(int factors, bool running) {
    switch (factors) {
        case CONSTANT: return choose_running<Policy, shape, CONSTANT>(running);
        case NEAREST: return choose_running<Policy, shape, NEAREST>(running);
        case TRICUBIC: return choose_running<Double, shape, TRICUBIC>(running);  // floats lose too much
        default: return nullptr;
    }
}

template <class Policy>
Block choose_shape(int shape, int factors, bool running) {
    switch (shape) {
        case SQUARE: return choose_factors<Policy, SQUARE>(factors, running);
        case ROUND: return choose_factors<Policy, ROUND>(factors, running);
        case GAUSS: return choose_factors<Policy, GAUSS>(factors, running);
        case TOPHAT: return choose_factors<Policy, TOPHAT>(factors, running);
        default: return nullptr;
    }
}

template <Shape shape, Factors factors>
void differentiate(const Launch& launch, Int first) {
    differentiate_block<shape, factors>(launch, first);
}

template <Shape shape, Factors factors>
void collect(const Launch& launch, Int first) {
    collect_block<shape, factors>(launch, first);
}

template <Shape shape>
Block choose_gradient(int factors, bool entries) {
    switch (factors) {
        case CONSTANT: return differentiate<shape, CONSTANT>;
        case NEAREST: return entries ? collect<shape, NEAREST> : differentiate<shape, NEAREST>;
        case TRICUBIC: return entries ? collect<shape, TRICUBIC> : differentiate<shape, TRICUBIC>;
        default: return nullptr;
    }
}

Block choose_search(int shape) {
    switch (shape) {
        case SQUARE: return search_stop<SQUARE>;
        case ROUND: return search_stop<ROUND>;
        case GAUSS: return search_stop<GAUSS>;
        case TOPHAT: return search_stop<TOPHAT>;
        default: return nullptr;
    }
}

// Launches that are carried out together have the same number of pixels. Without a block, the variant is
// not known: 1.
int run(Block block, const Launch* launches, Int n_launches, int threads) {
    if (block == nullptr) return 1;
    const Int each = (launches->n_pixels[0] + LANES - 1) / LANES, n_blocks = each * n_launches;
    if (threads > n_blocks) threads = static_cast<int>(n_blocks);
    // so many at a time that threads seldom meet, and few wait for the last
    const Int at_once = n_blocks < 64 * threads ? 1 : 8;
    (void)at_once;
#pragma omp parallel for num_threads(threads) schedule(dynamic, at_once)
    for (Int number = 0; number < n_blocks; ++number) {
        const Int which = n_launches == 1 ? 0 : number / each;
        block(launches[which], (number - which * each) * LANES);
    }
    return 0;
}

}  // namespace

extern "C" {

const char* cupysim_digest() { return CUPYSIM_DIGEST; }

// Pixels of a block.
int cupysim_lanes() { return LANES; }

// Size of the struct, for the Python side to check.
long long cupysim_launch_size() { return sizeof(Launch); }

// precision: 0 double, 1 mixed, 2 mixed with pairs of floats (for GPUs; here to be tested). Gives 1 where a
// variant is not known, else 0; so do the others.
int cupysim_render(const Launch* launches, int n_launches, int precision, int shape, int factors, int running,
                   int threads) {
    Block block = nullptr;
    switch (precision) {
        case 0: block = choose_shape<Double>(shape, factors, running != 0); break;
#ifdef CUPYSIM_WITH_PAIRS
        case 2: block = choose_shape<Pairs>(shape, factors, running != 0); break;
#endif
        case 1: block = choose_shape<Mixed>(shape, factors, running != 0); break;
    }
    return run(block, launches, n_launches, threads);
}

// Slopes with parameters, or entries of structure factors. Of flat spots there are none.
int cupysim_gradient(const Launch* launch, int shape, int factors, int entries, int threads) {
    Block block = nullptr;
    switch (shape) {
        case SQUARE: block = choose_gradient<SQUARE>(factors, entries != 0); break;
        case ROUND: block = choose_gradient<ROUND>(factors, entries != 0); break;
        case GAUSS: block = choose_gradient<GAUSS>(factors, entries != 0); break;
    }
    return run(block, launch, 1, threads);
}

int cupysim_find_first_ray(const Launch* launch, int threads) { return run(search_first_ray, launch, 1, threads); }

int cupysim_find_interpolation_stop(const Launch* launch, int shape, int threads) {
    return run(choose_search(shape), launch, 1, threads);
}
}
