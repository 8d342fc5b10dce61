// direct: sums, copies and zeros, one thread per element; channel sums in two stages.
//
// Idea: element by element there is nothing to share. A channel's sum is split into slices, so
//   that few channels still fill the GPU: a block sums one slice of one channel (its threads take
//   every BLOCK-th element, then add up in a tree), and a second launch adds the slices in order.
//   Nothing is added atomically, so the bits are the same every time.
// Grid: one thread for each element, or one block for each (slice, channel), striding.
// Shared memory: BLOCK values for the tree.
// Takes: every shape, float and double.
// Next rung: 16 bytes a thread for the elementwise ones (vectorised); channels next to each other
//   (no rows behind axis 1) would be read together by one block instead of one by one.
#include "common.cuh"

struct ChannelSum {
    INDEX channels, positions, length, slices;  // length: images * positions, of one channel
};

extern "C" __global__ void add(REAL* y, const REAL* a, const REAL* b, INDEX count) {
    GRID_STRIDE(i, count) y[i] = a[i] + b[i];
}

extern "C" __global__ void accumulate(REAL* total, const REAL* x, INDEX count) {
    GRID_STRIDE(i, count) total[i] += x[i];
}

extern "C" __global__ void copy(REAL* y, const REAL* x, INDEX count) {
    GRID_STRIDE(i, count) y[i] = x[i];
}

extern "C" __global__ void zeros(REAL* y, INDEX count) {
    GRID_STRIDE(i, count) y[i] = 0;
}

__device__ REAL slice_sum(const REAL* x, ChannelSum s, INDEX channel, INDEX slice) {
    const INDEX size = (s.length + s.slices - 1) / s.slices;
    const INDEX end = lesser((slice + 1) * size, s.length);
    LongSum sum;
    for (INDEX i = slice * size + threadIdx.x; i < end; i += BLOCK) {
        const INDEX image = i / s.positions, position = i % s.positions;
        sum.add(x[(image * s.channels + channel) * s.positions + position]);
    }
    return block_sum(sum.value());
}

extern "C" __global__ void channel_slices(
    REAL* partial, const REAL* x, ChannelSum shape, INDEX count
) {
    BLOCK_STRIDE(i, count) {
        const REAL sum = slice_sum(x, shape, i % shape.channels, i / shape.channels);
        if (threadIdx.x == 0) partial[i] = sum;
    }
}

extern "C" __global__ void channel_sum(REAL* y, const REAL* partial, INDEX slices, INDEX count) {
    GRID_STRIDE(i, count) y[i] = sum_of_slices(partial, slices, count, i);
}
