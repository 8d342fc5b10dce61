// direct: ReLU and its gradient, one thread per element.
//
// Idea: y = x where not (x <= 0), else 0. The comparison is written so that a NaN stays a NaN;
//   fmaxf(x, 0) would turn it into 0.
// Grid: one thread for each element, striding over what is left. Shared memory: none.
// Takes: every shape, float and double.
// Next rung: memory is the limit (a read and a write for each element, the gradient two reads);
//   16 bytes a thread need a quarter of the instructions for the same bytes (vectorised).
#include "common.cuh"

extern "C" __global__ void relu(REAL* y, const REAL* x, INDEX count) {
    GRID_STRIDE(i, count) y[i] = rectified(x[i]);
}

extern "C" __global__ void relu_backward(REAL* dx, const REAL* dy, const REAL* y, INDEX count) {
    GRID_STRIDE(i, count) dx[i] = y[i] <= 0 ? 0 : dy[i];
}
