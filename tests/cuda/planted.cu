// One fault in each kernel. The comment at the end of a line names what may be reported there, and
// the thread if there is but one; which of several it is depends on the order.
#include <cuda_pipeline.h>

__device__ __noinline__ void put(float* p, int i) {
  p[i] = 1.0f;
}

extern "C" __global__ void global_write(float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) y[i] = 1.0f;  // BoundsError 31
}

extern "C" __global__ void global_read(const float* x, float* y) {
  const int i = threadIdx.x;
  y[i] = x[i] + x[i + 1];  // BoundsError 31
}

struct Row {
  float value[33];
};
extern "C" __global__ void struct_copy(const Row* x, Row* y) {
  y[threadIdx.x] = x[threadIdx.x];  // BoundsError 31
}

// Both arrays are views of one arena, side by side.
extern "C" __global__ void global_neighbour(float* x, float* y) {
  x[threadIdx.x + 1] = y[threadIdx.x];  // BoundsError 31
}

extern "C" __global__ void const_argument(const float* x) {
  const_cast<float*>(x)[threadIdx.x] = 1.0f;  // BoundsError
}

extern "C" __global__ void shared_index(float* y) {
  __shared__ float s[32];
  s[threadIdx.x + 1] = 1.0f;  // BoundsError 31
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void shared_pointer(float* y) {
  __shared__ float s[32];
  put(s, threadIdx.x + 1);  // in put: BoundsError 31
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}

// All that is written here is initialised, and lies in a shared variable.
extern "C" __global__ void shared_neighbour(float* y, int second_one) {
  __shared__ float first[32], second[32];
  first[threadIdx.x] = second[threadIdx.x] = 2.0f;
  __syncthreads();
  float* p = second_one ? second : first;
  if (threadIdx.x == 31) put(p, second_one ? -1 : 32);  // in put: BoundsError 31
  __syncthreads();
  y[threadIdx.x] = first[threadIdx.x] + second[threadIdx.x];
}

extern "C" __global__ void shared_dynamic(float* y) {
  extern __shared__ float d[];
  d[threadIdx.x] = 1.0f;  // BoundsError
  __syncthreads();
  y[threadIdx.x] = d[threadIdx.x];
}

extern "C" __global__ void local_array(float* y, int k) {
  float a[4];
  for (int i = 0; i < 4; ++i) a[i] = y[i];
  y[threadIdx.x] = a[k];  // BoundsError
}

extern "C" __global__ void uninitialized_shared(float* y) {
  __shared__ float s[64];
  if (threadIdx.x != 5) s[threadIdx.x] = 0.0f;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];  // UninitializedError 5
}

extern "C" __global__ void uninitialized_output(float* y) {
  y[threadIdx.x] += 1.0f;  // UninitializedError
}

extern "C" __global__ void missing_sync(float* y) {
  __shared__ float s[64];
  s[threadIdx.x] = threadIdx.x;     // RaceError
  y[threadIdx.x] = s[63 - threadIdx.x];  // RaceError UninitializedError
}

extern "C" __global__ void missing_second_sync(const float* x, float* y) {
  __shared__ float s[64];
  float sum = 0;
  for (int r = 0; r < 4; ++r) {
    s[threadIdx.x] = x[r * 64 + threadIdx.x];  // RaceError
    __syncthreads();
    sum += s[63 - threadIdx.x];  // RaceError
  }
  y[threadIdx.x] = sum;
}

extern "C" __global__ void missing_syncwarp(float* y) {
  __shared__ float s[32];
  s[threadIdx.x] = threadIdx.x;          // RaceError
  y[threadIdx.x] = s[31 - threadIdx.x];  // RaceError UninitializedError
}

// Half a warp is synchronised, but its lanes read what the other half wrote.
extern "C" __global__ void wrong_syncwarp_mask(float* y) {
  __shared__ float s[32];
  s[threadIdx.x] = threadIdx.x;  // RaceError
  if (threadIdx.x < 16) {
    __syncwarp(0x0000ffffu);
  } else {
    __syncwarp(0xffff0000u);
  }
  y[threadIdx.x] = s[31 - threadIdx.x];  // RaceError UninitializedError
}

extern "C" __global__ void race_between_blocks(float* y) {
  y[threadIdx.x] = blockIdx.x;  // RaceError
}

extern "C" __global__ void missing_atomic(float* y) {
  y[0] += 1.0f;  // RaceError
}

extern "C" __global__ void read_beside_atomic(float* y, float* z) {
  atomicAdd(y, 1.0f);     // RaceError
  z[threadIdx.x] = y[0];  // RaceError
}

extern "C" __global__ void total_of_all_blocks(float* y, float* z) {
  atomicAdd(y, 1.0f);  // RaceError
  __syncthreads();
  if (threadIdx.x == 0) z[blockIdx.x] = y[0];  // RaceError
}

extern "C" __global__ void divergent_barrier(float* y) {
  if (threadIdx.x < 16) __syncthreads();  // BarrierError
  y[threadIdx.x] = 1.0f;
}

extern "C" __global__ void two_barriers(float* y) {
  if (threadIdx.x < 16) {
    __syncthreads();  // BarrierError
    y[threadIdx.x] = 1.0f;
  } else {
    __syncthreads();
    y[threadIdx.x] = 2.0f;
  }
}

extern "C" __global__ void early_exit(const float* x, float* y, int n) {
  const int i = threadIdx.x;
  if (i >= n) return;
  __shared__ float s[64];
  s[i] = x[i];
  __syncthreads();  // BarrierError
  y[i] = s[n - 1 - i];
}

