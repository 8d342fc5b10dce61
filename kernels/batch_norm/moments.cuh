// The moments of a slice of a channel, and what becomes of a channel's.
#pragma once
#include "channels.cuh"

// A mean, what rounding took from it, and the sum of squares about it (not about mean + rest).
struct Moments {
    REAL mean, rest, squares;
};

// Those of the block's slice, to each of its threads.
__device__ Moments slice_moments(const REAL* x, Channels shape, INDEX channel, INDEX slice) {
    const INDEX size = slice_count(shape, slice);
    const REAL count = (REAL)(size ? size : 1);
    LongSum plain, rest, squares;
    for (Walk walk(shape, channel, slice); walk.inside(); walk.next()) plain.add(x[walk.at]);
    const REAL mean = block_sum(plain.value()) / count;
    for (Walk walk(shape, channel, slice); walk.inside(); walk.next()) {
        const REAL centred = x[walk.at] - mean;
        rest.add(centred);
        squares.add_product(centred, centred);
    }
    const REAL rest_sum = block_sum(rest.value());
    return {mean, rest_sum / count, block_sum(squares.value())};
}

// A sum of squares about another point than `mean` is below zero where tiny squares fell to 0.
__device__ inline double at_least_zero(double x) { return x < 0 ? 0 : x; }

__device__ inline REAL inverse_deviation(double squares, INDEX length, double epsilon) {
    return (REAL)(1 / sqrt(squares / (length ? length : 1) + epsilon));
}

// The running statistics move by `momentum` towards the batch's; its variance is unbiased there.
__device__ inline void run_on(
    REAL* running_mean, REAL* running_var, double mean, double squares, double momentum, INDEX count
) {
    const double keep = 1 - momentum, var = squares / (count > 1 ? count - 1 : 1);
    *running_mean = (REAL)multiply_add(momentum, mean, keep * *running_mean);
    *running_var = (REAL)multiply_add(momentum, var, keep * *running_var);
}
