// direct: local response normalisation, one thread per element; the gradient in two launches.
//
// Idea: a thread adds up the squares of its window of channels in order. A sum that slides along
//   the channels would take fewer additions, but what it takes out again leaves its rounding
//   behind. The gradient's first launch finds for every element both of its shares: what goes
//   straight back, and its pull on the window; the second adds up the pulls of the windows that
//   hold an element, which is the window mirrored. Each divisor is so computed once, not once for
//   every channel of a window. The usual power 3/4 is two square roots.
// Grid: one thread for each element, striding over what is left; threads next to each other own
//   positions next to each other, so that every read coalesces.
// Shared memory: none.
// Takes: every shape, windows of odd and even size and wider than the channels, float and double.
// Next rung: an element is read again for every window that holds it, mostly from the cache. A
//   thread that walks along the channels of one position keeps a window's squares in registers;
//   the pooling that follows it in AlexNet could be done in the same pass.
#include "common.cuh"

// Channel c is normalised by the channels c - before .. c + after that exist.
struct Window {
    INDEX channels, positions, before, after;
};

__device__ inline float root(float x) { return sqrtf(x); }
__device__ inline double root(double x) { return sqrt(x); }
__device__ inline float raised(float x, float y) { return powf(x, y); }
__device__ inline double raised(double x, double y) { return pow(x, y); }

// The sum over element i's channels c - before .. c + after.
template <bool SQUARES>
__device__ REAL window_sum(const REAL* x, INDEX i, INDEX before, INDEX after, Window window) {
    const INDEX channel = i / window.positions % window.channels;
    const INDEX first = lesser(before, channel);
    const INDEX last = lesser(after, window.channels - 1 - channel);
    LongSum sum;
    for (INDEX step = -first; step <= last; ++step) {
        const REAL value = x[i + step * window.positions];
        sum.add_product(value, SQUARES ? value : 1);
    }
    return sum.value();
}

__device__ inline REAL divisor(const REAL* x, INDEX i, REAL alpha, REAL k, Window window) {
    const REAL squares = window_sum<true>(x, i, window.before, window.after, window);
    return multiply_add(alpha, squares, k);
}

// d^-beta
__device__ inline REAL power(REAL d, REAL beta) {
    if (beta != (REAL)0.75) return raised(d, -beta);
    const REAL half = root(d);
    return 1 / (half * root(half));
}

extern "C" __global__ void lrn(
    REAL* y, const REAL* x, REAL alpha, REAL beta, REAL k, Window window, INDEX count
) {
    GRID_STRIDE(i, count) y[i] = x[i] * power(divisor(x, i, alpha, k, window), beta);
}

extern "C" __global__ void lrn_shares(
    REAL* straight, REAL* pull, const REAL* dy, const REAL* x, REAL alpha, REAL beta, REAL k,
    Window window, INDEX count
) {
    GRID_STRIDE(i, count) {
        const REAL d = divisor(x, i, alpha, k, window);
        const REAL share = dy[i] * power(d, beta);
        straight[i] = share;
        pull[i] = share * x[i] / d;
    }
}

// dx holds what goes straight back; `factor` is 2 alpha beta.
extern "C" __global__ void lrn_backward(
    REAL* dx, const REAL* pull, const REAL* x, REAL factor, Window window, INDEX count
) {
    GRID_STRIDE(i, count) {
        const REAL pulls = window_sum<false>(pull, i, window.after, window.before, window);
        dx[i] = multiply_add(-factor * x[i], pulls, dx[i]);
    }
}
