// What the parts of the runtime share. One launch runs at a time, so its state is global.
#pragma once
#define GPUCONV_EMULATOR_RUNTIME
#include <algorithm>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "emu_interface.h"

namespace emu {

// ---- fibers: fiber.cpp
struct Fiber {
  void* stack_pointer = nullptr;
  char* stack = nullptr;
};
constexpr int kMaxThreads = 1024;
constexpr size_t kStackBytes = 128 << 10;
char* new_stacks();
void prepare_fibers(char* stacks);
void thread_entry();  // what a new fiber runs
void switch_to(Fiber* to);
extern Fiber scheduler, *running;
extern std::vector<Fiber*> free_fibers;

// ---- threads: scheduler.cpp
struct AsyncCopy {
  char* to;
  const char* from;
  int bytes, source_bytes;
  bool landed;
};
enum class State : uint8_t { fresh, ready, at_barrier, at_collective, done };
struct Wait {  // what a thread that is not ready waits for
  void* pc;
  const char* name;
  int line;
  Reduce reduce;
  int predicate, result;
  Collective run;
  void* argument;
  unsigned mask;
};
using View = std::map<const void*, size_t>;  // counter -> how many accesses to it one knows of
struct Fence {  // the last __threadfence of a thread
  uint32_t epoch = 0, clock = 0, seen[32] = {};
};
struct Thread {
  uint3 index;
  unsigned linear, lane, warp;
  State state;
  Fiber* fiber;
  Wait wait;
  uint32_t clock = 0;           // +1 at each __syncwarp and __threadfence
  uint32_t seen[32] = {};       // lane l's accesses before its clock was seen[l] come before mine
  Fence fence;
  View observed, acquired;      // by its atomics; by a fence behind them
  std::vector<AsyncCopy> open;  // issued, in no group yet
  std::vector<std::vector<AsyncCopy>> groups;  // committed, oldest first
};
enum class Order { ascending, descending, random };
extern Thread* current;
extern std::vector<Thread> threads;
extern uint64_t block_linear, barriers_passed;
extern uint32_t epoch, block_epoch;  // epoch: +1 at each barrier and at each block's start
extern std::vector<std::pair<uint32_t, uint64_t>> block_starts;  // epoch, number of the block
extern bool strict, checking, counting;
extern Order order_mode;
extern void (*kernel_call)(void** arguments);
extern void** kernel_arguments;
void set_threads(uint3 block);
void seed_order(uint64_t seed);
uint64_t random_word();
bool run_block();
void give_way(State state);
extern size_t live;  // threads of the block that have not ended

// ---- collectives.cpp
bool open_barrier();

// ---- faults: report.cpp. Mirrored in launch.py.
enum class Kind : int32_t {
  none,
  bounds,
  uninitialized,
  race,
  barrier,
  alignment,
  undefined,
  trap
};
struct Fault {
  Kind kind;
  uint32_t thread[3], block[3];
  uint64_t pc, other_pc;  // relative to the library; 0: unknown
  char message[1536];
};
extern Fault fault;
extern char image[] asm("__ehdr_start") EMU_HIDDEN;
extern char constants_end[] asm("__bss_start") EMU_HIDDEN;  // shared variables lie behind
inline uint64_t relative(const void* pc) { return pc ? (const char*)pc - image : 0; }
void set_fault(Kind kind, const Thread* at, const void* pc, const char* format, ...)
    __attribute__((format(printf, 4, 5)));
[[noreturn]] void fail(Kind kind, const void* pc, const char* format, ...)
    __attribute__((format(printf, 3, 4)));
std::string plain_name(const char* mangled);

// ---- memory: memory.cpp and shadow.cpp
struct Stamp {  // one access
  uint32_t epoch = 0, clock = 0, pc = 0;
  uint16_t thread = 0;
  bool atomic = false;
  uint8_t mark = 0;  // of a write: see shadow.cpp
};
struct Cell {                  // what is known of some bytes
  Stamp write, read, earlier;  // earlier: the last read by another thread than read's
};
enum class Space : uint64_t { shared = 1, global = 2 };
struct Region {
  char* base;
  size_t size;
  const char* name;
  Space space;
  bool constant;   // the kernel has only a pointer to const
  bool blank;      // global memory that holds nothing yet
  unsigned shift;  // one cell stands for 2^shift bytes
  Cell* cells = nullptr;
  bool is_shared() const { return space == Space::shared; }
};
struct Access {
  bool write, atomic;
};
extern std::vector<Region> regions;  // sorted by address
extern uint64_t accesses_seen;
void track_regions();
void forget_regions();
void note(const void* address, size_t size, Access access, const void* pc);
Region* find_region(const char* at, size_t size, Access access, const void* pc);
void track(Region& region, size_t offset, size_t size, Access access, const void* pc);
void mark_async(Region& region, size_t offset, size_t size, bool landed, const void* pc);

// ---- order between blocks: fences.cpp
void forget_fences();
void start_fences();
void order_atomic(const void* address);
void share_views(const std::vector<Thread*>& group);
bool acquired(const Stamp& s);
bool acquired_counter(const void* address);

// ---- asynchronous copies: async.cpp
void forget_copies(Thread& thread);

// ---- statistics: statistics.cpp. Row is mirrored in launch.py.
struct Row {
  uint64_t pc, space, write, bytes, requests, transactions, ideal;
};
void start_counting();
void count_access(const Region& region, size_t offset, size_t size, bool write, const void* pc);
void count_block();
std::vector<Row> counted_rows();

}  // namespace emu
