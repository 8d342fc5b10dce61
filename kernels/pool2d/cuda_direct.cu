// direct: max and average pooling, one thread per output; gradients, one thread per input.
//
// Idea: a thread walks over its window in row-major order, so the first maximum is found first; it
//   keeps where the maximum was, and a NaN, once seen, stays (fmaxf would drop it). A gradient
//   gathers: each input element adds up what the windows that hold it hand back. Windows overlap,
//   so scattering would need atomics, and their order would differ from run to run.
// Grid: one thread for each result, striding over what is left. Shared memory: none.
// Takes: every shape (padding on four sides, dilation, ceil_mode), float and double.
// Next rung: windows that overlap read the same elements again; they mostly hit the L1 cache, so
//   a tile in shared memory pays only where windows are large. An average over a large window is a
//   long sum for one thread; a warp adds it up together (warp).
#include "windows.cuh"

// The flat index of the window's first maximum.
__device__ INDEX largest(const REAL* plane, Pool2d pool, INDEX p, INDEX q) {
    INDEX best = -1;
    for (INDEX r = 0; r < pool.r; ++r) {
        const INDEX row = first_row(pool, p) + r * pool.dilation_h;
        if (!inside(row, pool.h)) continue;
        for (INDEX s = 0; s < pool.s; ++s) {
            const INDEX col = first_col(pool, q) + s * pool.dilation_w;
            if (!inside(col, pool.w)) continue;
            const INDEX at = row * pool.w + col;
            const REAL value = plane[at];
            const bool better =
                best < 0 || value > plane[best] || (is_nan(value) && !is_nan(plane[best]));
            if (better) best = at;
        }
    }
    return best;
}

extern "C" __global__ void max_pool2d(
    REAL* y, int* index, const REAL* x, Pool2d pool, INDEX count
) {
    GRID_STRIDE(i, count) {
        const INDEX q = i % pool.q, p = i / pool.q % pool.p, plane = i / pool.q / pool.p;
        const REAL* start = x + plane * pool.h * pool.w;
        const INDEX at = largest(start, pool, p, q);
        y[i] = start[at];
        index[i] = (int)at;
    }
}

// What the windows whose maximum element `at` was hand back to it.
__device__ REAL max_gradient(
    const REAL* dy, const int* index, Pool2d pool, INDEX row, INDEX col
) {
    REAL sum = 0;
    for (INDEX r = 0; r < pool.r; ++r) {
        const INDEX down = row + pool.pad_top - r * pool.dilation_h;
        const INDEX p = window_at(down, pool.stride_h, pool.p);
        if (p < 0) continue;
        for (INDEX s = 0; s < pool.s; ++s) {
            const INDEX across = col + pool.pad_left - s * pool.dilation_w;
            const INDEX q = window_at(across, pool.stride_w, pool.q);
            if (q >= 0 && index[p * pool.q + q] == row * pool.w + col) sum += dy[p * pool.q + q];
        }
    }
    return sum;
}

extern "C" __global__ void max_pool2d_backward(
    REAL* dx, const REAL* dy, const int* index, Pool2d pool, INDEX count
) {
    GRID_STRIDE(i, count) {
        const INDEX col = i % pool.w, row = i / pool.w % pool.h, plane = i / pool.w / pool.h;
        const INDEX start = plane * pool.p * pool.q;
        dx[i] = max_gradient(dy + start, index + start, pool, row, col);
    }
}

__device__ REAL window_sum(const REAL* plane, Pool2d pool, INDEX p, INDEX q) {
    REAL sum = 0;
    for (INDEX r = 0; r < pool.r; ++r) {
        const INDEX row = first_row(pool, p) + r * pool.dilation_h;
        if (!inside(row, pool.h)) continue;
        REAL along = 0;
        for (INDEX s = 0; s < pool.s; ++s) {
            const INDEX col = first_col(pool, q) + s * pool.dilation_w;
            if (inside(col, pool.w)) along += plane[row * pool.w + col];
        }
        sum += along;
    }
    return sum;
}

extern "C" __global__ void avg_pool2d(REAL* y, const REAL* x, Pool2d pool, INDEX count) {
    GRID_STRIDE(i, count) {
        const INDEX q = i % pool.q, p = i / pool.q % pool.p, plane = i / pool.q / pool.p;
        y[i] = window_sum(x + plane * pool.h * pool.w, pool, p, q) / divisor(pool, p, q);
    }
}

__device__ REAL avg_gradient(const REAL* dy, Pool2d pool, INDEX row, INDEX col) {
    REAL sum = 0;
    for (INDEX r = 0; r < pool.r; ++r) {
        const INDEX down = row + pool.pad_top - r * pool.dilation_h;
        const INDEX p = window_at(down, pool.stride_h, pool.p);
        if (p < 0) continue;
        for (INDEX s = 0; s < pool.s; ++s) {
            const INDEX across = col + pool.pad_left - s * pool.dilation_w;
            const INDEX q = window_at(across, pool.stride_w, pool.q);
            if (q >= 0) sum += dy[p * pool.q + q] / divisor(pool, p, q);
        }
    }
    return sum;
}

extern "C" __global__ void avg_pool2d_backward(
    REAL* dx, const REAL* dy, Pool2d pool, INDEX count
) {
    GRID_STRIDE(i, count) {
        const INDEX col = i % pool.w, row = i / pool.w % pool.h, plane = i / pool.w / pool.h;
        dx[i] = avg_gradient(dy + plane * pool.p * pool.q, pool, row, col);
    }
}
