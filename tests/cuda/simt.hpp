// What the kernel's source needs of a GPU, on a CPU: the threads of a block take turns, and the operations of a
// warp wait for all its threads. It is put before the source (`simt.py`).
#pragma once
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <cstdint>
#include <cstring>

#define __CUDACC__ 1
#define __device__
#define __global__
#define __forceinline__ inline
#define __shared__ static
#define __launch_bounds__(...)

struct Place3 {
    unsigned x, y, z;
};
static Place3 blockIdx, threadIdx;

static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline double __dadd_ru(double a, double b) {
    const double sum = a + b, other = sum - a, rest = (a - (sum - other)) + (b - other);
    return rest > 0.0 ? nextafter(sum, INFINITY) : sum;
}
template <class To, class From>
static inline To simt_bits(From from) {
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
static inline float __int_as_float(int bits) { return simt_bits<float>(bits); }
static inline int __float_as_int(float x) { return simt_bits<int>(x); }
static inline int __double2loint(double x) { return static_cast<int>(simt_bits<std::int64_t>(x)); }
static inline long long __double_as_longlong(double x) { return simt_bits<std::int64_t>(x); }
static inline double __longlong_as_double(long long bits) { return simt_bits<double>(bits); }
static inline unsigned long long atomicAdd(unsigned long long* sum, unsigned long long more) {
    const unsigned long long before = *sum;
    *sum = before + more;
    return before;
}
static inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
// as inaccurate as the instruction
static inline double simt_reciprocal(double x) {
    return simt_bits<double>(simt_bits<std::int64_t>(1.0 / x) & ~0xffffffffll);
}
static inline float simt_reciprocal(float x) { return 1.0f / x * (1.0f + 1e-7f); }

namespace simt {

constexpr unsigned MOST = 128, WARP = 32;
constexpr size_t STACK = 1 << 18;

struct Thread {
    ucontext_t context;
    jmp_buf place;
    char* stack;
    bool begun, ended;
    unsigned rounds;  // operations of its warp so far
};

static Thread threads[MOST];
static unsigned current;
static jmp_buf scheduler;
static void (*body)();

// Of each thread of a block, for two rounds: what it gives, and which operation it is at.
static double given[2][MOST];
static int at[2][MOST];

static void enter() {
    body();
    threads[current].ended = true;
    _longjmp(scheduler, 1);
}

static void wait() {
    if (_setjmp(threads[current].place) == 0) _longjmp(scheduler, 1);
    threadIdx.x = current;
}

// Gives a value to the warp, and returns those of all its threads.
static const double* exchange(double value, int operation) {
    const unsigned mine = current, round = threads[mine].rounds % 2, rounds = ++threads[mine].rounds;
    given[round][mine] = value;
    at[round][mine] = operation;
    wait();
    const unsigned first = mine / WARP * WARP;
    for (unsigned i = first; i < first + WARP; ++i) {
        if (at[round][i] != operation || threads[i].rounds < rounds) {
            fprintf(stderr, "thread %u is at operation %d, thread %u at %d\n", mine, operation, i, at[round][i]);
            abort();
        }
    }
    return given[round] + first;
}

template <class T>
static T shuffle_xor(T value, int distance, int operation) {
    return static_cast<T>(exchange(static_cast<double>(value), operation)[current % WARP ^ distance]);
}

static unsigned ballot(bool value, int operation) {
    const double* all = exchange(value ? 1.0 : 0.0, operation);
    unsigned bits = 0;
    for (unsigned i = 0; i < WARP; ++i) bits |= (all[i] != 0.0 ? 1u : 0u) << i;
    return bits;
}

// Runs the threads of a block in turns, until all have ended.
static void run_block(unsigned n_threads, void (*kernel)()) {
    body = kernel;
    for (unsigned i = 0; i < n_threads; ++i) {
        Thread& thread = threads[i];
        if (thread.stack == nullptr) thread.stack = static_cast<char*>(malloc(STACK));
        thread.begun = thread.ended = false;
        thread.rounds = 0;
        at[0][i] = at[1][i] = -1;
        getcontext(&thread.context);
        thread.context.uc_stack.ss_sp = thread.stack;
        thread.context.uc_stack.ss_size = STACK;
        thread.context.uc_link = nullptr;
        makecontext(&thread.context, enter, 0);
    }
    for (unsigned left = n_threads; left > 0;) {
        left = 0;
        for (unsigned i = 0; i < n_threads; ++i) {
            if (threads[i].ended) continue;
            current = threadIdx.x = i;
            if (_setjmp(scheduler) == 0) {
                if (threads[i].begun) _longjmp(threads[i].place, 1);
                threads[i].begun = true;
                setcontext(&threads[i].context);
            }
            if (!threads[current].ended) ++left;
        }
    }
}

}  // namespace simt

#define __shfl_xor_sync(mask, value, distance) simt::shuffle_xor(value, distance, __COUNTER__)
#define __ballot_sync(mask, value) simt::ballot(value, __COUNTER__)
#define __syncwarp() (void)simt::exchange(0.0, __COUNTER__)
#define __syncthreads() simt::wait()
