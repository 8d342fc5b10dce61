// direct_tiled: convolution and both gradients, what a block needs often waiting in shared memory.
// Long because the three share how a block is divided and how its sums are kept.
//
// Idea: a block computes a tile of positions for several filters. A few channels at a time, its
//   threads bring the tile's inputs, halo included, and the filters' weights into shared memory,
//   wait for each other, and use them: an input for every tap and filter that it takes part in, a
//   weight for every position. A thread owns one position of 8 filters, whose sums stay in
//   registers: one input read serves 8 products. The data gradient is the same computation over
//   dy, a class modulo the stride at a time (window.cuh). For the weights' gradient a thread owns
//   one weight of 8 filters and its block walks over tiles of x and dy; slices of that walk are
//   added in order by a second launch. No atomics: the same bits every time.
// Grid: one block of 256 threads for each tile and set of filters (and class, or slice), striding
//   over what is left. Where planes are small, a block takes more filters instead.
// Shared memory: dynamic, at most 48 KB: windows of a few channels, and weights (or dy) with 8
//   filters side by side, so that a thread reads its 8 in two instructions.
// Takes: strides, padding on four sides, dilation, groups, float and double, where the window of
//   one position fits. Padding is a zero like any other: times a weight that is NaN it gives NaN.
// Next rung: three shared reads for 8 products, and nothing is loaded while a block computes.
//   implicit_gemm gives a thread several positions as well as several filters, as a matrix product
//   does, and the reads for a product shrink with both.
#include "window.cuh"

#define FILTERS 8
constexpr int UNROLL = sizeof(REAL) == 4 ? 4 : 1;  // more doubles at a time lack registers

struct __align__(16) Filters {
    REAL of[FILTERS];
};
extern __shared__ Filters memory[];

__device__ inline void clear(Filters& sums) {
    for (int f = 0; f < FILTERS; ++f) sums.of[f] = 0;
}
__device__ inline void add_products(Filters& sums, REAL value, const Filters& factors) {
    for (int f = 0; f < FILTERS; ++f) sums.of[f] = multiply_add(value, factors.of[f], sums.of[f]);
}

// A LongSum for each filter.
struct LongSums {
    Filters total, part;
    int terms;
    __device__ LongSums() : terms(0) {
        clear(total);
        clear(part);
    }
    __device__ void add(const Filters& sums) {
        for (int f = 0; f < FILTERS; ++f) part.of[f] += sums.of[f];
        if (++terms < 16) return;
        for (int f = 0; f < FILTERS; ++f) total.of[f] += part.of[f];
        clear(part);
        terms = 0;
    }
    __device__ REAL value(int f) const { return total.of[f] + part.of[f]; }
};

// ---- outputs, and input gradients -----------------------------------------------------------

// The channels of one group: of results and of sources, and from one to the next in the weights.
struct Channels {
    INDEX results, sources, result_step, source_step;
};

// What a block works on: a tile, an image, a group, its first channel of results.
struct Place {
    Corner corner;
    Axis down, across;
    INDEX image, group, channel;
};

// Tiles next to each other come first, then classes, channels, groups, images.
template <bool GRADIENT>
__device__ Place place_of(Conv2d conv, Tile tile, Channels channels, INDEX number) {
    const INDEX rows = GRADIENT ? parts(conv.h, conv.stride_h) : conv.p;
    const INDEX cols = GRADIENT ? parts(conv.w, conv.stride_w) : conv.q;
    const int filters = tile.sets * FILTERS;
    Place place;
    place.corner.col = take(number, parts(cols, tile.cols)) * tile.cols;
    place.corner.row = take(number, parts(rows, tile.rows)) * tile.rows;
    if (GRADIENT) {
        place.across = across_class(conv, take(number, conv.stride_w));
        place.down = down_class(conv, take(number, conv.stride_h));
    } else {
        place.across = across_axis(conv);
        place.down = down_axis(conv);
    }
    place.channel = take(number, parts(channels.results, filters)) * filters;
    place.group = take(number, conv.groups);
    place.image = number;
    return place;
}

// The weights of `depth` source channels, [channel][tap][filter], zero beyond the `present` ones.
// Neighbouring threads take the 8 filters of 4 taps: a run of either alone would be scattered on
// the other side.
__device__ void load_weights(
    Filters* weights, const REAL* weight, INDEX row, Tile tile, Channels channels, Axis down,
    Axis across, int depth, int present
) {
    const int taps = down.taps * across.taps;
    for (int i = threadIdx.x; i < depth * taps * tile.sets * FILTERS; i += BLOCK) {
        int number = i;
        const int f = take(number, FILTERS), tap = take(number, taps), c = take(number, depth);
        const int r = down.tap + tap / across.taps * down.tap_step;
        const int s = across.tap + tap % across.taps * across.tap_step;
        const int filter = number * FILTERS + f;
        const REAL* from = weight + filter * channels.result_step + c * channels.source_step;
        weights[(c * taps + tap) * tile.sets + number].of[f] =
            filter < present ? from[r * row + s] : 0;
    }
}

