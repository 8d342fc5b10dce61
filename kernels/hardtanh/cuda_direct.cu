// direct: hardtanh (ReLU6) and its gradient, one thread per element.
//
// Idea: two comparisons, of which a NaN passes neither. The gradient asks y, which equals a bound
//   wherever x lies at or beyond it, and so x need not be kept.
// Grid: one thread for each element, striding over what is left. Shared memory: none.
// Takes: every shape and pair of bounds, float and double.
// Next rung: memory is the limit (a read and a write for each element, the gradient two reads);
//   16 bytes a thread need a quarter of the instructions for the same bytes (vectorised).
#include "clamp.cuh"

extern "C" __global__ void hardtanh(REAL* y, const REAL* x, REAL low, REAL high, INDEX count) {
    GRID_STRIDE(i, count) y[i] = clamped(x[i], low, high);
}

extern "C" __global__ void hardtanh_backward(
    REAL* dx, const REAL* dy, const REAL* y, REAL low, REAL high, INDEX count
) {
    GRID_STRIDE(i, count) dx[i] = clamped_gradient(dy[i], y[i], low, high);
}
