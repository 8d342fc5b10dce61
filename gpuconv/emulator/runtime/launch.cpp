// The entry of the loader: one launch, block after block.
#include "state.h"

namespace emu {

struct Buffer {
  char* base;
  uint64_t size;
  const char* name;
  int32_t constant, blank, granule;
};

// Mirrored in launch.py, as Buffer is.
struct Launch {
  void (*call)(void** arguments);
  void** arguments;
  uint32_t grid[3], block[3];
  uint64_t dynamic_bytes, seed;
  int32_t order, check, strict, count;
  char* stacks;  // nullptr: make them, for this and all later launches
  int64_t buffer_count, shared_count, block_count;
  const Buffer *buffers, *shared;
  const int64_t* blocks;  // linear numbers; block_count < 0: all
  uint64_t barriers, accesses, blocks_run;
  int64_t row_count;
  const Row* rows;
  Fault fault;
};

static std::vector<std::pair<char*, size_t>> shared_storage;

static Region region_of(const Buffer& b, Space space) {
  return {b.base,
          b.size,
          b.name,
          space,
          b.constant != 0,
          b.blank != 0,
          (unsigned)__builtin_ctz(b.granule)};
}

static void set_regions(const Launch& launch) {
  regions.clear();
  shared_storage.clear();
  for (int64_t i = 0; i < launch.buffer_count; i++) {
    regions.push_back(region_of(launch.buffers[i], Space::global));
  }
  std::vector<Buffer> shared(launch.shared, launch.shared + launch.shared_count);
  if (launch.dynamic_bytes) {
    const char* name = "dynamic shared memory";
    shared.push_back({dynamic_shared.bytes, launch.dynamic_bytes, name, 0, 0, 4});
  }
  for (const Buffer& b : shared) {
    regions.push_back(region_of(b, Space::shared));
    shared_storage.push_back({b.base, b.size});
  }
  track_regions();
}

static std::vector<uint64_t> blocks_to_run(const Launch& launch, uint64_t total) {
  std::vector<uint64_t> blocks;
  if (launch.block_count >= 0) {
    blocks.assign(launch.blocks, launch.blocks + launch.block_count);
    return blocks;
  }
  if (order_mode == Order::ascending) return blocks;
  for (uint64_t i = 0; i < total; i++) {
    blocks.push_back(order_mode == Order::descending ? total - 1 - i : i);
  }
  if (order_mode == Order::random) {
    for (uint64_t i = total; i > 1; i--) std::swap(blocks[i - 1], blocks[random_word() % i]);
  }
  return blocks;
}

// 0xff is a NaN in every float format and -1 as an index.
static void poison_shared() {
  for (auto& [base, size] : shared_storage) memset(base, 0xff, size);
}

static void run_blocks(Launch& launch) {
  const uint64_t x = position.grid_dim.x, y = position.grid_dim.y;
  const uint64_t total = x * y * position.grid_dim.z;
  const std::vector<uint64_t> chosen = blocks_to_run(launch, total);
  const bool all = launch.block_count < 0 && order_mode == Order::ascending;
  for (uint64_t i = 0; i < (all ? total : chosen.size()); i++) {
    block_linear = all ? i : chosen[i];
    position.block = {(unsigned)(block_linear % x), (unsigned)(block_linear / x % y),
                      (unsigned)(block_linear / (x * y))};
    poison_shared();
    if (!run_block()) return;
    launch.blocks_run++;
    if (counting) count_block();
  }
}

static void set_up(Launch& launch) {
  if (!launch.stacks) launch.stacks = new_stacks();
  position.grid_dim = {launch.grid[0], launch.grid[1], launch.grid[2]};
  position.block_dim = {launch.block[0], launch.block[1], launch.block[2]};
  kernel_call = launch.call;
  kernel_arguments = launch.arguments;
  order_mode = (Order)launch.order;
  checking = launch.check;
  strict = launch.strict;
  counting = launch.count;
  epoch = block_epoch = 0;
  barriers_passed = launch.blocks_run = 0;
  fault = {};
  block_starts.clear();
  forget_fences();
  prepare_fibers(launch.stacks);
  seed_order(launch.seed);
  set_threads(position.block_dim);
  set_regions(launch);
  start_counting();
}

}  // namespace emu

extern "C" __attribute__((visibility("default"))) int emu_launch(emu::Launch* launch) {
  emu::set_up(*launch);
  if (!launch->stacks) return -1;
  emu::run_blocks(*launch);
  emu::current = nullptr;
  static std::vector<emu::Row> rows;
  rows = emu::counted_rows();
  launch->rows = rows.data();
  launch->row_count = (int64_t)rows.size();
  launch->barriers = emu::barriers_passed;
  launch->accesses = emu::accesses_seen;
  launch->fault = emu::fault;
  emu::forget_regions();
  return (int)emu::fault.kind;
}
