// The main loop of the pipelined products: slabs of both operands on their way while one is used.
//
// Idea: a block owns TILE_ROWS x TILE_COLS results and walks along the depth in slabs of 16.
//   Shared memory holds STAGES slabs: while the threads multiply one, the others are being copied
//   by cp.async, 16 bytes at a time and past the registers. One barrier for each slab: behind it
//   everybody's copies of this slab have landed, and everybody has read the slab whose place the
//   next copies take.
//   A thread owns 8 x OWN_COLS results. A warp is 8 x 4 threads: 64 rows, and 4 OWN_COLS columns.
//
// What lies in shared memory: the right operand, and the left one where its lines lie side by side
//   in memory, as [depth][line] (class Strip). Where a line's depths lie side by side (a pixel's
//   channels), a line is 64 bytes of 16 depths, and its 16-byte chunk c lies at c ^ (line / 2 & 3):
//   the 8 chunks that a whole warp reads of 8 lines then lie in 32 different banks. (Quarters of a
//   warp, which the emulator counts by, would meet no conflict in plain lines either.)
#pragma once
#include "../common.cuh"
#include "../ptx.cuh"

#ifndef TILE_ROWS
#define TILE_ROWS 128
#endif
#ifndef TILE_COLS
#define TILE_COLS 128
#endif
#ifndef OWN_COLS
#define OWN_COLS 8
#endif
#ifndef STAGES
#define STAGES 3
#endif
#ifndef BLOCKS  // blocks that a multiprocessor's registers must do for
#define BLOCKS 2
#endif

constexpr int STEP = 16;  // depths of a slab
constexpr int CHUNK = 4;  // floats in 16 bytes
constexpr int CHAIN = 32;  // slabs that are summed up before the sum is kept
constexpr int OWN_ROWS = 8, WARP_ROWS = 8 * OWN_ROWS, WARP_COLS = 4 * OWN_COLS;
static_assert(BLOCK == 32 * (TILE_ROWS / WARP_ROWS) * (TILE_COLS / WARP_COLS), "a warp each");

typedef float Results[OWN_ROWS][OWN_COLS];
template <int COUNT>
struct alignas(4 * COUNT) Floats {
    float lane[COUNT];
};
template <int COUNT>
__device__ __forceinline__ void read(const float* from, float* to) {
    const Floats<COUNT> got = *reinterpret_cast<const Floats<COUNT>*>(from);
#pragma unroll
    for (int i = 0; i < COUNT; ++i) to[i] = got.lane[i];
}

__device__ __forceinline__ void write_four(float* to, const float* from) {
    *reinterpret_cast<Floats<CHUNK>*>(to) = {from[0], from[1], from[2], from[3]};
}

// A number in mixed radix; where numbers lie on a lattice, one is reached from another by adding
// as one adds by hand: each digit carries one at most. The launcher sees to it that digits fit.
struct Digits {
    int outer, i, j;
};
__device__ __forceinline__ Digits digits_of(int number, int down, int across) {
    const int line = number / across;
    return {line / down, line % down, number % across};
}
__device__ __forceinline__ void add_digits(Digits& at, const Digits& more, int down, int across) {
    at.j += more.j;
    const bool wraps = at.j >= across;
    at.j -= wraps ? across : 0;
    at.i += more.i + wraps;
    const bool ends = at.i >= down;
    at.i -= ends ? down : 0;
    at.outer += more.outer + ends;
}

// ---- where a thread's results lie -----------------------------------------------------------

__device__ __forceinline__ int warp_row() {
    return threadIdx.x / 32 % (TILE_ROWS / WARP_ROWS) * WARP_ROWS;
}
__device__ __forceinline__ int own_col(int j) {
    const int warp_col = threadIdx.x / 32 / (TILE_ROWS / WARP_ROWS) * WARP_COLS;
    return warp_col + threadIdx.x % 4 * CHUNK + j / CHUNK * 4 * CHUNK + j % CHUNK;
}

// ---- operands whose lines lie side by side --------------------------------------------------

// A matrix in memory, a row for each depth, `pitch` elements apart (a multiple of 4); zeros beyond
// column `cols` (one too) and, where it ENDS there and no other zeros follow, from depth `end` on.
template <int WIDTH, bool ENDS>
struct Strip {
    static constexpr int CHUNKS = WIDTH / CHUNK, NEXT = BLOCK / CHUNKS, SHARE = STEP / NEXT;
    static constexpr int AT_ONCE = 1;
    const float* from;
    INDEX pitch;
    int depth, end;
    bool there;

