// vectorised: leaky ReLU, ELU, sigmoid, tanh and their gradients, 16 bytes a thread.
//
// Idea: as direct, with the same formulas, but a thread takes four floats (two doubles) with one
//   load and one store. The four results depend on nothing but their own element, so their long
//   chains of instructions (an exponential takes about twenty) overlap.
// Grid: one thread for each vector, striding over what is left.
// Shared memory: none.
// Takes: every shape, every slope and scale, float and double. Arrays that do not start on a
//   multiple of 16 bytes are taken one by one, as in direct.
// Next rung: none alone; as the epilogue of the kernel before it, it reads and writes nothing.
#include "formulas.cuh"
#include "vectors.cuh"

extern "C" __global__ void activation_leaky_relu(
    REAL* y, const REAL* x, REAL slope, INDEX vectors, INDEX count
) {
    map(vectors, count, y, [=](REAL own) { return leaky_value(own, slope); }, x);
}

extern "C" __global__ void activation_leaky_relu_backward(
    REAL* dx, const REAL* dy, const REAL* x, REAL slope, INDEX vectors, INDEX count
) {
    auto gradient = [=](REAL above, REAL own) { return leaky_gradient(above, own, slope); };
    map(vectors, count, dx, gradient, dy, x);
}

extern "C" __global__ void activation_elu(
    REAL* y, const REAL* x, REAL depth, REAL scale, INDEX vectors, INDEX count
) {
    map(vectors, count, y, [=](REAL own) { return elu_value(own, depth, scale); }, x);
}

extern "C" __global__ void activation_elu_backward(
    REAL* dx, const REAL* dy, const REAL* x, REAL depth, REAL scale, INDEX vectors, INDEX count
) {
    auto gradient = [=](REAL above, REAL own) { return elu_gradient(above, own, depth, scale); };
    map(vectors, count, dx, gradient, dy, x);
}

extern "C" __global__ void activation_sigmoid(
    REAL* y, const REAL* x, INDEX vectors, INDEX count
) {
    map(vectors, count, y, [](REAL own) { return logistic(own); }, x);
}

extern "C" __global__ void activation_sigmoid_backward(
    REAL* dx, const REAL* dy, const REAL* y, INDEX vectors, INDEX count
) {
    auto gradient = [](REAL above, REAL own) { return sigmoid_gradient(above, own); };
    map(vectors, count, dx, gradient, dy, y);
}

extern "C" __global__ void activation_tanh(
    REAL* y, const REAL* x, REAL scale, REAL slope, INDEX vectors, INDEX count
) {
    map(vectors, count, y, [=](REAL own) { return tanh_value(own, scale, slope); }, x);
}

extern "C" __global__ void activation_tanh_backward(
    REAL* dx, const REAL* dy, const REAL* y, REAL scale, REAL slope, INDEX vectors, INDEX count
) {
    auto gradient = [=](REAL above, REAL own) { return tanh_gradient(above, own, scale, slope); };
    map(vectors, count, dx, gradient, dy, y);
}
