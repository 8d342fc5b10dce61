// direct: one step of stochastic gradient descent over a flat array, one thread per parameter.
//
// Idea: all parameters of a net lie in one array, so a step is one launch. A thread reads its
//   parameter, gradient and velocity, and writes parameter and velocity back in place. The
//   learning rate lies on the device: it changes from step to step, and the launch stays the same.
// Grid: one thread for each parameter, striding over what is left. Shared memory: none.
// Takes: momentum, Nesterov, weight decay, both forms ("torch", "paper"), float and double.
// Next rung: memory is the limit (three reads, two writes); 16 bytes a thread save instructions
//   (vectorised).
#include "step.cuh"

extern "C" __global__ void sgd(
    REAL* parameter, REAL* velocity, const REAL* gradient, const REAL* lr, REAL momentum,
    REAL weight_decay, Sgd form, INDEX count
) {
    const Step step = {-lr[0], momentum, weight_decay, form};
    GRID_STRIDE(i, count) sgd_element(parameter, velocity, gradient, i, step);
}
