// warp: adaptive average pooling, one warp for each output; global average pooling's kernel.
//
// Idea: the 32 lanes of a warp go over a bin together, row-major, each to every 32nd element, and
//   five shuffles add up what they hold, always in the same order. Where a bin is as wide as the
//   plane, as in global pooling, lanes next to each other read elements next to each other; and
//   few outputs still make 32 times as many threads.
// Grid: one warp for each output, striding over what is left. Shared memory: none.
// Takes: every shape, float and double.
// Next rung: bins of fewer than 32 elements leave lanes idle; half a warp or less for each would
//   not. The plane was written by the layer before and is read only for this: summing it there
//   saves the pass.
#include "bins.cuh"

#define LANES 32

// The lane's part of a bin's sum.
__device__ REAL lane_sum(const REAL* plane, Bins shape, INDEX p, INDEX q) {
    const INDEX top = begin_of(p, shape.h, shape.p), left = begin_of(q, shape.w, shape.q);
    const INDEX cols = size_of(q, shape.w, shape.q);
    const INDEX size = size_of(p, shape.h, shape.p) * cols;
    LongSum sum;
    for (INDEX e = threadIdx.x % LANES; e < size; e += LANES)
        sum.add(plane[(top + e / cols) * shape.w + left + e % cols]);
    return sum.value();
}

extern "C" __global__ void adaptive_avg_pool2d(
    REAL* y, const REAL* x, Bins shape, INDEX count
) {
    WARP_STRIDE(i, count) {
        const INDEX q = i % shape.q, p = i / shape.q % shape.p, plane = i / shape.q / shape.p;
        const REAL sum = warp_sum(lane_sum(x + plane * shape.h * shape.w, shape, p, q));
        if (threadIdx.x % LANES == 0) y[i] = sum / elements(shape, p, q);
    }
}