// The thread's products with `depth` channels; `window` begins at its position's first source.
__device__ Filters products(
    const REAL* window, const Filters* weights, Tile tile, Axis down, Axis across, int depth
) {
    const int plane = tile.source_rows * tile.source_cols;
    Filters sums;
    clear(sums);
    for (int c = 0; c < depth; ++c)
        for (int i = 0; i < down.taps; ++i) {
            const REAL* along = window + c * plane + i * down.dilation * tile.source_cols;
#pragma unroll UNROLL
            for (int j = 0; j < across.taps; ++j, weights += tile.sets)
                add_products(sums, along[j * across.dilation], *weights);
        }
    return sums;
}

// The sums of the thread's position and filters: each step of channels by itself, then added.
// `source` is the group's first plane, `weight` the block's first filter, `row` a weight's.
__device__ LongSums position_sums(
    const REAL* source, const REAL* weight, INDEX row, Tile tile, Channels channels, Corner corner,
    Axis down, Axis across, Own own, int present
) {
    const INDEX plane = down.sources * across.sources;
    Filters* weights = memory;
    REAL* window = (REAL*)(memory + tile.channels * down.taps * across.taps * tile.sets);
    const int from = own.row * down.stride * tile.source_cols + own.col * across.stride;
    LongSums total;
    for (INDEX c = 0; c < channels.sources; c += tile.channels) {
        const int depth = lesser(tile.channels, channels.sources - c);
        const REAL* factors = weight + c * channels.source_step;
        load_window(window, source + c * plane, depth, plane, tile, down, across, corner);
        load_weights(weights, factors, row, tile, channels, down, across, depth, present);
        __syncthreads();
        if (own.set < tile.sets)
            total.add(products(window + from, weights + own.set, tile, down, across, depth));
        __syncthreads();
    }
    return total;
}

// One tile: outputs from x, or input gradients from dy.
template <bool GRADIENT>
__device__ void correlate(
    REAL* out, const REAL* source, const REAL* weight, const REAL* bias, Conv2d conv, Tile tile,
    INDEX number
) {
    const INDEX cg = conv.c / conv.groups, kg = conv.k / conv.groups, taps = conv.r * conv.s;
    const Channels channels =
        GRADIENT ? Channels{cg, kg, taps, cg * taps} : Channels{kg, cg, cg * taps, taps};
    const Place place = place_of<GRADIENT>(conv, tile, channels, number);
    const Axis down = place.down, across = place.across;
    const INDEX group = place.image * conv.groups + place.group;
    const int present = lesser(tile.sets * FILTERS, channels.results - place.channel);

    const Own own = own_position(tile);
    const INDEX row = place.corner.row + own.row, col = place.corner.col + own.col;
    const INDEX height = GRADIENT ? conv.h : conv.p, width = GRADIENT ? conv.w : conv.q;
    const INDEX first = place.channel + own.set * FILTERS;
    const INDEX plane = (group * channels.results + first) * height + down.first + row * down.step;
    const INDEX at = plane * width + across.first + col * across.step;
    const bool there = row < down.results && col < across.results;

    source += group * channels.sources * down.sources * across.sources;
    weight += place.group * kg * cg * taps + place.channel * channels.result_step;
    const LongSums sums = position_sums(
        source, weight, conv.s, tile, channels, place.corner, down, across, own, present
    );
    for (int f = 0; f < FILTERS; ++f) {
        if (!there || own.set * FILTERS + f >= present) continue;
        REAL sum = sums.value(f);
        if (!GRADIENT && conv.has_bias) sum += bias[place.group * kg + first + f];
        out[at + f * height * width] = !GRADIENT && conv.relu ? rectified(sum) : sum;
    }
}

extern "C" __global__ void conv2d(
    REAL* y, const REAL* x, const REAL* weight, const REAL* bias, Conv2d conv, Tile tile,
    INDEX count
) {
    BLOCK_STRIDE(i, count) correlate<false>(y, x, weight, bias, conv, tile, i);
}

extern "C" __global__ void conv2d_input(
    REAL* dx, const REAL* dy, const REAL* weight, Conv2d conv, Tile tile, INDEX count
) {
    BLOCK_STRIDE(i, count) correlate<true>(dx, dy, weight, dy, conv, tile, i);
}

// ---- weight gradients -----------------------------------------------------------------------

// What a block works on: filters and channels of a group, and the tiles [begin, end) of the batch.
struct Share {
    INDEX slice, group, filter, channel, begin, end;
};

