// Atomics: one OS thread runs all threads of a launch, so a plain read and write is atomic. The
// checks see one atomic access, not the two plain ones.
#pragma once

#define EMU_ATOMIC(NAME, RESULT)                                       \
  template <class T, class U>                                          \
  EMU_UNWATCHED T NAME(T* address, U operand) {                        \
    emu::note_atomic(address, sizeof(T), __builtin_return_address(0)); \
    const T value = (T)operand, old = *address;                        \
    *address = (T)(RESULT);                                            \
    return old;                                                        \
  }
EMU_ATOMIC(atomicAdd, old + value)
EMU_ATOMIC(atomicSub, old - value)
EMU_ATOMIC(atomicExch, value)
EMU_ATOMIC(atomicMax, old < value ? value : old)
EMU_ATOMIC(atomicMin, value < old ? value : old)
EMU_ATOMIC(atomicAnd, old & value)
EMU_ATOMIC(atomicOr, old | value)
EMU_ATOMIC(atomicXor, old ^ value)
EMU_ATOMIC(atomicInc, old >= value ? 0 : old + 1)
EMU_ATOMIC(atomicDec, old == 0 || old > value ? value : old - 1)

template <class T, class U, class V>
EMU_UNWATCHED T atomicCAS(T* address, U expected, V value) {
  emu::note_atomic(address, sizeof(T), __builtin_return_address(0));
  const T old = *address;
  if (old == (T)expected) *address = (T)value;
  return old;
}
