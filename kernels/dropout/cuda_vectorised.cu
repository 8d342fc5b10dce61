// vectorised: dropout, 16 bytes a thread.
//
// Idea: as philox, a mask is a function of its element. A block of four random words is one float4;
//   of doubles a vector holds two, and the threads next to each other draw the same block: ten
//   rounds of integers, for as many bytes as with floats. One load and one store for each thread,
//   where philox reaches for every fourth element and touches each sector four times over.
// Grid: one thread for each vector, striding over what is left. Shared memory: none.
// Takes: every shape, float and double; the mask is that of every other backend, bit for bit.
//   Arrays that do not start on a multiple of 16 bytes are taken one by one, a block of words each.
// Next rung: none alone; in the epilogue of the kernel before it, it reads and writes nothing.
#include "vectors.cuh"

#define DRAWS (4 / Vector::SIZE)  // vectors that share a block of words

// A word by number, without an address: the words stay in registers.
__device__ inline unsigned word_of(Words drawn, int number) {
    const unsigned even = number < 2 ? drawn.word[0] : drawn.word[2];
    const unsigned odd = number < 2 ? drawn.word[1] : drawn.word[3];
    return number % 2 == 0 ? even : odd;
}

extern "C" __global__ void dropout(
    REAL* y, const REAL* x, const unsigned long long* seed, const long long* step,
    const long long* stream, unsigned long long threshold, REAL gain, INDEX vectors, INDEX count
) {
    const unsigned now = step[0], layer = stream[0];
    GRID_STRIDE(i, vectors) {
        const Words drawn = philox(i / DRAWS, now, layer, seed[0]);
        const int first = i % DRAWS * Vector::SIZE;
        Vector own = load(x, i);
        for (int lane = 0; lane < Vector::SIZE; ++lane)
            own.lane[lane] *= word_of(drawn, first + lane) < threshold ? gain : 0;
        store(y, i, own);
    }
    REST_STRIDE(at, vectors, count) {
        const Words drawn = philox(at / 4, now, layer, seed[0]);
        y[at] = x[at] * (word_of(drawn, at % 4) < threshold ? gain : 0);
    }
}
