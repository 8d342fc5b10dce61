// One step of stochastic gradient descent for one parameter.
#pragma once
#include "common.cuh"

struct Sgd {
    INDEX has_velocity, nesterov, paper;
};

// What one launch does to every parameter; `rate` is -lr.
struct Step {
    REAL rate, momentum, weight_decay;
    Sgd form;
};

__device__ inline void sgd_step(REAL& parameter, REAL& velocity, REAL gradient, Step step) {
    REAL slope = multiply_add(step.weight_decay, parameter, gradient);
    if (step.form.paper) slope *= step.rate;
    REAL move = slope;
    if (step.form.has_velocity) {
        move = multiply_add(step.momentum, velocity, slope);
        velocity = move;
    }
    if (step.form.nesterov) move = multiply_add(step.momentum, move, slope);
    parameter = step.form.paper ? parameter + move : multiply_add(step.rate, move, parameter);
}

// The same where they lie: each is read once and written once.
__device__ inline void sgd_element(
    REAL* parameter, REAL* velocity, const REAL* gradient, INDEX i, Step step
) {
    REAL own = parameter[i], speed = step.form.has_velocity ? velocity[i] : 0;
    sgd_step(own, speed, gradient[i], step);
    parameter[i] = own;
    if (step.form.has_velocity) velocity[i] = speed;
}
