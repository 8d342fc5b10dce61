// Stands before every kernel source instead of what NVRTC predefines, so that g++ or clang++
// compiles the .cu as it is. Each CUDA thread is a fiber; see docs/emulator.md.
#pragma once

#define GPUCONV_EMULATED 1  // what a .cu asks to choose the host twin of inline PTX
#define __CUDACC__ 1
#define __CUDACC_RTC__ 1
#define __CUDA_ARCH__ 900

#define __global__ EMU_GLOBAL
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#define __constant__ static
// A static of a function: no two are live at once, as blocks run one after another. The build
// finds them in the assembly, gives each a red zone, and the runtime poisons them for each block.
#define __shared__ static
// A value loaded through a restrict pointer must not be kept over a switch to another thread.
#define __restrict__

using size_t = decltype(sizeof 0);
using ptrdiff_t = decltype((char*)nullptr - (char*)nullptr);

#include "emu_interface.h"

#define threadIdx (::emu::position.thread)
#define blockIdx (::emu::position.block)
#define blockDim (::emu::position.block_dim)
#define gridDim (::emu::position.grid_dim)
#define warpSize 32

#include "emu_types.h"

#include "emu_atomics.h"
#include "emu_collectives.h"
#include "emu_math.h"
#include "emu_signature.h"

EMU_INLINE void* memcpy(void* to, const void* from, size_t size) {
  return emu::copy_bytes(to, from, size);
}
EMU_INLINE void* memset(void* to, int value, size_t size) {
  return emu::set_bytes(to, value, size);
}
EMU_INLINE void __trap() { emu::trap(); }
extern "C" int printf(const char* format, ...);
