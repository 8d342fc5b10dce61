// Barriers, fences, votes and shuffles. None of the shuffles and votes orders memory, as on a GPU.
#pragma once

EMU_INLINE void __syncthreads(int line = __builtin_LINE()) {
  emu::block_barrier(emu::Reduce::none, 0, line);
}
EMU_INLINE int __syncthreads_count(int predicate, int line = __builtin_LINE()) {
  return emu::block_barrier(emu::Reduce::count, predicate, line);
}
EMU_INLINE int __syncthreads_and(int predicate, int line = __builtin_LINE()) {
  return emu::block_barrier(emu::Reduce::all, predicate, line);
}
EMU_INLINE int __syncthreads_or(int predicate, int line = __builtin_LINE()) {
  return emu::block_barrier(emu::Reduce::any, predicate, line);
}
EMU_INLINE void __syncwarp(unsigned mask = 0xffffffffu, int line = __builtin_LINE()) {
  emu::warp_barrier(mask, line);
}

// Memory is coherent here: a fence has nothing to do but to be seen by the checks. Within a block
// they want a barrier anyway.
EMU_INLINE void __threadfence() { emu::memory_fence(); }
EMU_INLINE void __threadfence_block() {}
EMU_INLINE void __threadfence_system() { emu::memory_fence(); }

EMU_INLINE unsigned __activemask() { return emu::active_mask(); }
EMU_INLINE unsigned __ballot_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
  return emu::ballot(predicate, mask, "__ballot_sync", line);
}
EMU_INLINE int __any_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
  return emu::ballot(predicate, mask, "__any_sync", line) != 0;
}
EMU_INLINE int __all_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
  return emu::ballot(predicate, mask, "__all_sync", line) == mask;
}

namespace emu {

template <class T>
EMU_INLINE T shuffle_value(unsigned mask, T value, int source, const char* name, int line) {
  static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
  unsigned long bits = 0;
  __builtin_memcpy(&bits, &value, sizeof value);
  bits = shuffle(bits, source, mask, name, line);
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

// A lane whose source lies outside its segment of `width` lanes keeps its own value.
EMU_INLINE int within(int source, int width) {
  const int lane = (int)position.lane, first = lane & ~(width - 1);
  return source >= first && source < first + width ? source : lane;
}

}  // namespace emu

template <class T>
EMU_INLINE T __shfl_sync(unsigned mask, T value, int source, int width = 32,
                         int line = __builtin_LINE()) {
  const int first = (int)emu::position.lane & ~(width - 1);
  return emu::shuffle_value(mask, value, first + (source & (width - 1)), "__shfl_sync", line);
}
template <class T>
EMU_INLINE T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                             int line = __builtin_LINE()) {
  const int lane = (int)emu::position.lane, source = lane ^ lanes;
  const int last = lane | (width - 1);  // xor may reach into an earlier segment, as on a GPU
  return emu::shuffle_value(mask, value, source > last ? lane : source, "__shfl_xor_sync", line);
}
template <class T>
EMU_INLINE T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                              int line = __builtin_LINE()) {
  const int source = emu::within((int)(emu::position.lane + delta), width);
  return emu::shuffle_value(mask, value, source, "__shfl_down_sync", line);
}
template <class T>
EMU_INLINE T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                            int line = __builtin_LINE()) {
  const int source = emu::within((int)(emu::position.lane - delta), width);
  return emu::shuffle_value(mask, value, source, "__shfl_up_sync", line);
}
