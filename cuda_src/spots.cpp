// Predicted spots on a CPU, for ctypes.
#include "ewald_shell.cuh"
#include "spot_sums.cuh"

using namespace cupysim;

namespace {

template <Shape shape>
int add_spots(const SpotSearch& search) {
    if constexpr (SpotSection<shape>::EXISTS) {
        SpotSums<shape>(search).add_all();
        return 0;
    } else {
        (void)search;
        return 1;
    }
}

}  // namespace

extern "C" {

const char* cupysim_digest() { return CUPYSIM_DIGEST; }

// Sizes of the structs (bytes), which the Python code checks.
long long cupysim_shell_search_size() { return sizeof(ShellSearch); }
long long cupysim_spot_step_size() { return sizeof(SpotStep); }
long long cupysim_spot_search_size() { return sizeof(SpotSearch); }

// Finds reflections near the Ewald sphere, and returns their number, which may exceed the capacity.
long long cupysim_find_reflections(const ShellSearch* search) { return ShellReflections(*search).find(); }

// Whether there is a formula for the sections of a shape.
int cupysim_has_section(int number) {
    switch (number) {
#define CUPYSIM_CASE(name) \
    case name: return SpotSection<name>::EXISTS;
        CUPYSIM_SHAPES(CUPYSIM_CASE)
#undef CUPYSIM_CASE
    }
    return 0;
}

// Adds photons, places and excitations of reflections. Returns 1 if there is no formula for their shape, otherwise 0.
int cupysim_add_spots(const SpotSearch* search) {
    switch (search->shape) {
#define CUPYSIM_CASE(name) \
    case name: return add_spots<name>(*search);
        CUPYSIM_SHAPES(CUPYSIM_CASE)
#undef CUPYSIM_CASE
    }
    return 1;
}
}
