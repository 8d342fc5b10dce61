// Blocks that leave something behind for the one that is done last. Correct as they stand; a test
// takes away RELEASE, ACQUIRE or a JOIN, and check mode must report it (tests/test_emulator_fences.py).
#ifndef RELEASE
#define RELEASE __threadfence()
#endif
#ifndef ACQUIRE
#define ACQUIRE __threadfence()
#endif
#ifndef JOIN
#define JOIN __syncthreads()
#endif
#ifndef JOIN_LANES
#define JOIN_LANES __syncwarp()
#endif
#ifdef PLAIN_TICKET
#define TICKET(counter) (*(counter))++
#else
#define TICKET(counter) atomicAdd(counter, 1)
#endif

// One thread writes, fences and takes a ticket; all threads of the last block add up.
extern "C" __global__ void one_writes(float* y, float* partial, int* counter) {
  __shared__ int last;
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = (float)(blockIdx.x + 1);
    RELEASE;
    last = TICKET(counter) == (int)gridDim.x - 1;
    ACQUIRE;
  }
  JOIN;
  if (last) {
    float sum = 0;
    for (int i = 0; i < (int)gridDim.x; ++i) sum += partial[i];
    y[threadIdx.x] = sum;
    if (threadIdx.x == 0) *counter = 0;
  }
}

// All threads write and each fences what it wrote; a barrier; one takes the ticket.
extern "C" __global__ void all_fence(float* y, float* partial, int* counter) {
  __shared__ int last;
  partial[blockIdx.x * blockDim.x + threadIdx.x] = (float)(blockIdx.x + 1);
  RELEASE;
  JOIN;
  if (threadIdx.x == 0) last = TICKET(counter) == (int)gridDim.x - 1;
  __syncthreads();
  if (last) {
    ACQUIRE;
    float sum = 0;
    for (int i = 0; i < (int)gridDim.x; ++i) sum += partial[i * blockDim.x + 63 - threadIdx.x];
    y[threadIdx.x] = sum;
  }
}

// All threads write; a barrier; the one that takes the ticket fences for all of them.
extern "C" __global__ void one_fences(float* y, float* partial, int* counter) {
  __shared__ int last;
  partial[blockIdx.x * blockDim.x + threadIdx.x] = (float)(blockIdx.x + 1);
  JOIN;
  if (threadIdx.x == 0) {
    RELEASE;
    last = TICKET(counter) == (int)gridDim.x - 1;
    ACQUIRE;
  }
  __syncthreads();
  if (last) {
    float sum = 0;
    for (int i = 0; i < (int)gridDim.x; ++i) sum += partial[i * blockDim.x + 63 - threadIdx.x];
    y[threadIdx.x] = sum;
  }
}

// The same for a warp: no barrier of the block, __syncwarp orders the lanes.
extern "C" __global__ void a_warp(float* y, float* partial, int* counter) {
  const int warps = gridDim.x * blockDim.x / 32, lane = threadIdx.x % 32;
  const int warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  partial[warp * 32 + lane] = (float)(blockIdx.x + 1);
  RELEASE;
  JOIN_LANES;
  int ticket = 0;
  if (lane == 0) ticket = TICKET(counter);
  ticket = __shfl_sync(~0u, ticket, 0);
  __syncwarp();
  if (ticket == warps - 1) {
    ACQUIRE;
    float sum = 0;
    for (int i = 0; i < warps; ++i) sum += partial[i * 32 + 31 - lane];
    y[lane] = y[lane + 32] = sum / 2;
  }
}

