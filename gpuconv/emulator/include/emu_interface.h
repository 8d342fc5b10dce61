// What a kernel and the runtime say to each other. No system header is included: a kernel sees only
// what NVRTC would show it.
#pragma once

struct uint3 {
  unsigned x, y, z;
};

#define EMU_HIDDEN __attribute__((visibility("hidden")))
#define EMU_INLINE inline __attribute__((always_inline))
// For code that is part of the emulator but compiled into the kernel: not watched, never inlined.
#define EMU_UNWATCHED __attribute__((noinline, no_sanitize("thread", "undefined")))

// A fiber runs one thread at a time, so for the compiler of a kernel its position is constant. As
// a constant it is not watched by the checks either (g++), which halves what a check costs.
#ifdef GPUCONV_EMULATOR_RUNTIME
#define EMU_CONSTANT
#else
#define EMU_CONSTANT const
#endif

namespace emu {

struct Position {
  uint3 thread, block, block_dim, grid_dim;
  unsigned lane;
};
extern EMU_HIDDEN EMU_CONSTANT Position position;

constexpr unsigned long kMaxShared = 232448;  // 227 KiB: the most that a block of sm_90 may have
struct alignas(1024) DynamicShared {
  char red_zone[1024], bytes[kMaxShared], red_zone_behind[1024];
};
extern EMU_HIDDEN DynamicShared dynamic_shared;

// `line` keeps the compiler from merging two calls into one, and tells barriers apart.
enum class Reduce { none, count, all, any };
EMU_HIDDEN int block_barrier(Reduce reduce, int predicate, int line);

// Runs once, by the last of the lanes in `mask` to arrive; arguments[i] is lane i's.
using Collective = void (*)(void** arguments, unsigned mask);
EMU_HIDDEN void warp_collective(Collective run, void* argument, unsigned mask, const char* name,
                                int line);
EMU_HIDDEN void warp_barrier(unsigned mask, int line);
EMU_HIDDEN unsigned long shuffle(unsigned long bits, int source, unsigned mask, const char* name,
                                 int line);
EMU_HIDDEN unsigned ballot(int predicate, unsigned mask, const char* name, int line);
EMU_HIDDEN unsigned active_mask();

// Asynchronous copies to shared memory: cp.async, cp.async.commit_group, cp.async.wait_group.
EMU_HIDDEN void copy_async(void* to, const void* from, int bytes, int source_bytes);
EMU_HIDDEN void commit_async();
EMU_HIDDEN void wait_async(int pending);

EMU_HIDDEN void memory_fence();
EMU_HIDDEN void note_atomic(const void* address, unsigned long size, void* pc);
EMU_HIDDEN void* copy_bytes(void* to, const void* from, unsigned long size);
EMU_HIDDEN void* set_bytes(void* to, int value, unsigned long size);
[[noreturn]] EMU_HIDDEN void trap();

}  // namespace emu
