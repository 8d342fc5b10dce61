// Correct kernels whose memory is used in ways that a check might take for a fault; each is
// tested in every order (tests/test_emulator_patterns.py).
#include <cuda_pipeline.h>

// One barrier per step: two buffers alternate.
extern "C" __global__ void scan(const int* x, int* y) {
  __shared__ int s[2][64];
  const int i = threadIdx.x;
  int from = 0;
  s[0][i] = x[i];
  for (int d = 1; d < 64; d *= 2) {
    __syncthreads();
    s[1 - from][i] = s[from][i] + (i >= d ? s[from][i - d] : 0);
    from = 1 - from;
  }
  y[i] = s[from][i];
}

// Shared memory is laid out by hand in one dynamic array, and used again as another type.
extern "C" __global__ void carved(const double* x, double* y, unsigned char* bytes) {
  extern __shared__ __align__(16) unsigned char raw[];
  double* wide = (double*)raw;
  float* narrow = (float*)(raw + 32 * sizeof(double));
  const int i = threadIdx.x;
  wide[i] = x[i];
  narrow[i] = (float)x[i];
  __syncthreads();
  y[i] = wide[31 - i] + narrow[31 - i];
  __syncthreads();
  raw[i] = (unsigned char)i;
  __syncthreads();
  bytes[i] = raw[31 - i];
}

// Written as vectors, read as scalars; pointers that start outside of what they reach.
extern "C" __global__ void mixed(const float4* x, float* y) {
  __shared__ __align__(16) float s[128];
  const int i = threadIdx.x;
  *reinterpret_cast<float4*>(s + 4 * i) = x[i];
  __syncthreads();
  float* const behind = y + 128;
  const float(*rows)[32] = reinterpret_cast<const float(*)[32]>(s);
  for (int r = 0; r < 4; ++r) behind[r * 32 + i - 128] = rows[3 - r][i];
}

// A counter in shared memory: atomics, a barrier, then plain reads and a plain write.
extern "C" __global__ void compact(const int* x, int* y, int* total) {
  __shared__ int count, base;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  const int keep = x[blockIdx.x * 64 + threadIdx.x] > 0;
  const int at = keep ? atomicAdd(&count, 1) : -1;
  __syncthreads();
  if (threadIdx.x == 0) base = atomicAdd(total, count);
  __syncthreads();
  if (keep) y[base + at] = x[blockIdx.x * 64 + threadIdx.x];
}

// Every thread walks over a local array through a pointer.
__device__ __noinline__ float total(const float* p, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += p[i];
  return sum;
}
extern "C" __global__ void locals(const float* x, float* y, int n) {
  float window[9];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int k = 0; k < 9; ++k) window[k] = i + k < n ? x[i + k] : 0.0f;
  if (i < n) y[i] = total(window, 9);
}

// A tile is loaded, used and loaded again; some threads have nothing to add but wait all the same.
extern "C" __global__ void tiles(const float* x, float* y, int n) {
  __shared__ float s[32];
  float sum = 0;
  for (int first = 0; first < n; first += 32) {
    const int i = first + threadIdx.x;
    s[threadIdx.x] = i < n ? x[i] : 0.0f;
    __syncthreads();
    if (threadIdx.x < 20) {
      for (int k = 0; k < 32; ++k) sum += s[k];
    }
    __syncthreads();
  }
  y[threadIdx.x] = sum;
}

// Half warps work on their own: shuffles and __syncwarp with a mask, in different branches.
extern "C" __global__ void halves_of_a_warp(int* y) {
  __shared__ int s[32];
  const int i = threadIdx.x;
  s[i] = i;
  if (i < 16) {
    __syncwarp(0x0000ffffu);
    y[i] = s[15 - i] + __shfl_xor_sync(0x0000ffffu, i, 1);
  } else {
    __syncwarp(0xffff0000u);
    y[i] = s[47 - i];
  }
}

// Unsigned arithmetic wraps, signed values shift right, and 64-bit indices are wide enough.
extern "C" __global__ void arithmetic(unsigned* y, int minus, long long far) {
  const unsigned hash = (threadIdx.x + 1) * 2654435761u;
  y[threadIdx.x + (far >> 40)] = (hash << 7 | hash >> 25) + (unsigned)(minus >> 3);
}

// Copies of 4, 8 and 16 bytes by different threads, three groups in flight, read by all.
extern "C" __global__ void copies_of_all(const float* x, float* y) {
  __shared__ __align__(16) float s[3][32];
  const int t = threadIdx.x;
  __pipeline_memcpy_async(&s[0][t], x + t, 4);
  __pipeline_commit();
  if (t < 16) __pipeline_memcpy_async(&s[1][2 * t], x + 32 + 2 * t, 8);
  __pipeline_commit();
  if (t < 8) __pipeline_memcpy_async(&s[2][4 * t], x + 64 + 4 * t, 16);
  __pipeline_commit();
  float sum = 0;
  __pipeline_wait_prior(2);
  __syncthreads();
  sum += s[0][31 - t];
  __pipeline_wait_prior(0);
  __syncthreads();
  y[t] = sum + s[1][31 - t] + s[2][31 - t];
}

// Blocks read what all share and write what is their own.
extern "C" __global__ void stencil(const float* x, float* y, int n) {
  const int stride = gridDim.x * blockDim.x;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
    const float left = i ? x[i - 1] : 0.0f, right = i < n - 1 ? x[i + 1] : 0.0f;
    y[i] = left + x[i] + right;
  }
}
