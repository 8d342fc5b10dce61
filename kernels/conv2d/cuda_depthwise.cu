// depthwise: convolution where every channel has filters of its own, and both gradients.
//
// Idea: no sum over channels, so a filter's few weights meet each input once: the time goes into
//   bringing planes in and out, and every element should travel once. A block brings a tile of a
//   plane with its halo into shared memory (of several planes, where they are small), and a thread
//   owns one position of one plane for each filter of its channel. Weights come from the cache:
//   the threads of a plane read the same one at a time. The data gradient walks over dy in the same
//   way, a class modulo the stride at a time, its taps reversed (window.cuh). For the weights'
//   gradient a block owns up to 9 weights of one filter and a slice of the batch's positions: a
//   thread reads dy once for 9 products, and the block adds its threads' sums in a fixed order; a
//   second launch adds the slices in order.
// Grid: one block of 256 threads for each tile (and class) of so many planes, or for each 9 weights
//   of a filter and slice, striding over what is left.
// Shared memory: dynamic, at most 48 KB: the windows; a block's sums in the weights' gradient.
// Takes: groups equal to the input channels, any number of filters to each of them; strides,
//   padding on four sides, dilation, float and double.
// Next rung: a shared read and a cached one for each product; a thread with several positions in a
//   row would keep the window's columns in registers. Where a block has one plane and a filter of
//   fixed size, its loops could be unrolled.
#include "window.cuh"

#define WEIGHTS 9  // of a thread of the weights' gradient: a 3 x 3 filter

extern __shared__ REAL memory[];

// ---- outputs, and input gradients -----------------------------------------------------------

// What a block works on: a tile of `count` planes, numbered as they lie in memory.
struct Place {
    Corner corner;
    INDEX plane;
    int count;
};
__device__ inline Place place_of(INDEX number, INDEX rows, INDEX cols, INDEX planes, Tile tile) {
    Place place;
    place.corner.col = take(number, parts(cols, tile.cols)) * tile.cols;
    place.corner.row = take(number, parts(rows, tile.rows)) * tile.rows;
    place.plane = number * tile.sets;
    place.count = lesser(tile.sets, planes - place.plane);
    return place;
}

// The window of the thread's position.
__device__ inline const REAL* window_of(Own own, Tile tile, Axis down, Axis across) {
    const int row = own.set * tile.source_rows + own.row * down.stride;
    return memory + row * tile.source_cols + own.col * across.stride;
}

// A position's products with one filter, whose rows are `length` weights: the rows one by one.
__device__ void add_products(
    LongSum& sum, const REAL* window, const REAL* filter, INDEX length, Tile tile, Axis down,
    Axis across
) {
    for (int i = 0; i < down.taps; ++i) {
        const REAL* sources = window + i * down.dilation * tile.source_cols;
        const REAL* weights = filter + (down.tap + i * down.tap_step) * length + across.tap;
        REAL along = 0;
        for (int j = 0; j < across.taps; ++j)
            along = multiply_add(
                sources[j * across.dilation], weights[j * across.tap_step], along
            );
        sum.add(along);
    }
}

__device__ void outputs(
    REAL* y, const REAL* x, const REAL* weight, const REAL* bias, Conv2d conv, Tile tile,
    INDEX number
) {
    const Axis down = down_axis(conv), across = across_axis(conv);
    const INDEX inputs = conv.h * conv.w, filters = conv.k / conv.c;
    const Place place = place_of(number, conv.p, conv.q, conv.n * conv.c, tile);
    const REAL* planes = x + place.plane * inputs;
    load_window(memory, planes, place.count, inputs, tile, down, across, place.corner);
    __syncthreads();
    const Own own = own_position(tile);
    const INDEX p = place.corner.row + own.row, q = place.corner.col + own.col;
    const INDEX plane = place.plane + own.set, first = plane % conv.c * filters;
    const bool there = own.set < place.count && p < conv.p && q < conv.q;
    for (INDEX j = 0; there && j < filters; ++j) {
        const REAL* filter = weight + (first + j) * conv.r * conv.s;
        LongSum sum;
        add_products(
            sum, window_of(own, tile, down, across), filter, conv.s, tile, down, across
        );
        const REAL value = sum.value() + (conv.has_bias ? bias[first + j] : 0);
        const INDEX at = ((plane * filters + j) * conv.p + p) * conv.q + q;
        y[at] = conv.relu ? rectified(value) : value;
    }
    __syncthreads();
}

