// cp.async. A copy may complete at its issue or only at the wait; the order of the threads decides
// which is tried: ascending at the issue, descending at the wait, random either. The checks treat
// both alike: until the wait nobody may touch the target.
#include "state.h"

namespace emu {

static void land(const AsyncCopy& copy) {
  memcpy(copy.to, copy.from, copy.source_bytes);
  memset(copy.to + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
}

static bool at_issue() {
  if (order_mode == Order::random) return random_word() >> 32 & 1;
  return order_mode == Order::ascending;
}

static void mark(const AsyncCopy& copy, bool landed, const void* pc) {
  if (!checking) return;
  Region* region = find_region(copy.to, copy.bytes, {true, false}, pc);
  if (!region->is_shared()) {
    fail(Kind::bounds, pc, "cp.async writes to shared memory, but its target lies in %s",
         region->name);
  }
  mark_async(*region, copy.to - region->base, copy.bytes, landed, pc);
}

void copy_async(void* to, const void* from, int bytes, int source_bytes) {
  void* pc = __builtin_return_address(0);
  if (bytes != 4 && bytes != 8 && bytes != 16) {
    fail(Kind::undefined, pc, "cp.async copies 4, 8 or 16 bytes, not %d", bytes);
  }
  if (source_bytes < 0 || source_bytes > bytes) {
    fail(Kind::undefined, pc, "cp.async: %d bytes cannot come from a source of %d", bytes,
         source_bytes);
  }
  const uintptr_t misaligned = (uintptr_t)to | (source_bytes ? (uintptr_t)from : 0);
  if (misaligned % bytes) {
    fail(Kind::alignment, pc, "cp.async of %d bytes: an address is not a multiple of %d", bytes,
         bytes);
  }
  AsyncCopy copy = {(char*)to, (const char*)from, bytes, source_bytes, false};
  if (source_bytes) note(from, source_bytes, {false, false}, pc);
  note(to, bytes, {true, false}, pc);
  mark(copy, false, pc);
  if (at_issue()) {
    land(copy);
    copy.landed = true;
  }
  current->open.push_back(copy);
}

void commit_async() {
  current->groups.push_back(std::move(current->open));
  current->open.clear();
}

void wait_async(int pending) {
  void* pc = __builtin_return_address(0);
  auto& groups = current->groups;
  while ((int)groups.size() > std::max(pending, 0)) {
    for (const AsyncCopy& copy : groups.front()) {
      if (!copy.landed) land(copy);
      mark(copy, true, pc);
    }
    groups.erase(groups.begin());
  }
}

void forget_copies(Thread& thread) {
  thread.open.clear();
  thread.groups.clear();
}

}  // namespace emu
