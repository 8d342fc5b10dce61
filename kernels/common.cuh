// What every kernel here shares: types, loops, index arithmetic, sums in a fixed order, Philox.
//
// The launcher defines REAL (float or double), INDEX (int, or long long where a count asks for it)
// and BLOCK (threads of a block). NVRTC brings no standard headers, hence no NAN and no INFINITY.
#pragma once

#ifndef REAL
#define REAL float
#endif
#ifndef INDEX
#define INDEX int
#endif
#ifndef BLOCK
#define BLOCK 256
#endif

// A thread's items: its own, then one grid further each time. INDEX leaves room for one step
// beyond `count` (gpuconv.cuda.launch.index_type), so that `i` cannot wrap around.
#define GRID_STRIDE(i, count)                                                          \
    for (INDEX i = (INDEX)blockIdx.x * blockDim.x + threadIdx.x; i < (count);          \
         i += (INDEX)gridDim.x * blockDim.x)

// The same with a whole block, or a whole warp, for each item: all its threads go round together.
#define BLOCK_STRIDE(i, count) for (INDEX i = blockIdx.x; i < (count); i += gridDim.x)
#define WARP_STRIDE(i, count)                                                          \
    for (INDEX i = ((INDEX)blockIdx.x * blockDim.x + threadIdx.x) / 32; i < (count);   \
         i += (INDEX)gridDim.x * blockDim.x / 32)

// ---- arithmetic in REAL ---------------------------------------------------------------------

__device__ inline float multiply_add(float a, float b, float c) { return fmaf(a, b, c); }
__device__ inline double multiply_add(double a, double b, double c) { return fma(a, b, c); }
__device__ inline float exponential(float x) { return expf(x); }
__device__ inline double exponential(double x) { return exp(x); }
__device__ inline float logarithm(float x) { return logf(x); }
__device__ inline double logarithm(double x) { return log(x); }

__device__ inline REAL infinity() { return __int_as_float(0x7f800000); }
__device__ inline REAL not_a_number() { return __int_as_float(0x7fc00000); }
__device__ inline bool is_nan(REAL x) { return x != x; }
// fmaxf drops a NaN; here it wins.
__device__ inline REAL larger(REAL a, REAL b) { return b > a || is_nan(b) ? b : a; }
__device__ inline REAL rectified(REAL x) { return x <= 0 ? 0 : x; }

// ---- indices --------------------------------------------------------------------------------

__device__ inline INDEX lesser(INDEX a, INDEX b) { return b < a ? b : a; }
__device__ inline bool inside(INDEX i, INDEX size) { return 0 <= i && i < size; }
// The window that starts at `position` elements into the padded axis, or -1 where none does.
__device__ inline INDEX window_at(INDEX position, INDEX stride, INDEX windows) {
    if (position < 0 || position % stride != 0) return -1;
    const INDEX window = position / stride;
    return window < windows ? window : -1;
}

// Letters as in CUTLASS: input N C H W, weight K C/groups R S, output N K P Q.
struct Conv2d {
    INDEX n, c, h, w, k, r, s, p, q;
    INDEX stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;
    INDEX groups, has_bias, relu;
};
// Planes (N * C) of H W, window R S, output P Q.
struct Pool2d {
    INDEX h, w, r, s, p, q;
    INDEX stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dilation_h, dilation_w;
    INDEX include_pad;
};

// ---- sums in a fixed order: the same bits every time ----------------------------------------

// Adds terms up 16 at a time: a rounding error grows with the length of a chain of additions, and
// this has two short chains where one sum has a long one.
struct LongSum {
    REAL total, part;
    int terms;
    __device__ LongSum() : total(0), part(0), terms(0) {}
    __device__ void add(REAL term) {
        part += term;
        count();
    }
    __device__ void add_product(REAL a, REAL b) {
        part = multiply_add(a, b, part);
        count();
    }
    __device__ void count() {
        if (++terms < 16) return;
        total += part;
        part = 0;
        terms = 0;
    }
    __device__ REAL value() const { return total + part; }
};

template <typename T>
__device__ inline T warp_sum(T value) {
    for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(~0u, value, lanes);
    return value;
}
__device__ inline REAL warp_larger(REAL value) {
    for (int lanes = 16; lanes > 0; lanes /= 2)
        value = larger(value, __shfl_xor_sync(~0u, value, lanes));
    return value;
}

// The sum over a block of BLOCK threads, to each of them; call it from all of them.
__device__ inline REAL block_sum(REAL value) {
    __shared__ REAL block_sum_part[BLOCK];
    block_sum_part[threadIdx.x] = value;
    __syncthreads();
    for (unsigned half = BLOCK / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) block_sum_part[threadIdx.x] += block_sum_part[threadIdx.x + half];
        __syncthreads();
    }
    const REAL total = block_sum_part[0];
    __syncthreads();  // nobody writes the next sum's values before all have read this one
    return total;
}

// Element `i` of a result whose partial sums lie one slice of `count` elements after the other.
__device__ inline REAL sum_of_slices(const REAL* partial, INDEX slices, INDEX count, INDEX i) {
    REAL total = 0;
    for (INDEX slice = 0; slice < slices; ++slice) total += partial[slice * count + i];
    return total;
}

// ---- random words ---------------------------------------------------------------------------

struct Words {
    unsigned word[4];
};

// Philox4x32-10 (Salmon et al. 2011), the words of gpuconv/random.py: element e has word e % 4 of
// block e / 4.
__device__ inline Words philox(
    unsigned long long block, unsigned step, unsigned stream, unsigned long long seed
) {
    unsigned c0 = (unsigned)block, c1 = (unsigned)(block >> 32), c2 = step, c3 = stream;
    unsigned k0 = (unsigned)seed, k1 = (unsigned)(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const unsigned high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
        const unsigned high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}
