// implicit_gemm_pipelined: convolution and its data gradient as products, slabs copied ahead.
//
// Idea: what implicit_gemm computes, with the operands brought in as the hardware likes it best:
//   16 bytes at a time, straight into shared memory, one to three slabs ahead of the arithmetic
//   (pipeline.cuh). 16 bytes are 4 channels of a pixel, so images are first written channels last,
//   the channels of a group filled up with zeros to a multiple of 4; and weights as
//   [depth][filter]. That costs reading and writing them once.
//     y  (positions x filters)  = windows (positions x (taps, channels)) * weight
//     dx (places x channels)    = outputs (places x (taps, filters)) * weight^T, for each residue
//                                 (implicit_gemm): the same kernel with other numbers
//   Which taps of a window stand inside the image is one word for each line: bit r for the window's
//   row r, bit 16 + s for its column s. No atomics: the same bits each time.
// Grid: a block for each TILE_ROWS x TILE_COLS tile of a group's results, striding over what is
//   left; a launch for each pair of residues; the transposition takes 32 x 32 tiles.
// Shared memory: STAGES slabs of 16 x (TILE_ROWS + TILE_COLS): 48 KiB at most.
// Takes: float, windows of up to 16 x 16; sm_80 or newer.
// Next rung: tensor cores (mma.sync), which take these very slabs.
#include "correlation.cuh"

extern "C" __global__ void channels_last(
    float* packed, const float* image, Planes planes, INDEX tiles
) {
    to_channels_last(packed, image, planes, tiles);
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
    int pixel[SHARE];
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
            pixel[i] = pixel_at(of, at.outer, row, col);
            const unsigned word = taps_inside(of.down, row) | taps_inside(of.across, col) << 16;
            there[i] = line < lines ? word : 0;
        }
    }
    __device__ __forceinline__ void copy(float* slab) {
        const float* at = data + (tap.outer * of.row_pitch + tap.i * of.col_pitch + tap.j);
        const bool in = tap.outer < of.down.taps;
        const unsigned bits = in ? 1u << tap.outer | 0x10000u << tap.i : 0;
        const INDEX width = of.groups * of.padded_sources;
        float* to = slab + own_place();
#pragma unroll
        for (int i = 0; i < SHARE; ++i)
            copy_async(to + i * NEXT * STEP, at + pixel[i] * width,
                       in && (there[i] & bits) == bits);
        add_digits(tap, digits_of(of.taps), of.across.taps, of.padded_sources);
    }
};

// What a chain of slabs gives is added to what the ones before it left in y.
struct Outputs {
    const Correlation& of;
    float* y;
    const float* bias;
    Tile tile;
    int lines;

    __device__ __forceinline__ void operator()(const Results& sum, bool first, bool last) const {
        const INDEX area = of.down.size * of.across.size;
        INDEX place[OWN_ROWS];
#pragma unroll
        for (int i = 0; i < OWN_ROWS; ++i) {
            const int line = tile.row + Lines::own_row(i);
            const Digits at = result_at(of, line < lines ? line : 0);
            place[i] = at.outer * of.groups * of.results * area +
                       (of.down.first + at.i * of.down.step) * of.across.size +
                       of.across.first + at.j * of.across.step;
        }
#pragma unroll
        for (int j = 0; j < OWN_COLS; ++j) {
            const int channel = tile.col + own_col(j);
            if (channel >= of.results) continue;
            const INDEX number = tile.batch * of.results + channel;
            float* plane = y + number * area;
#pragma unroll
            for (int i = 0; i < OWN_ROWS; ++i) {
                if (tile.row + Lines::own_row(i) >= lines) continue;
                float* to = plane + place[i];
                const float value = first ? sum[i][j] : sum[i][j] + *to;
                *to = last ? finished(value, number) : value;
            }
        }
    }
    __device__ __forceinline__ float finished(float value, INDEX channel) const {
        if (of.has_bias) value += bias[channel];
        return of.relu ? rectified(value) : value;
    }
};

extern "C" __global__ void __launch_bounds__(BLOCK, BLOCKS) correlate(
    float* y, const float* source, const float* weight, const float* bias, Correlation of,
    INDEX lines, INDEX tiles
) {
    BLOCK_STRIDE(number, tiles) {
        const Tile tile = tile_at(number, lines, of.results, of.groups);
        const int depth = depth_of(of), width = of.padded_results;
        const float* table = weight + (INDEX)tile.batch * depth * width;
        Windows left(source, of, lines, tile);
        Strip<TILE_COLS, false> right(table, width, tile.col, width, 0, depth);
        product(left, right, depth / STEP, Outputs{of, y, bias, tile, (int)lines});
    }
}
