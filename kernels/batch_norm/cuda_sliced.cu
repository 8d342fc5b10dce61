// sliced: batch normalisation in training, and its gradient; statistics slice by slice.
//
// Idea: a channel's elements are cut into slices, so that few channels still fill the GPU. A block
//   finds its slice's mean, reads the slice again (from the cache) and sums what is left of the
//   elements without that mean: the squares, and the plain sum, which is the error of the mean's
//   rounding (Chan, Golub and LeVeque 1983, equation 1.7). One pass with sums of x and x^2 would
//   lose every digit where the mean is far larger than the deviation. A warp then puts the slices
//   of a channel together in double, in a fixed order, and updates the running statistics. The
//   gradient needs two sums in the same way, then each element of dx by itself.
// Grid: one block for each (slice, channel); one warp for each channel; one thread for each
//   element; all striding over what is left.
// Shared memory: BLOCK values for the tree of a block's sum.
// Takes: every shape, optional weight, bias and running statistics, float and double.
// Next rung: three launches, and x comes from memory twice. A block for each channel does it all in
//   one launch where channels are many and short (block). Where S is small (7 x 7, or 1), a block
//   that owns several neighbouring channels reads whole sectors; a float4 at once needs a quarter
//   of the instructions, of which finding an element's channel takes the most. The ReLU that
//   follows fits into the last pass.
#include "moments.cuh"

enum Part { MEAN, REST, SQUARES };

__device__ inline void keep(REAL* partial, Channels shape, INDEX channel, INDEX slice, Moments m) {
    partial[partial_at(shape, MEAN, slice, channel)] = m.mean;
    partial[partial_at(shape, REST, slice, channel)] = m.rest;
    partial[partial_at(shape, SQUARES, slice, channel)] = m.squares;
}

extern "C" __global__ void batch_norm_slices(
    REAL* partial, const REAL* x, Channels shape, INDEX count
) {
    BLOCK_STRIDE(i, count) {
        const INDEX channel = i % shape.channels, slice = i / shape.channels;
        const Moments moments = slice_moments(x, shape, channel, slice);
        if (threadIdx.x == 0) keep(partial, shape, channel, slice, moments);
    }
}

// A slice's mean less `start`, the first slice's: their difference keeps the digits that matter.
__device__ inline double offset_of(
    const REAL* partial, Channels shape, INDEX channel, INDEX slice, double start
) {
    const double mean = partial[partial_at(shape, MEAN, slice, channel)];
    return mean - start + partial[partial_at(shape, REST, slice, channel)];
}

// A channel's mean less `start`.
__device__ double mean_offset(const REAL* partial, Channels shape, INDEX channel, double start) {
    double sum = 0;
    LANE_STRIDE(slice, shape.slices)
        sum = multiply_add(
            (double)slice_count(shape, slice), offset_of(partial, shape, channel, slice, start), sum
        );
    return warp_sum(sum) / (shape.length ? shape.length : 1);
}

// The sum of squares about the channel's mean, which lies `offset` above `start`.
__device__ double squares_about(
    const REAL* partial, Channels shape, INDEX channel, double start, double offset
) {
    double sum = 0;
    LANE_STRIDE(slice, shape.slices) {
        const double rest = partial[partial_at(shape, REST, slice, channel)];
        const double away = offset_of(partial, shape, channel, slice, start) - offset;
        const double count = slice_count(shape, slice);
        const double own = partial[partial_at(shape, SQUARES, slice, channel)];
        sum += multiply_add(count, multiply_add(away, away, -rest * rest), own);
    }
    return at_least_zero(warp_sum(sum));
}

// `rest` is what rounding takes from the mean.
extern "C" __global__ void batch_norm_moments(
    REAL* mean, REAL* rest, REAL* invstd, REAL* running_mean, REAL* running_var,
    const REAL* partial, double epsilon, double momentum, INDEX runs, Channels shape, INDEX count
) {
    WARP_STRIDE(channel, count) {
        const double start = partial[partial_at(shape, MEAN, 0, channel)];
        const double offset = mean_offset(partial, shape, channel, start);
        const double squares = squares_about(partial, shape, channel, start, offset);
        if (threadIdx.x % LANES != 0) continue;
        const double rounded = (REAL)(start + offset);
        mean[channel] = (REAL)rounded;
        rest[channel] = (REAL)(start - rounded + offset);
        invstd[channel] = inverse_deviation(squares, shape.length, epsilon);
        if (runs)
            run_on(
                running_mean + channel, running_var + channel, start + offset, squares, momentum,
                shape.length
            );
    }
}

extern "C" __global__ void batch_norm(
    REAL* y, const REAL* x, const REAL* weight, const REAL* bias, const REAL* mean,
    const REAL* rest, const REAL* invstd, Channels shape, INDEX count
) {
    GRID_STRIDE(i, count) {
        const INDEX channel = channel_of(shape, i);
        const REAL scale = shape.has_weight ? invstd[channel] * weight[channel] : invstd[channel];
        const REAL centred = x[i] - mean[channel] - rest[channel];
        y[i] = multiply_add(centred, scale, shape.has_bias ? bias[channel] : 0);
    }
}

extern "C" __global__ void batch_norm_backward_slices(
    REAL* partial, const REAL* dy, const REAL* x, const REAL* mean, Channels shape, INDEX count
) {
    BLOCK_STRIDE(i, count) {
        const INDEX channel = i % shape.channels, slice = i / shape.channels;
        const Slopes slopes = slice_slopes(dy, x, mean[channel], shape, channel, slice);
        if (threadIdx.x == 0) keep(partial, shape, channel, slice, slopes);
    }
}

extern "C" __global__ void batch_norm_backward_sums(
    REAL* dweight, REAL* dbias, const REAL* partial, const REAL* invstd, Channels shape, INDEX count
) {
    WARP_STRIDE(channel, count) {
        const double shift = sum_of_partials(partial, shape, 0, channel);
        const double slope = sum_of_partials(partial, shape, 1, channel);
        if (threadIdx.x % LANES != 0) continue;
        dbias[channel] = (REAL)shift;
        dweight[channel] = (REAL)(slope * invstd[channel]);
    }
}

extern "C" __global__ void batch_norm_backward(
    REAL* dx, const REAL* dy, const REAL* x, const REAL* weight, const REAL* mean,
    const REAL* invstd, const REAL* dweight, const REAL* dbias, Channels shape, INDEX count
) {
    GRID_STRIDE(i, count) {
        const INDEX channel = channel_of(shape, i);
        const REAL scale = shape.has_weight ? invstd[channel] * weight[channel] : invstd[channel];
        const REAL xhat = (x[i] - mean[channel]) * invstd[channel];
        const REAL shared = multiply_add(xhat, dweight[channel], dbias[channel]);
        dx[i] = scale * (dy[i] - shared / (REAL)shape.length);
    }
}
