// vectorised: hardtanh (ReLU6) and its gradient, 16 bytes a thread.
//
// Idea: as direct, but a thread takes four floats (two doubles) with one load and one store.
// Grid: one thread for each vector, striding over what is left. Shared memory: none.
// Takes: every shape and pair of bounds, float and double. Arrays that do not start on a multiple
//   of 16 bytes are taken one by one, as in direct.
// Next rung: none alone; as the epilogue of the kernel before it, it reads and writes nothing.
#include "clamp.cuh"
#include "vectors.cuh"

extern "C" __global__ void hardtanh(
    REAL* y, const REAL* x, REAL low, REAL high, INDEX vectors, INDEX count
) {
    map(vectors, count, y, [=](REAL own) { return clamped(own, low, high); }, x);
}

extern "C" __global__ void hardtanh_backward(
    REAL* dx, const REAL* dy, const REAL* y, REAL low, REAL high, INDEX vectors, INDEX count
) {
    auto gradient = [=](REAL above, REAL own) { return clamped_gradient(above, own, low, high); };
    map(vectors, count, dx, gradient, dy, y);
}
