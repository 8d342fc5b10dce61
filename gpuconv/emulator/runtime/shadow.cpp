// Races and uninitialised reads. A cell of shadow memory remembers, for a few bytes of an array,
// the last accesses and when they were made; two accesses by different threads, one of them a
// write, must be ordered:
//   - by a barrier of the block between them (their epochs differ), or
//   - by a __syncwarp that both lanes took part in, directly or through others (vector clocks;
//     Lamport, "Time, clocks, and the ordering of events", CACM 21(7), 1978), or
//   - by fences and a counter that both used atomically (fences.cpp); nothing else orders blocks.
// Two atomics need no order. Shuffles and votes give none, as CUDA does not promise any.
#include <sys/mman.h>

#include "state.h"

namespace emu {

// Stamp::mark of a write
enum Mark : uint8_t { plain = 0, in_flight = 1, many_threads = 2, many_blocks = 3 };

static size_t cell_bytes(const Region& region) {
  return ((region.size >> region.shift) + 2) * sizeof(Cell);
}

static Cell* new_cells(const Region& region) {
  void* cells = mmap(nullptr, cell_bytes(region), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (cells == MAP_FAILED) {
    fail(Kind::undefined, nullptr, "no memory for the checks of %s; use mode=\"fast\"",
         region.name);
  }
  return (Cell*)cells;
}

void forget_regions() {
  for (Region& region : regions) {
    if (region.cells) munmap(region.cells, cell_bytes(region));
  }
  regions.clear();
}

// A narrow or unaligned access: from here on, one cell for each byte.
static void refine(Region& region) {
  Region fine = region;
  fine.shift = 0;
  fine.cells = new_cells(fine);
  for (size_t i = 0; i < region.size; i++) fine.cells[i] = region.cells[i >> region.shift];
  munmap(region.cells, cell_bytes(region));
  region = fine;
}

static void stamp(Stamp& s, const void* pc, bool atomic = false) {
  s = {epoch, current->clock, (uint32_t)relative(pc), (uint16_t)current->linear, atomic, plain};
}

static bool of_this_block(const Stamp& s) { return s.epoch >= block_epoch; }

// Does the access of the stamp come before whatever the current thread does now?
static bool ordered(const Stamp& s, const Region& region) {
  if (s.epoch == 0) return true;
  if (!of_this_block(s)) return region.is_shared() || acquired(s);
  if (s.mark == many_blocks) return false;
  if (s.epoch < epoch) return true;
  if (s.mark == many_threads) return false;
  if (s.thread == current->linear) return true;
  if (s.thread / 32 == current->warp && current->seen[s.thread % 32] > s.clock) return true;
  return acquired(s);
}

struct Here {  // the access in hand, for reports
  const Region& region;
  size_t offset, size;
  Access access;
  const void* pc;
};

static std::string element(const Here& here) {
  const Region& region = here.region;
  return "byte " + std::to_string(here.offset) + " of " +
         (region.is_shared() ? plain_name(region.name) : region.name);
}

static std::string author(const Stamp& s) {
  const std::string thread = "thread " + std::to_string(s.thread);
  if (of_this_block(s)) return thread + " of the same block";
  auto after = std::upper_bound(block_starts.begin(), block_starts.end(),
                                std::make_pair(s.epoch, UINT64_MAX));
  return thread + " of block number " + std::to_string((after - 1)->second);
}

[[noreturn]] static void race(const Here& here, const Stamp& other, const char* earlier) {
  const char* mine = here.access.atomic ? "atomic access" : here.access.write ? "write" : "read";
  // set_fault and not fail: the place of the other access is filled in before the switch.
  set_fault(Kind::race, current, here.pc,
            "%zu-byte %s of %s memory at %s is not ordered with the %s by %s", here.size, mine,
            here.region.is_shared() ? "shared" : "global", element(here).c_str(), earlier,
            author(other).c_str());
  fault.other_pc = other.pc;
  switch_to(&scheduler);
  abort();
}

static void check_written(const Cell& cell, const Here& here) {
  const Stamp& write = cell.write;
  const bool written = here.region.is_shared() ? of_this_block(write) : write.epoch != 0;
  const bool reads = !here.access.write || here.access.atomic;
  if (!written && reads && (here.region.is_shared() || here.region.blank)) {
    fail(Kind::uninitialized, here.pc, "%zu-byte read of %s memory at %s, which nobody has written",
         here.size, here.region.is_shared() ? "shared" : "global", element(here).c_str());
  }
  if (written && write.mark == in_flight && of_this_block(write)) {
    race(here, write, "asynchronous copy (nobody waited for it)");
  }
  if (write.atomic && (here.access.atomic || acquired_counter(here.region.base + here.offset))) {
    return;
  }
  if (!ordered(write, here.region)) {
    race(here, write, write.atomic ? "atomic access" : "write");
  }
}

static void note_read(Cell& cell, const void* pc) {
  const Stamp& last = cell.read;
  const bool another = last.thread != current->linear || !of_this_block(last);
  const bool keep = cell.earlier.epoch && !of_this_block(cell.earlier);
  if (last.epoch && another && !keep) cell.earlier = last;
  stamp(cell.read, pc);
}

static void note_write(Cell& cell, const Here& here) {
  if (!ordered(cell.read, here.region)) race(here, cell.read, "read");
  if (!ordered(cell.earlier, here.region)) race(here, cell.earlier, "read");
  const Stamp before = cell.write;
  stamp(cell.write, here.pc, here.access.atomic);
  if (!here.access.atomic || !before.atomic || !before.epoch) return;
  const bool other_block = !of_this_block(before) && !here.region.is_shared();
  if (other_block || before.mark == many_blocks) {
    cell.write.mark = many_blocks;
  } else if (!ordered(before, here.region)) {
    cell.write.mark = many_threads;
  }
}

static void prepare(Region& region, size_t offset, size_t size) {
  if (!region.cells) region.cells = new_cells(region);
  if ((offset | size) & ((1u << region.shift) - 1)) refine(region);
}

void track(Region& region, size_t offset, size_t size, Access access, const void* pc) {
  prepare(region, offset, size);
  const Here here = {region, offset, size, access, pc};
  Cell* cell = region.cells + (offset >> region.shift);
  Cell* end = region.cells + ((offset + size) >> region.shift);
  for (; cell < end; cell++) {
    check_written(*cell, here);
    if (access.write) {
      note_write(*cell, here);
    } else {
      note_read(*cell, pc);
    }
  }
}

// From its issue to the wait of its thread, the target of a copy belongs to nobody.
void mark_async(Region& region, size_t offset, size_t size, bool landed, const void* pc) {
  prepare(region, offset, size);
  Cell* cell = region.cells + (offset >> region.shift);
  Cell* end = region.cells + ((offset + size) >> region.shift);
  for (; cell < end; cell++) {
    stamp(cell->write, pc);
    if (!landed) cell->write.mark = in_flight;
  }
}

}  // namespace emu