extern "C" __global__ void conv2d(
    REAL* y, const REAL* x, const REAL* weight, const REAL* bias, Conv2d conv, Tile tile,
    INDEX count
) {
    BLOCK_STRIDE(i, count) outputs(y, x, weight, bias, conv, tile, i);
}

__device__ void input_gradients(
    REAL* dx, const REAL* dy, const REAL* weight, Conv2d conv, Tile tile, INDEX number
) {
    const Axis across = across_class(conv, take(number, conv.stride_w));
    const Axis down = down_class(conv, take(number, conv.stride_h));
    const INDEX rows = parts(conv.h, conv.stride_h), cols = parts(conv.w, conv.stride_w);
    const INDEX outputs = conv.p * conv.q, filters = conv.k / conv.c;
    const Place place = place_of(number, rows, cols, conv.n * conv.c, tile);
    const Own own = own_position(tile);
    const INDEX row = place.corner.row + own.row, col = place.corner.col + own.col;
    const INDEX plane = place.plane + own.set, first = plane % conv.c * filters;
    const bool there = own.set < place.count && row < down.results && col < across.results;
    LongSum sum;
    for (INDEX j = 0; j < filters; ++j) {
        const REAL* planes = dy + (place.plane * filters + j) * outputs;
        const INDEX step = filters * outputs;
        load_window(memory, planes, place.count, step, tile, down, across, place.corner);
        __syncthreads();
        const REAL* filter = weight + (first + j) * conv.r * conv.s;
        const REAL* window = window_of(own, tile, down, across);
        if (there) add_products(sum, window, filter, conv.s, tile, down, across);
        __syncthreads();
    }
    const INDEX at = (plane * conv.h + down.first + row * down.step) * conv.w + across.first;
    if (there) dx[at + col * across.step] = sum.value();
}

extern "C" __global__ void conv2d_input(
    REAL* dx, const REAL* dy, const REAL* weight, Conv2d conv, Tile tile, INDEX count
) {
    BLOCK_STRIDE(i, count) input_gradients(dx, dy, weight, conv, tile, i);
}

// ---- weight gradients -----------------------------------------------------------------------

// The thread's part of the sums of weights first, first + 1, ... of filter k over the outputs
// [begin, end) of the batch.
__device__ void weight_sums(
    REAL* sums, const REAL* x, const REAL* dy, Conv2d conv, INDEX k, INDEX first, INDEX begin,
    INDEX end
) {
    const INDEX c = k / (conv.k / conv.c);
    for (INDEX i = begin + threadIdx.x; i < end; i += BLOCK) {
        INDEX image = i;
        const INDEX q = take(image, conv.q), p = take(image, conv.p);
        const REAL slope = dy[((image * conv.k + k) * conv.p + p) * conv.q + q];
        const REAL* plane = x + (image * conv.c + c) * conv.h * conv.w;
        INDEX r = first / conv.s, s = first % conv.s;
        for (int w = 0; w < WEIGHTS; ++w) {
            const INDEX row = p * conv.stride_h - conv.pad_top + r * conv.dilation_h;
            const INDEX col = q * conv.stride_w - conv.pad_left + s * conv.dilation_w;
            if (inside(row, conv.h) && inside(col, conv.w))
                sums[w] = multiply_add(slope, plane[row * conv.w + col], sums[w]);
            if (++s == conv.s) s = 0, ++r;
        }
    }
}

extern "C" __global__ void conv2d_weight_slices(
    REAL* partial, const REAL* x, const REAL* dy, Conv2d conv, INDEX slices, INDEX count
) {
    const INDEX taps = conv.r * conv.s, positions = conv.n * conv.p * conv.q;
    const INDEX size = parts(positions, slices);
    BLOCK_STRIDE(i, count) {
        INDEX slice = i;
        const INDEX first = take(slice, parts(taps, WEIGHTS)) * WEIGHTS, k = take(slice, conv.k);
        const INDEX begin = slice * size, end = lesser(begin + size, positions);
        REAL sums[WEIGHTS] = {};
        weight_sums(sums, x, dy, conv, k, first, begin, end);
        REAL* out = partial + (slice * conv.k + k) * taps + first;
        for (int w = 0; w < WEIGHTS; ++w) {
            const REAL total = block_sum(sums[w]);
            if (threadIdx.x == 0 && first + w < taps) out[w] = total;
        }
    }
}

extern "C" __global__ void conv2d_weight_total(
    REAL* dweight, const REAL* partial, INDEX slices, INDEX count
) {
    GRID_STRIDE(i, count) {
        LongSum total;
        for (INDEX slice = 0; slice < slices; ++slice) total.add(partial[slice * count + i]);
        dweight[i] = total.value();
    }
}
