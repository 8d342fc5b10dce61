// direct: PReLU one thread per element; its two gradients in one pass over the arrays.
//
// Idea: both gradients read dy and x, so the threads that write dx also add up dweight. A channel's
//   elements are split into slices, a block for each slice of each channel: it writes the slice's
//   dx and leaves one partial sum, and a second launch adds a channel's partial sums in order, a
//   block for each channel. No atomics: the same bits every time. One weight for everything is
//   one channel.
// Grid: one thread for each element; a block for each slice of a channel, then a block for each
//   channel, all striding over what is left.
// Shared memory: BLOCK values for the tree.
// Takes: every shape, one weight or one for each channel, float and double.
// Next rung: where channels lie next to each other (nothing behind axis 1) a block's reads are
//   apart by a whole row; a block for several channels would read them together.
#include "common.cuh"

struct Prelu {
    INDEX channels, positions, length, slices;  // length: images * positions, of one channel
};

extern "C" __global__ void prelu(
    REAL* y, const REAL* x, const REAL* weight, Prelu shape, INDEX count
) {
    GRID_STRIDE(i, count) {
        const INDEX channel = i / shape.positions % shape.channels;
        y[i] = x[i] <= 0 ? weight[channel] * x[i] : x[i];
    }
}

// Writes dx of a slice of a channel; returns the thread's part of dweight.
__device__ REAL slice_gradient(
    REAL* dx, const REAL* dy, const REAL* x, REAL weight, Prelu shape, INDEX channel, INDEX slice
) {
    const INDEX size = (shape.length + shape.slices - 1) / shape.slices;
    const INDEX end = lesser((slice + 1) * size, shape.length);
    LongSum sum;
    for (INDEX own = slice * size + threadIdx.x; own < end; own += BLOCK) {
        const INDEX image = own / shape.positions, position = own % shape.positions;
        const INDEX i = (image * shape.channels + channel) * shape.positions + position;
        const REAL below = x[i] > 0 ? 0 : x[i];  // a NaN makes dweight NaN
        dx[i] = x[i] <= 0 ? weight * dy[i] : dy[i];
        sum.add(dy[i] * below);
    }
    return sum.value();
}

extern "C" __global__ void prelu_gradients(
    REAL* dx, REAL* partial, const REAL* dy, const REAL* x, const REAL* weight, Prelu shape,
    INDEX count
) {
    BLOCK_STRIDE(i, count) {
        const INDEX channel = i / shape.slices, slice = i % shape.slices;
        const REAL own = slice_gradient(dx, dy, x, weight[channel], shape, channel, slice);
        const REAL sum = block_sum(own);
        if (threadIdx.x == 0) partial[i] = sum;
    }
}

extern "C" __global__ void prelu_total(
    REAL* dweight, const REAL* partial, INDEX slices, INDEX count
) {
    BLOCK_STRIDE(channel, count) {
        REAL own = 0;
        for (INDEX i = threadIdx.x; i < slices; i += BLOCK) own += partial[channel * slices + i];
        const REAL sum = block_sum(own);
        if (threadIdx.x == 0) dweight[channel] = sum;
    }
}
