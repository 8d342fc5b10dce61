// cached_filter: a block for each image and filter; the filter waits in shared memory.
// Grid: images * filters blocks of 128 threads. Shared memory: one filter.
// Takes: every shape without groups whose filter fits into 48 KiB; float and double.
// Every thread of the block uses the same filter: read once from global memory, then by all from
// shared memory. The barrier between the two is what `gpuconv check` misses when it is deleted.
#include "common.cuh"

struct Shape {
    int c, h, w, k, r, s, p, q;
    int stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;
    int has_bias, relu;
};

extern "C" __global__ void cached_filter(REAL* y, const REAL* x, const REAL* weight,
                                         const REAL* bias, Shape o) {
    extern __shared__ REAL filter[];
    const int k = blockIdx.x % o.k, taps = o.c * o.r * o.s;
    const INDEX n = blockIdx.x / o.k;
    for (int i = threadIdx.x; i < taps; i += blockDim.x) filter[i] = weight[(INDEX)k * taps + i];
    __syncthreads();
    for (int at = threadIdx.x; at < o.p * o.q; at += blockDim.x) {
        const int row0 = at / o.q * o.stride_h - o.pad_top;
        const int col0 = at % o.q * o.stride_w - o.pad_left;
        REAL sum = o.has_bias ? bias[k] : (REAL)0;
        for (int i = 0; i < taps; ++i) {
            const int row = row0 + i / o.s % o.r * o.dilation_h, col = col0 + i % o.s * o.dilation_w;
            if (row < 0 || row >= o.h || col < 0 || col >= o.w) continue;
            sum += x[((n * o.c + i / o.s / o.r) * o.h + row) * o.w + col] * filter[i];
        }
        y[((INDEX)blockIdx.x * o.p) * o.q + at] = o.relu && sum <= 0 ? (REAL)0 : sum;
    }
}
