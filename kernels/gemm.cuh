// A matrix product by tiles, whatever its operands are: the main loop of linear and convolution.
//
// C = A B, a block of 256 threads for each 64 x 64 tile of C. It walks along the inner dimension in
// steps of 8: its threads bring a strip of A and one of B, 64 x 8 each, into shared memory, and
// each multiplies 4 rows with 4 columns: 8 reads from shared memory for 16 multiply-adds. While it
// does, the next strips are on their way from global memory. A double takes two registers, and so
// its tile is 64 x 32.
//
// An operand says how its elements are fetched. It has lines (rows of A, columns of B) and, along
// each, a depth. Where a line or a depth lies may take divisions to find out, so a thread finds it
// once and then steps on:
//   ALONG_DEPTH                neighbours in memory lie along the depth, else along the lines
//   Line line(INDEX)           what is to be known of a line
//   Depth depth(INDEX, int)    what is to be known of a depth, and to get so many further
//   void leap(Depth&)          so many further
//   REAL at(Line, Depth)       the element
#pragma once
#include "common.cuh"

#define STEP 8
#define SIDE 16  // threads along a tile's rows, and along its columns
static_assert(SIDE * SIDE == BLOCK, "every thread has results");

constexpr int TILE_ROWS = 64, TILE_COLS = sizeof(REAL) == 4 ? 64 : 32;
constexpr int OWN_ROWS = TILE_ROWS / SIDE, OWN_COLS = TILE_COLS / SIDE;  // results of a thread

// C is rows x cols and there are `batch` of it (a convolution's groups). The sum runs over depth,
// in `slices` parts that blocks work on at once, and within one in chains of additions of `chain`
// terms: what is rounded grows with a chain's length.
struct Gemm {
    INDEX rows, cols, depth, batch, slices, chain;
};

// A block's share: a tile of C, the first at (row, col), and the depth [begin, end).
struct Tile {
    INDEX row, col, batch, slice, begin, end;
};

// The tiles beneath each other come first: they have their columns, mostly the larger operand, in
// common.
__device__ inline Tile tile_at(Gemm gemm, INDEX i) {
    const INDEX down = (gemm.rows + TILE_ROWS - 1) / TILE_ROWS;
    const INDEX across = (gemm.cols + TILE_COLS - 1) / TILE_COLS;
    const INDEX steps = (gemm.depth + STEP - 1) / STEP;
    const INDEX size = (steps + gemm.slices - 1) / gemm.slices * STEP;
    Tile tile;
    tile.row = i % down * TILE_ROWS;
    tile.col = i / down % across * TILE_COLS;
    tile.batch = i / down / across % gemm.batch;
    tile.slice = i / down / across / gemm.batch;
    tile.begin = tile.slice * size;
    tile.end = lesser(tile.begin + size, gemm.depth);
    return tile;
}

// ---- a strip of an operand into shared memory -----------------------------------------------

// Four more columns: lanes that write along the depth meet 32 different banks, and a thread's four
// values still begin at a multiple of 16 bytes.
template <int WIDTH>
struct Strip {
    REAL at[STEP][WIDTH + 4];
};
typedef REAL Results[OWN_ROWS][OWN_COLS];

// Brings a strip after the other. Neighbouring threads read neighbours in memory: one depth of
// several lines, or several depths of one line.
template <class Operand, int WIDTH>
struct Bringer {
    static constexpr int SHARE = WIDTH * STEP / BLOCK;  // elements of a strip
    static constexpr int LINES = Operand::ALONG_DEPTH ? SHARE : 1;
    static constexpr int DEPTHS = SHARE / LINES, LEAP = STEP / DEPTHS, NEXT = WIDTH / LINES;
    const Operand& operand;
    int first_line, first_depth;
    INDEX at;
    typename Operand::Line line[LINES];
    typename Operand::Depth depth;
    REAL held[SHARE];

    // A line beyond the last one is a copy of that: what comes of it is not stored.
    __device__ Bringer(const Operand& given, INDEX line_begin, INDEX lines, INDEX begin)
        : operand(given) {
        const int i = threadIdx.x;
        first_line = Operand::ALONG_DEPTH ? i / STEP : i % WIDTH;
        first_depth = Operand::ALONG_DEPTH ? i % STEP : i / WIDTH;
        at = begin + first_depth;
        depth = operand.depth(at, LEAP);
        for (int j = 0; j < LINES; ++j)
            line[j] = operand.line(lesser(line_begin + first_line + j * NEXT, lines - 1));
    }

    // Zeros beyond the end.
    __device__ void fetch(INDEX end) {
        for (int i = 0; i < DEPTHS; ++i) {
            for (int j = 0; j < LINES; ++j)
                held[i * LINES + j] = at < end ? operand.at(line[j], depth) : 0;
            operand.leap(depth);
            at += LEAP;
        }
    }

