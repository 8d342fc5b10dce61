// What convolutions with a tile in shared memory have in common: axes, and bringing the tile in.
//
// The outputs and the data gradient are one computation. On each axis result i is a sum over taps
// of the sources origin + i * stride + tap * dilation; an Axis says what these are. For outputs
// they are the convolution's own. The gradient of input `a` gathers the outputs p whose windows
// hold it: p * stride = a + pad - r * dilation for some r. Which r have such a p depends only on
// a modulo the stride: inputs that agree there, a class, are a correlation of stride 1.
#pragma once
#include "common.cuh"

struct Axis {
    INDEX results, first, sources, origin;
    int step;  // result i is element first + i * step of the array
    int stride, dilation;
    int taps, tap, tap_step;  // tap j is the window's element tap + j * tap_step
};

__device__ inline Axis output_axis(
    INDEX outputs, INDEX inputs, int window, int stride, INDEX pad, int dilation
) {
    return {outputs, 0, inputs, -pad, 1, stride, dilation, window, 0, 1};
}

// Inputs own, own + stride, ...; taps from the window's last to its first, so that sources ascend.
__device__ inline Axis input_axis(
    INDEX inputs, INDEX outputs, int window, int stride, INDEX pad, int dilation, int own
) {
    const INDEX results = (inputs - own + stride - 1) / stride, padded = own + pad;
    long long step = 1, tap = 0;  // times a dilation: more than an INDEX
    while (step * dilation % stride != 0) ++step;
    while (tap < step && (padded - tap * dilation) % stride != 0) ++tap;
    const bool none = tap == step || tap >= window;
    const int taps = none ? 0 : (window - 1 - tap) / step + 1, between = step;
    const int last = tap + (taps - 1) * step, spread = step * dilation / stride;
    const INDEX origin = (padded - last * dilation) / stride;
    return {results, own, outputs, origin, stride, 1, spread, taps, last, -between};
}

__device__ inline Axis down_axis(Conv2d conv) {
    return output_axis(conv.p, conv.h, conv.r, conv.stride_h, conv.pad_top, conv.dilation_h);
}
__device__ inline Axis across_axis(Conv2d conv) {
    return output_axis(conv.q, conv.w, conv.s, conv.stride_w, conv.pad_left, conv.dilation_w);
}
__device__ inline Axis down_class(Conv2d conv, int own) {
    return input_axis(conv.h, conv.p, conv.r, conv.stride_h, conv.pad_top, conv.dilation_h, own);
}
__device__ inline Axis across_class(Conv2d conv, int own) {
    return input_axis(conv.w, conv.q, conv.s, conv.stride_w, conv.pad_left, conv.dilation_w, own);
}

// A block's tile: rows x cols results, and what they are sums of, source_rows x source_cols.
struct Tile {
    int rows, cols, source_rows, source_cols;
    int channels;  // in shared memory at a time
    int sets;  // threads for one position: of filters, or of planes
};

// A tile's first result on either axis.
struct Corner {
    INDEX row, col;
};

__device__ inline INDEX parts(INDEX size, INDEX part) { return (size + part - 1) / part; }
// The last digit of `number` in base `count`; what is left are the digits before it.
template <class T>
__device__ inline T take(T& number, T count) {
    const T digit = number % count;
    number /= count;
    return digit;
}

// A thread's position in the tile, and which of its sets; threads beyond those have none.
struct Own {
    int set, row, col;
};
__device__ inline Own own_position(Tile tile) {
    const int position = threadIdx.x % (tile.rows * tile.cols);
    const int set = threadIdx.x / (tile.rows * tile.cols);
    return {set, position / tile.cols, position % tile.cols};
}

// The sources of `planes` planes for the results from `corner` on, zero beyond the image's edge. A
// warp for each row, so that neighbouring threads read neighbouring elements.
__device__ inline void load_window(
    REAL* window, const REAL* source, int planes, INDEX plane_step, Tile tile, Axis down,
    Axis across, Corner corner
) {
    const INDEX top = down.origin + corner.row * down.stride;
    const INDEX left = across.origin + corner.col * across.stride;
    for (int i = threadIdx.x / 32; i < planes * tile.source_rows; i += BLOCK / 32) {
        const INDEX row = top + i % tile.source_rows;
        const REAL* from = source + i / tile.source_rows * plane_step + row * across.sources;
        for (int j = threadIdx.x % 32; j < tile.source_cols; j += 32) {
            const bool there = inside(row, down.sources) && inside(left + j, across.sources);
            window[i * tile.source_cols + j] = there ? from[left + j] : 0;
        }
    }
}