__device__ inline Share share_of(Conv2d conv, Tile tile, INDEX slices, INDEX number) {
    const int filters = tile.sets * FILTERS;
    const INDEX tiles = conv.n * parts(conv.p, tile.rows) * parts(conv.q, tile.cols);
    Share share;
    share.channel = take(number, parts(conv.c / conv.groups, tile.channels)) * tile.channels;
    share.filter = take(number, parts(conv.k / conv.groups, filters)) * filters;
    share.group = take(number, conv.groups);
    share.slice = number;
    share.begin = share.slice * parts(tiles, slices);
    share.end = lesser(share.begin + parts(tiles, slices), tiles);
    return share;
}

// dy of the tile's positions, [position][filter]: 8 filters of 4 positions, as in load_weights.
__device__ void load_slopes(
    Filters* slopes, const REAL* dy, Conv2d conv, Tile tile, Share share, Corner corner
) {
    const INDEX filters = conv.k / conv.groups;
    const int positions = tile.rows * tile.cols;
    for (int i = threadIdx.x; i < positions * tile.sets * FILTERS; i += BLOCK) {
        int number = i;
        const int f = take(number, FILTERS), position = take(number, positions), set = number;
        const INDEX p = corner.row + position / tile.cols, q = corner.col + position % tile.cols;
        const INDEX k = share.filter + set * FILTERS + f;
        const bool there = k < filters && p < conv.p && q < conv.q;
        slopes[position * tile.sets + set].of[f] = there ? dy[(k * conv.p + p) * conv.q + q] : 0;
    }
}

// The thread's products with the positions of a tile that are outputs.
__device__ Filters slope_products(
    const REAL* window, const Filters* slopes, Conv2d conv, Tile tile, Corner corner
) {
    const int rows = lesser(tile.rows, conv.p - corner.row);
    const int cols = lesser(tile.cols, conv.q - corner.col);
    Filters sums;
    clear(sums);
    const int down = conv.stride_h, across = conv.stride_w;
    for (int row = 0; row < rows; ++row) {
        const REAL* along = window + row * down * tile.source_cols;
        const Filters* own = slopes + row * tile.cols * tile.sets;
#pragma unroll UNROLL
        for (int col = 0; col < cols; ++col)
            add_products(sums, along[col * across], own[col * tile.sets]);
    }
    return sums;
}

// The sums of one weight of the thread's filters over the share's tiles: each tile, then added.
__device__ LongSums weight_sums(
    const REAL* x, const REAL* dy, Conv2d conv, Tile tile, Share share, int set, int from,
    bool there
) {
    const Axis down = down_axis(conv), across = across_axis(conv);
    const int present = lesser(tile.channels, conv.c / conv.groups - share.channel);
    Filters* slopes = memory;
    REAL* window = (REAL*)(memory + tile.rows * tile.cols * tile.sets);
    LongSums total;
    for (INDEX number = share.begin; number < share.end; ++number) {
        INDEX image = number;
        Corner corner;
        corner.col = take(image, parts(conv.q, tile.cols)) * tile.cols;
        corner.row = take(image, parts(conv.p, tile.rows)) * tile.rows;
        const INDEX group = image * conv.groups + share.group, plane = conv.h * conv.w;
        const REAL* planes = x + (group * (conv.c / conv.groups) + share.channel) * plane;
        load_window(window, planes, present, plane, tile, down, across, corner);
        const REAL* outputs = dy + group * (conv.k / conv.groups) * conv.p * conv.q;
        load_slopes(slopes, outputs, conv, tile, share, corner);
        __syncthreads();
        if (there) total.add(slope_products(window + from, slopes + set, conv, tile, corner));
        __syncthreads();
    }
    return total;
}

extern "C" __global__ void conv2d_weight_slices(
    REAL* partial, const REAL* x, const REAL* dy, Conv2d conv, Tile tile, INDEX slices, INDEX count
) {
    const INDEX cg = conv.c / conv.groups, kg = conv.k / conv.groups;
    const int across = conv.s, taps = conv.r * conv.s;
    int set = threadIdx.x;
    const int tap = take(set, taps), own = take(set, tile.channels);
    const int r = tap / across * conv.dilation_h, s = tap % across * conv.dilation_w;
    const int from = (own * tile.source_rows + r) * tile.source_cols + s;
    BLOCK_STRIDE(i, count) {
        const Share share = share_of(conv, tile, slices, i);
        const INDEX c = share.channel + own;
        const bool there = set < tile.sets && c < cg;
        const LongSums sums = weight_sums(x, dy, conv, tile, share, set, from, there);
        for (int f = 0; f < FILTERS; ++f) {
            const INDEX k = share.filter + set * FILTERS + f;
            const INDEX filter = (share.slice * conv.groups + share.group) * kg + k;
            if (there && k < kg) partial[(filter * cg + c) * taps + tap] = sums.value(f);
        }
    }
}

extern "C" __global__ void conv2d_weight_total(
    REAL* dweight, const REAL* partial, INDEX slices, INDEX count
) {
    GRID_STRIDE(i, count) dweight[i] = sum_of_slices(partial, slices, count, i);
}
