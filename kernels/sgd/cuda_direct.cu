// direct: one step of stochastic gradient descent over a flat array, one thread per parameter.
//
// Idea: all parameters of a net lie in one array, so a step is one launch. A thread reads its
//   parameter, gradient and velocity, and writes parameter and velocity back in place. The
//   learning rate lies on the device: it changes from step to step, and the launch stays the same.
// Grid: one thread for each parameter, striding over what is left. Shared memory: none.
// Takes: momentum, Nesterov, weight decay, both forms ("torch", "paper"), float and double.
// Next rung: memory is the limit (three reads, two writes); a float4 at once saves instructions.
#include "common.cuh"

struct Sgd {
    INDEX has_velocity, nesterov, paper;
};

extern "C" __global__ void sgd(
    REAL* parameter, REAL* velocity, const REAL* gradient, const REAL* lr, REAL momentum,
    REAL weight_decay, Sgd form, INDEX count
) {
    const REAL rate = -lr[0];
    GRID_STRIDE(i, count) {
        REAL slope = multiply_add(weight_decay, parameter[i], gradient[i]);
        if (form.paper) slope *= rate;
        REAL move = slope;
        if (form.has_velocity) {
            move = multiply_add(momentum, velocity[i], slope);
            velocity[i] = move;
        }
        if (form.nesterov) move = multiply_add(momentum, move, slope);
        parameter[i] = form.paper ? parameter[i] + move : multiply_add(rate, move, parameter[i]);
    }
}
