// The pipeline primitives of CUDA: asynchronous copies from global to shared memory.
#pragma once

EMU_INLINE void __pipeline_memcpy_async(void* to, const void* from, size_t size, size_t zfill = 0) {
  emu::copy_async(to, from, (int)size, (int)(size - zfill));
}
EMU_INLINE void __pipeline_commit() { emu::commit_async(); }
EMU_INLINE void __pipeline_wait_prior(size_t pending) { emu::wait_async((int)pending); }