// The same with one lane that fences for all.
extern "C" __global__ void a_lane(float* y, float* partial, int* counter) {
  const int warps = gridDim.x * blockDim.x / 32, lane = threadIdx.x % 32;
  const int warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  partial[warp * 32 + lane] = (float)(blockIdx.x + 1);
  JOIN_LANES;
  int ticket = 0;
  if (lane == 0) {
    RELEASE;
    ticket = TICKET(counter);
    ACQUIRE;
  }
  ticket = __shfl_sync(~0u, ticket, 0);
  __syncwarp();
  if (ticket == warps - 1) {
    float sum = 0;
    for (int i = 0; i < warps; ++i) sum += partial[i * 32 + 31 - lane];
    y[lane] = y[lane + 32] = sum / 2;
  }
}

// A chain: the last of each pair of blocks has its sum, the last pair adds up the sums.
extern "C" __global__ void chain(float* y, float* partial, int* counter) {
  __shared__ int last;
  const int pair = blockIdx.x / 2;
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = (float)(blockIdx.x + 1);
    RELEASE;
    last = TICKET(counter + 1 + pair) == 1;
    ACQUIRE;
    if (last) {
      RELEASE;
      last = TICKET(counter) == (int)gridDim.x / 2 - 1;
      ACQUIRE;
    }
  }
  JOIN;
  if (last) {
    float sum = 0;
    for (int i = 0; i < (int)gridDim.x; ++i) sum += partial[i];
    y[threadIdx.x] = sum;
  }
}

// What a thread writes behind its fence is not released.
extern "C" __global__ void too_early(float* y, float* partial, int* counter) {
  __shared__ int last;
  if (threadIdx.x == 0) {
    RELEASE;
    partial[blockIdx.x] = (float)(blockIdx.x + 1);
    last = TICKET(counter) == (int)gridDim.x - 1;
    ACQUIRE;
  }
  JOIN;
  if (last) y[threadIdx.x] = partial[0] + partial[gridDim.x - 1];
}

// Neither is what the other threads write if no barrier stands before the fence.
extern "C" __global__ void not_joined(float* y, float* partial, int* counter) {
  __shared__ int last;
  partial[blockIdx.x * blockDim.x + threadIdx.x] = (float)(blockIdx.x + 1);
  if (threadIdx.x == 0) {
    RELEASE;
    last = TICKET(counter) == (int)gridDim.x - 1;
    ACQUIRE;
  }
  JOIN;
  if (last) y[threadIdx.x] = partial[threadIdx.x] + partial[blockDim.x + threadIdx.x];
}

// A counter of its own for each block tells nothing about the others.
extern "C" __global__ void other_counter(float* y, float* partial, int* counter) {
  __shared__ int own;
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = (float)(blockIdx.x + 1);
    RELEASE;
    own = TICKET(counter + blockIdx.x);
    ACQUIRE;
  }
  JOIN;
  y[blockIdx.x * blockDim.x + threadIdx.x] = partial[0] + partial[gridDim.x - 1] + (float)own;
}

// The counter is read as plain memory: that is no acquiring, and a race by itself.
extern "C" __global__ void plain_counter(float* y, float* partial, int* counter) {
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = (float)(blockIdx.x + 1);
    RELEASE;
    *counter += 1;
    ACQUIRE;
    if (*counter == (int)gridDim.x) y[0] = partial[0] + partial[gridDim.x - 1];
  }
}

// Another thread still uses the counter when it is set back (in ascending order).
extern "C" __global__ void early_reset(float* y, float* partial, int* counter) {
  if (blockIdx.x > 0) return;
  if (threadIdx.x == 0) {
    RELEASE;
    TICKET(counter);
    ACQUIRE;
  }
  __syncwarp();
  if (threadIdx.x == 63) TICKET(counter);
  if (threadIdx.x == 0) *counter = 0;
}

// Block 2 acquires; those after it (in ascending order) do not.
extern "C" __global__ void one_acquires(float* y, float* partial, int* counter) {
  if (threadIdx.x > 0) return;
  partial[blockIdx.x] = (float)(blockIdx.x + 1);
  RELEASE;
  TICKET(counter);
  if (blockIdx.x == 2) ACQUIRE;
  if (blockIdx.x > 2) y[blockIdx.x] = partial[0];
}
