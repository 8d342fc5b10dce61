// implicit_gemm_pipelined: convolution and both gradients as products whose slabs are copied ahead.
//
// Idea: what implicit_gemm computes, with the operands brought in as the hardware likes it best:
//   16 bytes at a time, straight into shared memory, two or three slabs ahead of the arithmetic
//   (pipeline.cuh). 16 bytes are 4 channels of a pixel, so images and slopes are first written
//   channels last, the channels of a group filled up with zeros to a multiple of 4; and weights as
//   [depth][filter]. That costs reading and writing them once.
//     y  (positions x filters)  = windows (positions x (taps, channels)) * weight
//     dx (places x channels)    = outputs (places x (taps, filters)) * weight^T, for each residue
//                                 (implicit_gemm): the same kernel with other numbers
//     dweight (filters x (taps, channels)) = dy^T (filters x positions) * windows
//   Which taps of a window stand inside the image is one word for each line: bit r for the window's
//   row r, bit 16 + s for its column s. The weight gradient's sum is cut into slices of positions,
//   a block each, which are added in order. No atomics: the same bits each time.
// Grid: a block for each TILE_ROWS x TILE_COLS tile of a group's results and slice, striding over
//   what is left; a launch for each pair of residues; the transpositions take 32 x 32 tiles.
// Shared memory: STAGES slabs of 16 x (TILE_ROWS + TILE_COLS): 48 KiB at most.
// Takes: float, windows of up to 16 x 16; sm_80 or newer.
// Next rung: tensor cores (mma.sync), which take these very slabs.
#include "pipeline.cuh"

// ---- channels last --------------------------------------------------------------------------

constexpr int SIDE = 32;

// `planes` planes of n images, each of `area`, to n x area x (groups x padded).
struct Planes {
    INDEX n, groups, channels, padded, area;
};

