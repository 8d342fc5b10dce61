// philox: dropout, four elements to a thread; the gradient is the same with dy for x.
//
// Idea: random numbers are a function of (seed, step, stream, element), not a state that threads
//   would share: any thread can draw any element's word, in any order, and the gradient draws the
//   mask again instead of keeping it. Philox gives four words at once, hence four elements to a
//   thread. A unit stays if its word is below the threshold, and is scaled up.
// Grid: one thread for each four elements, striding over what is left. Shared memory: none.
// Takes: every shape, float and double; the mask is that of every other backend, bit for bit.
// Next rung: the four elements as one float4 (vectorised).
#include "common.cuh"

extern "C" __global__ void dropout(
    REAL* y, const REAL* x, const unsigned long long* seed, const long long* step,
    const long long* stream, unsigned long long threshold, REAL gain, INDEX size, INDEX count
) {
    GRID_STRIDE(i, count) {
        const Words drawn = philox(i, (unsigned)step[0], (unsigned)stream[0], seed[0]);
        for (int lane = 0; lane < 4; ++lane) {
            const INDEX at = 4 * i + lane;
            if (at < size) y[at] = x[at] * (drawn.word[lane] < threshold ? gain : 0);
        }
    }
}
