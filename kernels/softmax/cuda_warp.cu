// warp: softmax, log-softmax and their gradients, one warp for each row.
//
// Idea: 32 lanes share a row. Each takes every 32nd class, then they add up (or find the largest)
//   by exchanging registers: five shuffles, no shared memory, no barrier. The largest value is
//   subtracted before any exponential, so that nothing overflows; a NaN becomes the largest and
//   makes the whole row NaN, as it should. Lane order is fixed: the same bits every time.
// Grid: one warp for each row (image and position), striding over what is left.
// Shared memory: none.
// Takes: every shape (N, K) or (N, K, H, W), float and double.
// Next rung: the row is read two or three times; up to a few classes a lane could keep its own in
//   registers. Rows of an image lie side by side: a thread for each would read them coalesced.
#include "rows.cuh"

extern "C" __global__ void softmax(REAL* y, const REAL* x, Rows shape, INDEX rows) {
    WARP_STRIDE(i, rows) {
        const INDEX begin = row_begin(shape, i);
        const REAL largest = row_largest(x + begin, shape);
        const REAL sum = row_powers(x + begin, shape, largest);
        LANE_STRIDE(c, shape.classes) {
            const INDEX at = begin + c * shape.positions;
            y[at] = exponential(x[at] - largest) / sum;
        }
    }
}

extern "C" __global__ void log_softmax(REAL* y, const REAL* x, Rows shape, INDEX rows) {
    WARP_STRIDE(i, rows) {
        const INDEX begin = row_begin(shape, i);
        const REAL largest = row_largest(x + begin, shape);
        const REAL log_sum = logarithm(row_powers(x + begin, shape, largest));
        LANE_STRIDE(c, shape.classes) {
            const INDEX at = begin + c * shape.positions;
            y[at] = x[at] - largest - log_sum;
        }
    }
}

extern "C" __global__ void softmax_backward(
    REAL* dx, const REAL* dy, const REAL* y, Rows shape, INDEX rows
) {
    WARP_STRIDE(i, rows) {
        const INDEX begin = row_begin(shape, i);
        REAL inner = 0;
        LANE_STRIDE(c, shape.classes) {
            const INDEX at = begin + c * shape.positions;
            inner = multiply_add(dy[at], y[at], inner);
        }
        inner = warp_sum(inner);
        LANE_STRIDE(c, shape.classes) {
            const INDEX at = begin + c * shape.positions;
            dx[at] = y[at] * (dy[at] - inner);
        }
    }
}

extern "C" __global__ void log_softmax_backward(
    REAL* dx, const REAL* dy, const REAL* y, Rows shape, INDEX rows
) {
    WARP_STRIDE(i, rows) {
        const INDEX begin = row_begin(shape, i);
        REAL sum = 0;
        LANE_STRIDE(c, shape.classes) sum += dy[begin + c * shape.positions];
        sum = warp_sum(sum);
        LANE_STRIDE(c, shape.classes) {
            const INDEX at = begin + c * shape.positions;
            dx[at] = dy[at] - exponential(y[at]) * sum;
        }
    }
}