extern "C" __global__ void channels_last(
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
// The source's pixel in channels-last order.
__device__ __forceinline__ INDEX pixel(const Correlation& of, int image, int row, int col) {
    return (image * of.down.sources + row) * of.across.sources + col;
}

// weight as [group][depth][result channel], a depth being a tap and a source channel.
extern "C" __global__ void pack_weight(
    float* packed, const float* weight, Correlation of, INDEX count
) {
    GRID_STRIDE(i, count) {
        const int result = i % of.padded_results, depth = i / of.padded_results % depth_of(of);
        const INDEX group = i / of.padded_results / depth_of(of);
        const Digits at = digits_of(depth, of.across.taps, of.padded_sources);
        const bool there = result < of.results && at.j < of.sources && at.outer < of.down.taps;
        const INDEX r = of.down.tap + at.outer * of.down.tap_step;
        const INDEX s = of.across.tap + at.i * of.across.tap_step;
        const INDEX from = group * of.group_pitch + result * of.result_pitch +
                           at.j * of.source_pitch + r * of.s_count + s;
        packed[i] = there ? weight[from] : 0;
    }
}

// ---- forward and data gradient --------------------------------------------------------------

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

__device__ __forceinline__ unsigned taps_inside(const Axis& axis, int first) {
    unsigned word = 0;
    for (int tap = 0; tap < axis.taps; ++tap)
        word |= (unsigned)inside(first + tap * axis.dilation, axis.sources) << tap;
    return word;
}

// Lines are results; the depth runs over a window's rows, its columns, and the channels in fours.
struct Windows : Lines {
    const Correlation& of;
    const float* data;
    INDEX from[SHARE];
    unsigned there[SHARE];
    Digits tap;

    __device__ __forceinline__ Windows(
        const float* source, const Correlation& given, int lines, Tile tile
    ) : of(given), data(source + tile.batch * of.padded_sources) {
        tap = digits_of(threadIdx.x % CHUNKS * CHUNK, of.across.taps, of.padded_sources);
#pragma unroll
        for (int i = 0; i < SHARE; ++i) {
            const int line = tile.row + threadIdx.x / CHUNKS + i * NEXT;
            const Digits at = result_at(of, line < lines ? line : 0);
            const int row = of.down.origin + at.i * of.down.stride;
            const int col = of.across.origin + at.j * of.across.stride;
            from[i] = pixel(of, at.outer, row, col) * of.groups * of.padded_sources;
            const unsigned word = taps_inside(of.down, row) | taps_inside(of.across, col) << 16;
            there[i] = line < lines ? word : 0;
        }
    }
    __device__ __forceinline__ void copy(float* slab) {
        const float* at = data + (tap.outer * of.row_pitch + tap.i * of.col_pitch + tap.j);
        const bool in = tap.outer < of.down.taps;
        const unsigned bits = in ? 1u << tap.outer | 0x10000u << tap.i : 0;
        float* to = slab + own_place();
#pragma unroll
        for (int i = 0; i < SHARE; ++i)
            copy_async(to + i * NEXT * STEP, at + from[i], in && (there[i] & bits) == bits);
        add_digits(tap, digits_of(of.taps), of.across.taps, of.padded_sources);
    }
};

extern "C" __global__ void __launch_bounds__(BLOCK, BLOCKS) correlate(
    float* y, const float* source, const float* weight, const float* bias, Correlation of,
    INDEX lines, INDEX tiles
) {
    const INDEX area = of.down.size * of.across.size;
    BLOCK_STRIDE(number, tiles) {
        const Tile tile = tile_at(number, lines, of.results, of.groups);
        const int depth = depth_of(of), width = of.padded_results;
        const float* table = weight + (INDEX)tile.batch * depth * width;
        Windows left(source, of, lines, tile);
        Strip<TILE_COLS, false> right(table, width, tile.col, width, 0, depth);
        Results sum;
        product(left, right, depth / STEP, sum);
#pragma unroll
        for (int i = 0; i < OWN_ROWS; ++i) {
            const int line = tile.row + Lines::own_row(i);
            if (line >= lines) continue;
            const Digits at = result_at(of, line);
            const INDEX place = (of.down.first + at.i * of.down.step) * of.across.size +
                                of.across.first + at.j * of.across.step;
            const INDEX plane = ((INDEX)at.outer * of.groups + tile.batch) * of.results;
#pragma unroll
            for (int j = 0; j < OWN_COLS; ++j) {
                const int channel = tile.col + own_col(j);
                if (channel >= of.results) continue;
                float value = sum[i][j];
                if (of.has_bias) value += bias[tile.batch * of.results + channel];
                y[(plane + channel) * area + place] = of.relu ? rectified(value) : value;
            }
        }
    }
}

// ---- weight gradient ------------------------------------------------------------------------

// Columns are a window's rows, columns and channels; the depth runs over positions [begin, end).
struct Positions {
    static constexpr int CHUNKS = TILE_COLS / CHUNK, NEXT = BLOCK / CHUNKS, SHARE = STEP / NEXT;
    const Correlation& of;
    const float* data;
    int row, col, depth, end;
    bool there;
    Digits at[SHARE];

    __device__ __forceinline__ Positions(
        const float* source, const Correlation& given, Tile tile, int cols, int begin, int stop
    ) : of(given), depth(begin + threadIdx.x / CHUNKS), end(stop) {
        const int own = tile.col + threadIdx.x % CHUNKS * CHUNK;
        there = own < cols;
        const Digits tap = digits_of(there ? own : 0, of.across.taps, of.padded_sources);
        row = of.down.origin + tap.outer * of.down.dilation;
        col = of.across.origin + tap.i * of.across.dilation;
        data = source + tile.batch * of.padded_sources + tap.j;
#pragma unroll
        for (int i = 0; i < SHARE; ++i) at[i] = result_at(of, depth + i * NEXT);
    }
    __device__ __forceinline__ void copy(float* slab) {
        float* to = slab + threadIdx.x * CHUNK;
#pragma unroll
        for (int i = 0; i < SHARE; ++i) {
            const int h = row + at[i].i * of.down.stride, w = col + at[i].j * of.across.stride;
            const bool in = there && depth + i * NEXT < end && (unsigned)h < of.down.sources &&
                            (unsigned)w < of.across.sources;
            const INDEX place = pixel(of, at[i].outer, h, w) * of.groups * of.padded_sources;
            copy_async(to + i * NEXT * TILE_COLS, data + place, in);
            add_digits(at[i], digits_of(of.positions), of.down.results, of.across.results);
        }
        depth += STEP;
    }
};

// partial as [slice][group][filter][tap, padded channel]; a slice is `size` positions.
extern "C" __global__ void __launch_bounds__(BLOCK, BLOCKS) weight_slices(
    float* partial, const float* source, const float* slopes, Correlation of, INDEX positions,
    INDEX size, INDEX tiles
) {
    const int cols = of.down.taps * of.across.taps * of.padded_sources;
    BLOCK_STRIDE(number, tiles) {
        const Tile tile = tile_at(number, of.results, cols, of.groups);
        const INDEX first = tile.slice * size;
        const int begin = lesser(first, positions), end = lesser(first + size, positions);
        const INDEX pitch = of.groups * of.padded_results;
        const float* table = slopes + tile.batch * of.padded_results;
        Strip<TILE_ROWS, true> left(table, pitch, tile.row, of.padded_results, begin, end);
        Positions right(source, of, tile, cols, begin, end);
        Results sum;
        product(left, right, (end - begin + STEP - 1) / STEP, sum);
        float* part = partial + ((INDEX)tile.slice * of.groups + tile.batch) * of.results * cols;
#pragma unroll
        for (int i = 0; i < OWN_ROWS; ++i) {
            const int row = tile.row + Strip<TILE_ROWS, true>::own_row(i);
#pragma unroll
            for (int j = 0; j < OWN_COLS; j += CHUNK) {
                const int col = tile.col + own_col(j);
                if (row < of.results && col < cols)
                    write_four(part + (INDEX)row * cols + col, &sum[i][j]);
            }
        }
    }
}

extern "C" __global__ void weight_total(
    float* dweight, const float* partial, Correlation of, INDEX slices, INDEX count
) {
    const INDEX area = of.down.taps * of.across.taps, taps = area * of.padded_sources;
    GRID_STRIDE(i, count) {
        const Digits at = digits_of(i, of.sources, area);
        const INDEX from = at.outer * taps + at.j * of.padded_sources + at.i;
        dweight[i] = sum_of_slices(partial, slices, of.groups * of.results * taps, from);
    }
}
