// warp: average pooling over large windows, one warp for each output.
//
// Idea: the 32 lanes of a warp go over a window together, row-major, each to every 32nd position,
//   and five shuffles add up what they hold, always in the same order. A window as wide as the
//   image is so read in whole sectors; and few outputs still make 32 times as many threads.
// Grid: one warp for each output, striding over what is left. Shared memory: none.
// Takes: every shape (padding on four sides, ceil_mode), float and double.
// Next rung: windows of fewer than 32 positions leave lanes idle; a part of a warp for each would
//   not. Large windows that overlap add up the same rows again: sums of the columns first, then of
//   the rows, need R + S additions for each output and not R S.
#include "windows.cuh"

#define LANES 32

// The lane's part of a window's sum.
__device__ REAL lane_sum(const REAL* plane, Pool2d pool, INDEX p, INDEX q) {
    LongSum sum;
    for (INDEX e = threadIdx.x % LANES; e < pool.r * pool.s; e += LANES) {
        const INDEX row = first_row(pool, p) + e / pool.s * pool.dilation_h;
        const INDEX col = first_col(pool, q) + e % pool.s * pool.dilation_w;
        if (inside(row, pool.h) && inside(col, pool.w)) sum.add(plane[row * pool.w + col]);
    }
    return sum.value();
}

extern "C" __global__ void avg_pool2d(REAL* y, const REAL* x, Pool2d pool, INDEX count) {
    WARP_STRIDE(i, count) {
        const INDEX q = i % pool.q, p = i / pool.q % pool.p, plane = i / pool.q / pool.p;
        const REAL sum = warp_sum(lane_sum(x + plane * pool.h * pool.w, pool, p, q));
        if (threadIdx.x % LANES == 0) y[i] = sum / divisor(pool, p, q);
    }
}
