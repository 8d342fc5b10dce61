// direct: leaky ReLU, ELU, sigmoid, tanh and their gradients, one thread per element.
//
// Idea: element by element there is nothing to share. What matters is where a formula loses
//   digits: ELU takes e^x - 1 in one function, which is exact to the last digits near 0 where the
//   difference would have none; sigmoid never raises e to a positive power, which would overflow.
//   The branch is taken where x <= 0, so that a NaN goes the other way and stays a NaN.
// Grid: one thread for each element, striding over what is left.
// Shared memory: none.
// Takes: every shape, every slope and scale, float and double.
// Next rung: memory is the limit; 16 bytes a thread need a quarter of the instructions for the
//   same bytes (vectorised).
#include "formulas.cuh"

extern "C" __global__ void activation_leaky_relu(REAL* y, const REAL* x, REAL slope, INDEX count) {
    GRID_STRIDE(i, count) y[i] = leaky_value(x[i], slope);
}

extern "C" __global__ void activation_leaky_relu_backward(
    REAL* dx, const REAL* dy, const REAL* x, REAL slope, INDEX count
) {
    GRID_STRIDE(i, count) dx[i] = leaky_gradient(dy[i], x[i], slope);
}

extern "C" __global__ void activation_elu(
    REAL* y, const REAL* x, REAL depth, REAL scale, INDEX count
) {
    GRID_STRIDE(i, count) y[i] = elu_value(x[i], depth, scale);
}

extern "C" __global__ void activation_elu_backward(
    REAL* dx, const REAL* dy, const REAL* x, REAL depth, REAL scale, INDEX count
) {
    GRID_STRIDE(i, count) dx[i] = elu_gradient(dy[i], x[i], depth, scale);
}

extern "C" __global__ void activation_sigmoid(REAL* y, const REAL* x, INDEX count) {
    GRID_STRIDE(i, count) y[i] = logistic(x[i]);
}

extern "C" __global__ void activation_sigmoid_backward(
    REAL* dx, const REAL* dy, const REAL* y, INDEX count
) {
    GRID_STRIDE(i, count) dx[i] = sigmoid_gradient(dy[i], y[i]);
}

extern "C" __global__ void activation_tanh(
    REAL* y, const REAL* x, REAL scale, REAL slope, INDEX count
) {
    GRID_STRIDE(i, count) y[i] = tanh_value(x[i], scale, slope);
}

extern "C" __global__ void activation_tanh_backward(
    REAL* dx, const REAL* dy, const REAL* y, REAL scale, REAL slope, INDEX count
) {
    GRID_STRIDE(i, count) dx[i] = tanh_gradient(dy[i], y[i], scale, slope);
}
