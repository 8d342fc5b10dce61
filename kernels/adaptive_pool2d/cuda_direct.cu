// direct: adaptive average pooling, one thread per output; the gradient, one thread per input.
//
// Idea: output i of P is the mean of the elements [floor(i H / P), ceil((i + 1) H / P)). Turned
//   round, element h lies in the bins [floor(h P / H), ceil((h + 1) P / H)): the gradient gathers
//   from those, in order, and nothing is added atomically. Rows are summed first and then added
//   up, which keeps a plane's rounding errors down to those of its rows.
// Grid: one thread for each result, striding over what is left. Shared memory: none.
// Takes: every shape, float and double.
// Next rung: a mean over the whole plane (global pooling) leaves most of the GPU idle, and threads
//   next to each other read a plane apart; a warp for each plane reads it together (warp).
#include "bins.cuh"

__device__ REAL bin_sum(const REAL* plane, Bins shape, INDEX p, INDEX q) {
    const INDEX left = begin_of(q, shape.w, shape.q), right = end_of(q, shape.w, shape.q);
    REAL sum = 0;
    for (INDEX row = begin_of(p, shape.h, shape.p); row < end_of(p, shape.h, shape.p); ++row) {
        REAL along = 0;
        for (INDEX col = left; col < right; ++col) along += plane[row * shape.w + col];
        sum += along;
    }
    return sum;
}

extern "C" __global__ void adaptive_avg_pool2d(
    REAL* y, const REAL* x, Bins shape, INDEX count
) {
    GRID_STRIDE(i, count) {
        const INDEX q = i % shape.q, p = i / shape.q % shape.p, plane = i / shape.q / shape.p;
        const REAL sum = bin_sum(x + plane * shape.h * shape.w, shape, p, q);
        y[i] = sum / elements(shape, p, q);
    }
}

__device__ REAL element_sum(const REAL* dy, Bins shape, INDEX row, INDEX col) {
    const INDEX left = begin_of(col, shape.q, shape.w), right = end_of(col, shape.q, shape.w);
    REAL sum = 0;
    for (INDEX p = begin_of(row, shape.p, shape.h); p < end_of(row, shape.p, shape.h); ++p)
        for (INDEX q = left; q < right; ++q)
            sum += dy[p * shape.q + q] / elements(shape, p, q);
    return sum;
}

extern "C" __global__ void adaptive_avg_pool2d_backward(
    REAL* dx, const REAL* dy, Bins shape, INDEX count
) {
    GRID_STRIDE(i, count) {
        const INDEX col = i % shape.w, row = i / shape.w % shape.h, plane = i / shape.w / shape.h;
        dx[i] = element_sum(dy + plane * shape.p * shape.q, shape, row, col);
    }
}
