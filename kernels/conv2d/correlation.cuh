// What the pipelined products share: images channels last, and a convolution in numbers.
#pragma once
#include "pipeline.cuh"

// ---- channels last --------------------------------------------------------------------------

constexpr int SIDE = 32;

// `planes` planes of n images, each of `area`, to n x area x (groups x padded).
struct Planes {
    INDEX n, groups, channels, padded, area;
};

// Call it from the whole block, for each of `tiles` tiles.
__device__ __forceinline__ void to_channels_last(
    float* packed, const float* image, Planes planes, INDEX tiles
) {
    __shared__ float channels_last_tile[SIDE][SIDE + 1];
    const INDEX width = planes.groups * planes.padded;
    const INDEX across = (width + SIDE - 1) / SIDE, down = (planes.area + SIDE - 1) / SIDE;
    BLOCK_STRIDE(tile, tiles) {
        const INDEX n = tile / across / down;
        const INDEX first = tile % across * SIDE, place = tile / across % down * SIDE;
        for (int i = threadIdx.x; i < SIDE * SIDE; i += BLOCK) {
            const INDEX col = first + i / SIDE, at = place + i % SIDE;
            const INDEX group = col / planes.padded, c = col % planes.padded;
            const bool there = col < width && c < planes.channels && at < planes.area;
            const INDEX plane = (n * planes.groups + group) * planes.channels + c;
            channels_last_tile[i / SIDE][i % SIDE] = there ? image[plane * planes.area + at] : 0;
        }
        __syncthreads();
        for (int i = threadIdx.x; i < SIDE * SIDE / CHUNK; i += BLOCK) {
            const int chunk = i % (SIDE / CHUNK) * CHUNK;
            const INDEX at = place + i / (SIDE / CHUNK);
            float four[CHUNK];
            for (int j = 0; j < CHUNK; ++j)
                four[j] = channels_last_tile[chunk + j][i / (SIDE / CHUNK)];
            if (at < planes.area && first + chunk < width)
                write_four(packed + (n * planes.area + at) * width + first + chunk, four);
        }
        __syncthreads();  // nobody brings the next tile before all have written this one
    }
}

// Along one axis: results first, first + step, ... (`results` of them) of `size`; result i meets
// source origin + i stride + j dilation at tap j, which is the window's element tap + j tap_step.
struct Axis {
    INDEX size, results, first, step, sources, origin, stride, dilation, taps, tap, tap_step;
};
struct Leap {
    INDEX outer, i, j;
};
// Channels are a group's; padded ones are multiples of 4. A result's channel c meets a source's
// channel k in weight[c result_pitch + k source_pitch + r s_count + s]. From a tap to that in the
// next row are row_pitch elements of the packed source, to the next col_pitch. The leaps are a
// slab's: STEP depths as taps and channels, STEP positions as images, rows and columns.
struct Correlation {
    INDEX groups, sources, padded_sources, results, padded_results;
    INDEX group_pitch, source_pitch, result_pitch, s_count, row_pitch, col_pitch, has_bias, relu;
    Leap taps, positions;
    Axis down, across;
};
__device__ __forceinline__ Digits digits_of(const Leap& leap) {
    return {(int)leap.outer, (int)leap.i, (int)leap.j};
}
__device__ __forceinline__ Digits result_at(const Correlation& of, int line) {
    return digits_of(line, of.down.results, of.across.results);
}
// Taps and channels, with zeros behind them up to a whole slab.
__device__ __forceinline__ int depth_of(const Correlation& of) {
    return (of.down.taps * of.across.taps * of.padded_sources + STEP - 1) / STEP * STEP;
}
// Number of a source's pixel.
__device__ __forceinline__ int pixel_at(const Correlation& of, int image, int row, int col) {
    return (image * of.down.sources + row) * of.across.sources + col;
}

// Tile i: the tiles of the same rows follow each other, and find those in the cache.
struct Tile {
    int row, col, batch, slice;
};
__device__ __forceinline__ Tile tile_at(INDEX i, int rows, int cols, int batch) {
    const int down = (rows + TILE_ROWS - 1) / TILE_ROWS, across = (cols + TILE_COLS - 1) / TILE_COLS;
    const INDEX line = i / across, product = line / down;
    return {int(line % down) * TILE_ROWS, int(i % across) * TILE_COLS, int(product % batch),
            int(product / batch)};
}