    __device__ void put(Strip<WIDTH>& strip) const {
        for (int i = 0; i < DEPTHS; ++i)
            for (int j = 0; j < LINES; ++j)
                strip.at[first_depth + i * LEAP][first_line + j * NEXT] = held[i * LINES + j];
    }
};

// ---- the product ----------------------------------------------------------------------------

// The thread's first row of the tile, and its first column.
__device__ inline int own_row() { return threadIdx.x / SIDE * OWN_ROWS; }
__device__ inline int own_col() { return threadIdx.x % SIDE * OWN_COLS; }

__device__ inline void clear(Results& sum) {
    for (int i = 0; i < OWN_ROWS; ++i)
        for (int j = 0; j < OWN_COLS; ++j) sum[i][j] = 0;
}

__device__ inline void add(Results& sum, const Results& part) {
    for (int i = 0; i < OWN_ROWS; ++i)
        for (int j = 0; j < OWN_COLS; ++j) sum[i][j] += part[i][j];
}

__device__ inline void multiply(
    const Strip<TILE_ROWS>& a, const Strip<TILE_COLS>& b, Results& sum
) {
    const int row = own_row(), col = own_col();
    for (int depth = 0; depth < STEP; ++depth) {
        REAL left[OWN_ROWS], right[OWN_COLS];
        for (int i = 0; i < OWN_ROWS; ++i) left[i] = a.at[depth][row + i];
        for (int j = 0; j < OWN_COLS; ++j) right[j] = b.at[depth][col + j];
        for (int i = 0; i < OWN_ROWS; ++i)
            for (int j = 0; j < OWN_COLS; ++j)
                sum[i][j] = multiply_add(left[i], right[j], sum[i][j]);
    }
}

// The thread's results of a tile; call it from the whole block.
template <class A, class B>
__device__ void product(const A& a, const B& b, Gemm gemm, Tile tile, Results& sum) {
    __shared__ __align__(16) Strip<TILE_ROWS> product_a;
    __shared__ __align__(16) Strip<TILE_COLS> product_b;
    Bringer<A, TILE_ROWS> rows(a, tile.row, gemm.rows, tile.begin);
    Bringer<B, TILE_COLS> cols(b, tile.col, gemm.cols, tile.begin);
    clear(sum);
    rows.fetch(tile.end);
    cols.fetch(tile.end);
    for (INDEX begin = tile.begin; begin < tile.end; begin += gemm.chain) {
        const INDEX end = lesser(begin + gemm.chain, tile.end);
        Results part;
        clear(part);
        for (INDEX step = begin; step < end; step += STEP) {
            rows.put(product_a);
            cols.put(product_b);
            __syncthreads();
            rows.fetch(tile.end);
            cols.fetch(tile.end);
            multiply(product_a, product_b, part);
            __syncthreads();  // nobody brings the next strips before all have read these
        }
        add(sum, part);
    }
}

// Calls store(row, col, value) for the thread's results that C has a place for.
template <class Store>
__device__ void each_result(Gemm gemm, Tile tile, const Results& sum, const Store& store) {
    for (int i = 0; i < OWN_ROWS; ++i) {
        for (int j = 0; j < OWN_COLS; ++j) {
            const INDEX row = tile.row + own_row() + i, col = tile.col + own_col() + j;
            if (row < gemm.rows && col < gemm.cols) store(row, col, sum[i][j]);
        }
    }
}

// ---- plain matrices -------------------------------------------------------------------------

// A matrix in memory, `pitch` elements from one row to the next. Its rows are the lines, with the
// depth along them; or they are the depths, with the lines along them.
template <bool ROWS_ARE_LINES>
struct Matrix {
    static constexpr bool ALONG_DEPTH = ROWS_ARE_LINES;
    typedef INDEX Line;
    struct Depth {
        INDEX offset, leap;
    };
    const REAL* data;
    INDEX pitch;

    __device__ Line line(INDEX i) const { return ROWS_ARE_LINES ? i * pitch : i; }
    __device__ Depth depth(INDEX i, int leap) const {
        const INDEX each = ROWS_ARE_LINES ? 1 : pitch;
        return {i * each, leap * each};
    }
    __device__ void leap(Depth& depth) const { depth.offset += depth.leap; }
    __device__ REAL at(Line line, const Depth& depth) const { return data[line + depth.offset]; }
};

// Results row by row: a matrix of as many columns.
struct Plain {
    REAL* data;
    INDEX cols;

    __device__ void operator()(INDEX row, INDEX col, REAL sum) const {
        data[row * cols + col] = sum;
    }
};
