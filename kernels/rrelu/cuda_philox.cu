// philox: randomised leaky ReLU, four elements to a thread; the gradient draws the slopes again.
//
// Idea: a slope is a function of (seed, step, stream, element), as dropout's mask: any thread can
//   draw it, and the backward pass draws it again instead of reading it. Philox gives four words at
//   once, hence four elements to a thread. The slope is worked out in float whatever REAL is, with
//   product and sum each rounded (fused they would differ in the last bit from other backends).
// Grid: one thread for each four elements, striding over what is left. Shared memory: none.
// Takes: every shape, float and double; the slopes are those of every other backend, bit for bit.
// Next rung: four elements as one float4; a block of words is drawn even where all four x are
//   above 0 and need none.
#include "common.cuh"

// The slope that a word stands for: its upper 24 bits as a number in [0, 1), then stretched.
__device__ inline REAL slope_of(unsigned word, float lower, float span) {
    const float share = (float)(word >> 8) * 5.9604644775390625e-8f;  // 2^-24
    return __fadd_rn(lower, __fmul_rn(span, share));
}

// out = values * slope where x <= 0, else values.
__device__ void times_slopes(
    REAL* out, const REAL* values, const REAL* x, const unsigned long long* seed,
    const long long* step, const long long* stream, float lower, float span, INDEX size,
    INDEX count
) {
    GRID_STRIDE(i, count) {
        const Words drawn = philox(i, (unsigned)step[0], (unsigned)stream[0], seed[0]);
        for (int lane = 0; lane < 4; ++lane) {
            const INDEX at = 4 * i + lane;
            if (at >= size) continue;
            const REAL slope = slope_of(drawn.word[lane], lower, span);
            out[at] = x[at] <= 0 ? slope * values[at] : values[at];
        }
    }
}

extern "C" __global__ void rrelu(
    REAL* y, const REAL* x, const unsigned long long* seed, const long long* step,
    const long long* stream, float lower, float span, INDEX size, INDEX count
) {
    times_slopes(y, x, x, seed, step, stream, lower, span, size, count);
}

extern "C" __global__ void rrelu_backward(
    REAL* dx, const REAL* dy, const REAL* x, const unsigned long long* seed,
    const long long* step, const long long* stream, float lower, float span, INDEX size,
    INDEX count
) {
    times_slopes(dx, dy, x, seed, step, stream, lower, span, size, count);
}