    __device__ __forceinline__ Strip(
        const float* data, INDEX given_pitch, int col, int cols, int begin, int stop
    ) : pitch(given_pitch), depth(begin + threadIdx.x / CHUNKS), end(stop) {
        const int own = col + threadIdx.x % CHUNKS * CHUNK;
        there = own < cols;
        from = data + depth * pitch + own;
    }
    __device__ __forceinline__ void copy(float* slab) {
        float* to = slab + threadIdx.x * CHUNK;
#pragma unroll
        for (int i = 0; i < SHARE; ++i) {
            copy_async(to + i * NEXT * WIDTH, from, there && (!ENDS || depth + i * NEXT < end));
            from += NEXT * pitch;
        }
        depth += STEP;
    }
    __device__ static __forceinline__ int own_row(int i) {
        return warp_row() + threadIdx.x % 32 / 4 * CHUNK + i / CHUNK * WARP_ROWS / 2 + i % CHUNK;
    }
    __device__ static __forceinline__ void read_rows(
        const float* slab, int depth, float (&left)[OWN_ROWS][AT_ONCE]
    ) {
#pragma unroll
        for (int i = 0; i < OWN_ROWS; i += CHUNK)
            read<CHUNK>(slab + depth * WIDTH + own_row(i), &left[i][0]);
    }
};

// ---- operands whose depths lie side by side -------------------------------------------------

// What reads such lines; where they come from is for the operand that inherits this to say.
struct Lines {
    static constexpr int CHUNKS = STEP / CHUNK, NEXT = BLOCK / CHUNKS, SHARE = TILE_ROWS / NEXT;
    static constexpr int AT_ONCE = OWN_COLS > 8 ? 4 : 2;  // as many depths as there are registers

    static_assert(NEXT % 8 == 0, "8 lines further a chunk lies at the same place of its line");

    __device__ static __forceinline__ int place(int line, int chunk) {
        return line * STEP + (chunk ^ (line / 2 & 3)) * CHUNK;
    }
    // Of the chunk that the thread copies: its first line's.
    __device__ static __forceinline__ int own_place() {
        return place(threadIdx.x / CHUNKS, threadIdx.x % CHUNKS);
    }
    __device__ static __forceinline__ int own_row(int i) {
        return warp_row() + threadIdx.x % 32 / 4 + i * 8;
    }
    __device__ static __forceinline__ void read_rows(
        const float* slab, int depth, float (&left)[OWN_ROWS][AT_ONCE]
    ) {
#pragma unroll
        for (int i = 0; i < OWN_ROWS; ++i)
            read<AT_ONCE>(
                slab + place(own_row(0), depth / CHUNK) + i * 8 * STEP + depth % CHUNK, left[i]
            );
    }
};

// ---- the product ----------------------------------------------------------------------------

template <class Left>
__device__ __forceinline__ void multiply(const float* a, const float* b, Results& sum) {
#pragma unroll
    for (int depth = 0; depth < STEP; depth += Left::AT_ONCE) {
        float left[OWN_ROWS][Left::AT_ONCE];
        Left::read_rows(a, depth, left);
#pragma unroll
        for (int k = 0; k < Left::AT_ONCE; ++k) {
            float right[OWN_COLS];
#pragma unroll
            for (int j = 0; j < OWN_COLS; j += CHUNK)
                read<CHUNK>(b + (depth + k) * TILE_COLS + own_col(j), right + j);
#pragma unroll
            for (int i = 0; i < OWN_ROWS; ++i)
#pragma unroll
                for (int j = 0; j < OWN_COLS; ++j)
                    sum[i][j] = multiply_add(left[i][k], right[j], sum[i][j]);
        }
    }
}

// Sums up `steps` slabs and has keep(sum, first, last) take what each CHAIN of them gives: a rounding
// error grows with the length of a chain of additions. Call it from the whole block.
template <class Left, class Right, class Keep>
__device__ __forceinline__ void product(Left& left, Right& right, int steps, const Keep& keep) {
    constexpr int LEFT = TILE_ROWS * STEP, RIGHT = TILE_COLS * STEP;
    __shared__ __align__(128) float pipeline_left[STAGES * LEFT];
    __shared__ __align__(128) float pipeline_right[STAGES * RIGHT];
    __syncthreads();  // nobody copies into a place before all have read what the last tile left
#pragma unroll
    for (int stage = 0; stage < STAGES - 1; ++stage) {
        if (stage < steps) {
            left.copy(pipeline_left + stage * LEFT);
            right.copy(pipeline_right + stage * RIGHT);
        }
        commit_copies();
    }
    int now = 0, next = STAGES - 1, step = 0;
    do {
        const int begin = step, end = steps - begin < CHAIN ? steps : begin + CHAIN;
        Results sum;
#pragma unroll
        for (int i = 0; i < OWN_ROWS; ++i)
#pragma unroll
            for (int j = 0; j < OWN_COLS; ++j) sum[i][j] = 0;
#pragma unroll 1
        for (; step < end; ++step) {
            wait_for_copies<STAGES - 2>();
            __syncthreads();
            if (step + STAGES - 1 < steps) {
                left.copy(pipeline_left + next * LEFT);
                right.copy(pipeline_right + next * RIGHT);
            }
            commit_copies();  // an empty one too, so that the same count of groups is waited for
            multiply<Left>(pipeline_left + now * LEFT, pipeline_right + now * RIGHT, sum);
            now = now + 1 == STAGES ? 0 : now + 1;
            next = next + 1 == STAGES ? 0 : next + 1;
        }
        keep(sum, begin == 0, step == steps);
    } while (step < steps);
}
