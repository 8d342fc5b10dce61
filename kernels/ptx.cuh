// Every instruction that is written as inline PTX: one function each, and its twin for the CPU.
//
// No other file holds inline PTX (a test looks). The emulated GPU runs the twins under its checks;
// on a GPU a session runs each instruction beside its twin (benchmarks/gpu_session/ptx.cu).
// Takes: sm_80 or newer.
#pragma once

#ifdef GPUCONV_EMULATED

// 16 bytes from global to shared memory, on their way while the thread computes on; zeros where
// they are not `there`, and then `from` is not read. Both addresses are multiples of 16.
EMU_INLINE void copy_async(void* to, const void* from, bool there) {
    emu::copy_async(to, from, 16, there ? 16 : 0);
}
// Closes the group of the copies that the thread began since the last one; it may be empty.
EMU_INLINE void commit_copies() { emu::commit_async(); }
// Waits until no more than the thread's last PENDING groups are on their way. What it does not
// wait for are the copies of other threads: a barrier must follow.
template <int PENDING>
EMU_INLINE void wait_for_copies() {
    emu::wait_async(PENDING);
}

#else

__device__ __forceinline__ void copy_async(void* to, const void* from, bool there) {
    const unsigned target = (unsigned)__cvta_generic_to_shared(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(target), "l"(from),
                 "r"(there ? 16 : 0) : "memory");
}
__device__ __forceinline__ void commit_copies() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int PENDING>
__device__ __forceinline__ void wait_for_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

#endif