extern "C" __global__ void shuffle_missing_lane(int* y) {
  if (threadIdx.x < 31) {
    y[threadIdx.x] = __shfl_down_sync(0xffffffffu, (int)threadIdx.x, 1);  // BarrierError
  }
}

extern "C" __global__ void shuffle_outside_mask(int* y) {
  if (threadIdx.x < 16) {
    y[threadIdx.x] = __shfl_sync(0xffffu, (int)threadIdx.x, 20);  // BarrierError
  }
}

extern "C" __global__ void misaligned(const float* x, float* y) {
  const float4 v = *reinterpret_cast<const float4*>(x + 1);  // AlignmentError
  y[threadIdx.x] = v.x;
}

extern "C" __global__ void shift(int* y, int s) {
  y[threadIdx.x] = 1 << s;  // UndefinedBehaviourError
}

extern "C" __global__ void overflow(int* y, int n) {
  y[threadIdx.x] = n * n;  // UndefinedBehaviourError
}

extern "C" __global__ void division(int* y, int n) {
  y[threadIdx.x] = 7 / n;  // UndefinedBehaviourError
}

extern "C" __global__ void null_pointer(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x];  // BoundsError
}

extern "C" __global__ void trap(float* y) {
  if (threadIdx.x == 3) __trap();  // TrapError 3
  y[threadIdx.x] = 1.0f;
}

extern "C" __global__ void missing_copy_wait(const float* x, float* y) {
  __shared__ __align__(16) float s[128];
  __pipeline_memcpy_async(s + 4 * threadIdx.x, x + 4 * threadIdx.x, 16);
  __pipeline_commit();
  __syncthreads();
  y[threadIdx.x] = s[4 * threadIdx.x];  // RaceError
}

// The second stage is waited for too late: the loop computes with it while it may still land.
extern "C" __global__ void late_copy_wait(const float* x, float* y) {
  __shared__ __align__(16) float s[2][128];
  float sum = 0;
  for (int k = 0; k < 2; ++k) {
    __pipeline_memcpy_async(&s[k][4 * threadIdx.x], x + 128 * k + 4 * threadIdx.x, 16);
    __pipeline_commit();
  }
  for (int k = 0; k < 2; ++k) {
    __pipeline_wait_prior(1);
    __syncthreads();
    sum += s[k][4 * threadIdx.x];  // RaceError
  }
  y[threadIdx.x] = sum;
}

// A thread waits for its own copies only.
extern "C" __global__ void copy_without_barrier(const float* x, float* y) {
  __shared__ __align__(16) float s[128];
  __pipeline_memcpy_async(s + 4 * threadIdx.x, x + 4 * threadIdx.x, 16);  // RaceError
  __pipeline_commit();
  __pipeline_wait_prior(0);
  y[threadIdx.x] = s[4 * (31 - threadIdx.x)];  // RaceError UninitializedError
}

extern "C" __global__ void uncommitted_copy(const float* x, float* y) {
  __shared__ __align__(16) float s[128];
  __pipeline_memcpy_async(s + 4 * threadIdx.x, x + 4 * threadIdx.x, 16);
  __pipeline_wait_prior(0);
  y[threadIdx.x] = s[4 * threadIdx.x];  // RaceError
}

extern "C" __global__ void copy_into_use(const float* x, float* y) {
  __shared__ __align__(16) float s[128];
  for (int k = 0; k < 2; ++k) {
    __pipeline_memcpy_async(s + 4 * threadIdx.x, x + 4 * threadIdx.x, 16);  // RaceError
    __pipeline_commit();
    __pipeline_wait_prior(0);
    __syncthreads();
    y[threadIdx.x] = s[4 * (31 - threadIdx.x)];  // RaceError
  }
}

extern "C" __global__ void misaligned_copy(const float* x) {
  __shared__ __align__(16) float s[132];
  __pipeline_memcpy_async(s + 4 * threadIdx.x + 1, x, 16);  // AlignmentError
}

extern "C" __global__ void copy_past_the_end(const float* x) {
  __shared__ __align__(16) float s[128];
  __pipeline_memcpy_async(s + 4 * threadIdx.x, x + 4 * threadIdx.x + 4, 16);  // BoundsError 31
}

extern "C" __global__ void before_dynamic(float* y) {
  __shared__ float s[32];
  extern __shared__ float d[];
  s[threadIdx.x] = d[threadIdx.x] = 1.0f;
  __syncthreads();
  if (threadIdx.x == 7) put(d, -1);  // in put: BoundsError 7
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x] + d[threadIdx.x];
}

extern "C" __global__ void misaligned_shared(float* y) {
  __shared__ float s[64];
  s[threadIdx.x] = s[threadIdx.x + 32] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = reinterpret_cast<float2*>(s + 1)[threadIdx.x / 2].x;  // AlignmentError
}

extern "C" __global__ void read_of_another_block(float* y, float* z) {
  if (threadIdx.x == 0) y[blockIdx.x] = 1.0f;     // RaceError
  z[blockIdx.x * blockDim.x + threadIdx.x] = y[0];  // RaceError
}

extern "C" __global__ void race_for_a_byte(bool* y) {
  y[threadIdx.x / 2] = threadIdx.x % 2;  // RaceError
}

extern "C" __global__ void barrier_in_an_uneven_loop(float* y, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    __syncthreads();  // BarrierError
    y[i] = 1.0f;
  }
}

extern "C" __global__ void syncwarp_missing_lane(float* y) {
  if (threadIdx.x % 2) __syncwarp();  // BarrierError
  y[threadIdx.x] = 1.0f;
}
