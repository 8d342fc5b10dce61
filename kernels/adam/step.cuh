// One step of Adam for one parameter, and the three numbers that all parameters share.
#pragma once
#include "functions.cuh"

struct Adam {
    double lr_decay, first, second;  // decoupled weight decay; the two betas
    REAL beta1, rest1, beta2, rest2, epsilon, decay;  // rest: 1 - beta; decay: added to the gradient
};

// What changes from step to step.
struct Rates {
    REAL kept, rate, widen;  // 1 - lr decay; lr / (1 - beta1^t); 1 / sqrt(1 - beta2^t)
};

// A product and what its rounding left over, as one number in two doubles.
struct Twofold {
    double high, low;
};
__device__ inline Twofold product(Twofold a, Twofold b) {
    const double high = __dmul_rn(a.high, b.high);
    const double left = fma(a.high, b.high, -high) + fma(a.high, b.low, a.low * b.high);
    const double sum = __dadd_rn(high, left);
    return {sum, __dadd_rn(left, __dadd_rn(high, -sum))};
}

// base^exponent by squaring, as if rounded once: 1 - power cancels all digits but the last ones,
// and those would differ between one pow() and another.
__device__ inline double power(double base, long long exponent) {
    Twofold result = {1, 0}, square = {base, 0};
    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2 == 1) result = product(result, square);
        square = product(square, square);
    }
    return result.high;
}

__device__ inline Rates rates(Adam adam, double lr, long long step) {
    const double first = 1 - power(adam.first, step);
    const double second = sqrt(1 - power(adam.second, step));
    return {(REAL)(1 - lr * adam.lr_decay), (REAL)(lr / first), (REAL)(1 / second)};
}

// The block's rates, worked out by its first thread; call it from all threads.
__device__ inline Rates block_rates(Adam adam, const REAL* lr, const long long* step) {
    __shared__ Rates shared_rates;
    if (threadIdx.x == 0) shared_rates = rates(adam, lr[0], step[0]);
    __syncthreads();
    return shared_rates;
}

// Kingma and Ba (2015), algorithm 1; weight decay as the numbers say.
__device__ inline void adam_step(
    REAL& parameter, REAL& m, REAL& v, REAL gradient, Adam adam, Rates now
) {
    const REAL slope = multiply_add(adam.decay, parameter, gradient);
    m = multiply_add(adam.beta1, m, adam.rest1 * slope);
    v = multiply_add(adam.beta2, v, adam.rest2 * slope * slope);
    const REAL below = multiply_add(square_root(v), now.widen, adam.epsilon);
    parameter = multiply_add(now.kept, parameter, -now.rate * (m / below));
}

// The same where they lie: each is read once and written once.
__device__ inline void adam_element(
    REAL* parameter, REAL* m, REAL* v, const REAL* gradient, INDEX i, Adam adam, Rates now
) {
    REAL own = parameter[i], first = m[i], second = v[i];
    adam_step(own, first, second, gradient[i], adam, now);
    parameter[i] = own;
    m[i] = first;
    v[i] = second;
}
