// Where every access of a kernel is seen in check mode: does it lie in memory that it may touch?
#include "state.h"

namespace emu {

std::vector<Region> regions;
uint64_t accesses_seen;

static constexpr long kNear = 256;  // a red zone: an access this near to a region is meant for it
static constexpr long kFar = 1l << 32;  // a report of more than this would not help

// The same instruction mostly touches the same region.
static Region* last_region[1024];

static Region*& remembered(const void* pc) {
  const uintptr_t bits = (uintptr_t)pc;
  return last_region[(bits ^ bits >> 10) & 1023];
}

void track_regions() {
  memset(last_region, 0, sizeof last_region);
  std::sort(regions.begin(), regions.end(),
            [](const Region& a, const Region& b) { return a.base < b.base; });
  accesses_seen = 0;
}

static bool contains(const Region& region, const char* at, size_t size) {
  return at >= region.base && at + size <= region.base + region.size;
}

static long distance(const Region& region, const char* at) {
  if (at < region.base) return region.base - at;
  return std::max<long>(0, at - (region.base + (long)region.size));
}

static const char* verb(Access access) {
  return access.atomic ? "atomic access" : access.write ? "write" : "read";
}

[[noreturn]] static void out_of_bounds(const Region* region, const char* at, size_t size,
                                       Access access, const void* pc) {
  if (!region || distance(*region, at) > kFar) {
    fail(Kind::bounds, pc, "%zu-byte %s at %p, which is in no array", size, verb(access),
         (void*)at);
  }
  const bool before = at < region->base;
  const long end = at + (long)size - (region->base + (long)region->size);
  fail(Kind::bounds, pc, "%zu-byte %s of %s memory out of bounds: %ld bytes %s %s of %zu bytes",
       size, verb(access), region->is_shared() ? "shared" : "global",
       before ? (long)(region->base - at) : end, before ? "before" : "past the end of",
       region->is_shared() ? plain_name(region->name).c_str() : region->name, region->size);
}

static const Region* nearest(const char* at) {
  const Region* best = nullptr;
  for (const Region& region : regions) {
    if (!best || distance(region, at) < distance(*best, at)) best = &region;
  }
  return best;
}

// The region of an access; nullptr where the kernel may read without further checks.
Region* find_region(const char* at, size_t size, Access access, const void* pc) {
  auto after = std::upper_bound(regions.begin(), regions.end(), at,
                                [](const char* a, const Region& r) { return a < r.base; });
  if (after != regions.begin() && contains(*(after - 1), at, size)) {
    return remembered(pc) = &*(after - 1);
  }
  if (at >= (char*)&position && at < (char*)(&position + 1)) return nullptr;
  const Region* close = nearest(at);
  const bool constant = at >= image && at < constants_end;
  if (constant && !(close && distance(*close, at) < kNear)) {
    if (!access.write) return nullptr;
    fail(Kind::bounds, pc, "%zu-byte %s of a constant outside every function", size, verb(access));
  }
  out_of_bounds(close, at, size, access, pc);
}

static bool in_own_stack(const char* at) { return (size_t)(at - running->stack) < kStackBytes; }

void note(const void* address, size_t size, Access access, const void* pc) {
  if (!checking || !current || !size) return;
  const char* at = (const char*)address;
  if (in_own_stack(at)) return;
  Region* region = remembered(pc);
  if (!region || !contains(*region, at, size)) region = find_region(at, size, access, pc);
  if (!region) return;
  accesses_seen++;
  const size_t offset = at - region->base;
  if (counting) count_access(*region, offset, size, access.write, pc);
  if (!region->constant) return track(*region, offset, size, access, pc);
  if (access.write) {
    fail(Kind::bounds, pc, "%zu-byte %s of %s, which the kernel takes as const", size, verb(access),
         region->name);
  }
}

void note_atomic(const void* address, unsigned long size, void* pc) {
  note(address, size, {true, true}, pc);
  if (checking && current) order_atomic(address);
}

void* copy_bytes(void* to, const void* from, unsigned long size) {
  void* pc = __builtin_return_address(0);
  note(from, size, {false, false}, pc);
  note(to, size, {true, false}, pc);
  return memmove(to, from, size);
}

void* set_bytes(void* to, int value, unsigned long size) {
  note(to, size, {true, false}, __builtin_return_address(0));
  return memset(to, value, size);
}

}  // namespace emu
