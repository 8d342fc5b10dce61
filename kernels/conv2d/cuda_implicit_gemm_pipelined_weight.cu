// implicit_gemm_pipelined, the weight gradient: both operands' slabs copied ahead.
//
// Idea: dweight (filters x (taps, channels)) = slopes^T (filters x positions) * windows (positions x
//   (taps, channels)). With images and slopes channels last, both operands lie as [depth][line],
//   a position being a depth, and 16 bytes of either are 4 lines (cuda_implicit_gemm_pipelined.cu).
//   The sum is cut into slices of positions, a block each, which are added in order. No atomics:
//   the same bits each time.
// Grid: a block for each TILE_ROWS x TILE_COLS tile of a group's result and slice, striding over
//   what is left; the transpositions take 32 x 32 tiles; for the total a thread for each weight.
// Shared memory: STAGES slabs of 16 x (TILE_ROWS + TILE_COLS): 48 KiB at most.
// Takes: float, windows of up to 16 x 16; sm_80 or newer.
#include "correlation.cuh"

extern "C" __global__ void channels_last(
    float* packed, const float* image, Planes planes, INDEX tiles
) {
    to_channels_last(packed, image, planes, tiles);
}

// Columns are a window's rows, columns and channels; the depth runs over positions [begin, end).
struct Positions {
    static constexpr int CHUNKS = TILE_COLS / CHUNK, SHARE = STEP * CHUNKS / BLOCK;
    const Correlation& of;
    const float* data;
    int row, col, depth, end;  // a thread copies for SHARE positions that follow each other
    bool there;
    Digits at;

    __device__ __forceinline__ Positions(
        const float* source, const Correlation& given, Tile tile, int cols, int begin, int stop
    ) : of(given), depth(begin + threadIdx.x / CHUNKS * SHARE), end(stop) {
        const int own = tile.col + threadIdx.x % CHUNKS * CHUNK;
        there = own < cols;
        const Digits tap = digits_of(there ? own : 0, of.across.taps, of.padded_sources);
        row = of.down.origin + tap.outer * of.down.dilation;
        col = of.across.origin + tap.i * of.across.dilation;
        data = source + tile.batch * of.padded_sources + tap.j;
        at = result_at(of, depth);
    }
    __device__ __forceinline__ void copy(float* slab) {
        float* to = slab + (threadIdx.x / CHUNKS * SHARE * CHUNKS + threadIdx.x % CHUNKS) * CHUNK;
        const INDEX width = of.groups * of.padded_sources;
        Digits now = at;
#pragma unroll
        for (int i = 0; i < SHARE; ++i) {
            const int h = row + now.i * of.down.stride, w = col + now.j * of.across.stride;
            const bool in = there && depth + i < end && (unsigned)h < of.down.sources &&
                            (unsigned)w < of.across.sources;
            copy_async(to + i * TILE_COLS, data + pixel_at(of, now.outer, h, w) * width, in);
            add_digits(now, {0, 0, 1}, of.down.results, of.across.results);
        }
        add_digits(at, digits_of(of.positions), of.down.results, of.across.results);
        depth += STEP;
    }
};

struct Slopes {
    float* part;
    Tile tile;
    int rows, cols;

    __device__ __forceinline__ void operator()(const Results& sum, bool first, bool last) const {
#pragma unroll
        for (int i = 0; i < OWN_ROWS; ++i) {
            const int row = tile.row + Strip<TILE_ROWS, true>::own_row(i);
#pragma unroll
            for (int j = 0; j < OWN_COLS; j += CHUNK) {
                const int col = tile.col + own_col(j);
                if (row >= rows || col >= cols) continue;
                float* to = part + ((INDEX)row * cols + col);
                float four[CHUNK] = {};
                if (!first) read<CHUNK>(to, four);
#pragma unroll
                for (int k = 0; k < CHUNK; ++k) four[k] += sum[i][j + k];
                write_four(to, four);
            }
        }
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
        float* part = partial + ((INDEX)tile.slice * of.groups + tile.batch) * of.results * cols;
        Strip<TILE_ROWS, true> left(table, pitch, tile.row, of.padded_results, begin, end);
        Positions right(source, of, tile, cols, begin, end);
        const int steps = (end - begin + STEP - 1) / STEP;
        product(left, right, steps, Slopes{part, tile, (int)of.results, cols});
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
