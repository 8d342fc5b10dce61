// The channels of an (N, C, S) array, each cut into slices: a block adds up a slice, a warp those.
#pragma once
#include "common.cuh"

#define LANES 32

// A channel has `length` = N * S elements, an image's `positions` = S of them next to each other.
struct Channels {
    INDEX channels, positions, length, slices, has_weight, has_bias;
};

// The channel of the array's element `i`.
__device__ inline INDEX channel_of(Channels shape, INDEX i) {
    return i / shape.positions % shape.channels;
}

// All slices have the same size but the last, which may be shorter, and those behind it, empty.
__device__ inline INDEX slice_begin(Channels shape, INDEX slice) {
    const INDEX size = (shape.length + shape.slices - 1) / shape.slices;
    return lesser(slice * size, shape.length);
}
__device__ inline INDEX slice_count(Channels shape, INDEX slice) {
    return slice_begin(shape, slice + 1) - slice_begin(shape, slice);
}

// Walks a thread through its elements of a slice, its own and then every BLOCK-th: `at` is where
// the array has the current one. Dividing for each element would take longer than reading it.
struct Walk {
    INDEX at, i, end, position, positions, skipped, step_position, step;
    __device__ Walk(Channels shape, INDEX channel, INDEX slice) {
        i = slice_begin(shape, slice) + threadIdx.x;
        end = slice_begin(shape, slice + 1);
        positions = shape.positions;
        skipped = (shape.channels - 1) * positions;  // the other channels of an image
        const INDEX image = i / positions, images = BLOCK / positions;
        position = i % positions;
        at = (image * shape.channels + channel) * positions + position;
        step_position = BLOCK % positions;
        step = images * shape.channels * positions + step_position;
    }
    __device__ bool inside() const { return i < end; }
    __device__ void next() {
        i += BLOCK;
        at += step;
        position += step_position;
        if (position < positions) return;
        position -= positions;
        at += skipped;
    }
};
// A lane's slices of a channel.
#define LANE_STRIDE(slice, slices)                                                     \
    for (INDEX slice = threadIdx.x % LANES; slice < (slices); slice += LANES)

// Value `part` of a slice of a channel, in the workspace.
__device__ inline INDEX partial_at(Channels shape, int part, INDEX slice, INDEX channel) {
    return (part * shape.slices + slice) * shape.channels + channel;
}

// The sum of a part over a channel's slices, to each lane of a warp: so few additions cost nothing
// in double.
__device__ inline double sum_of_partials(
    const REAL* partial, Channels shape, int part, INDEX channel
) {
    double sum = 0;
    LANE_STRIDE(slice, shape.slices) sum += partial[partial_at(shape, part, slice, channel)];
    return warp_sum(sum);
}

// The sums of dy and of dy (x - mean).
struct Slopes {
    REAL dy, product;
};

// Those of the block's slice, to each of its threads.
__device__ Slopes slice_slopes(
    const REAL* dy, const REAL* x, REAL mean, Channels shape, INDEX channel, INDEX slice
) {
    LongSum plain, product;
    for (Walk walk(shape, channel, slice); walk.inside(); walk.next()) {
        plain.add(dy[walk.at]);
        product.add_product(dy[walk.at], x[walk.at] - mean);
    }
    const REAL dy_sum = block_sum(plain.value());
    return {dy_sum, block_sum(product.value())};
}

__device__ inline void keep(REAL* partial, Channels shape, INDEX channel, INDEX slice, Slopes s) {
    partial[partial_at(shape, 0, slice, channel)] = s.dy;
    partial[partial_at(shape, 1, slice, channel)] = s.product;
}
