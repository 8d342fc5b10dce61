// Memory requests per instruction (of a copy, the reading and the writing count as two). What the
// lanes of a warp do in the n-th run of an instruction is one request; its cost is the number of
// 32-byte sectors (global) or of passes over the banks (shared: 32 banks of 4 bytes; lanes that
// read the same word share it).
#include "state.h"

namespace emu {

using Instruction = std::pair<uint64_t, bool>;  // its place, and whether it writes
struct Record {
  Instruction instruction;
  uint64_t address;
  uint32_t run;
  uint16_t warp;
  uint8_t lane, size;
  Space space;
};
using Iterator = std::vector<Record>::iterator;

static std::vector<Record> records;
static std::vector<std::map<Instruction, uint32_t>> runs;  // for each thread: how many
static std::map<Instruction, Row> rows;

void start_counting() {
  records.clear();
  rows.clear();
  runs.assign(threads.size(), {});
}

// Global addresses count from the array's start: device allocations begin on 256 bytes.
void count_access(const Region& region, size_t offset, size_t size, bool write, const void* pc) {
  const uint64_t base = region.is_shared() ? (uint64_t)region.base : 0;
  const Instruction where = {relative(pc), write};
  records.push_back({where, base + offset, runs[current->linear][where]++, (uint16_t)current->warp,
                     (uint8_t)current->lane, (uint8_t)std::min<size_t>(size, 16), region.space});
}

static uint64_t distinct_words(Iterator first, Iterator last) {
  std::set<uint64_t> words;
  for (; first != last; ++first) {
    for (unsigned byte = 0; byte < first->size; byte += 4) {
      words.insert((first->address + byte) / 4);
    }
  }
  return words.size();
}

static void count_sectors(Iterator first, Iterator last, Row& row) {
  const uint64_t bytes = std::min<uint64_t>(4, first->size) * distinct_words(first, last);
  std::set<uint64_t> sectors;
  for (Iterator r = first; r != last; ++r) {
    sectors.insert(r->address / 32);
    sectors.insert((r->address + r->size - 1) / 32);
  }
  row.transactions += sectors.size();
  row.ideal += (bytes + 31) / 32;
}

static uint64_t worst_bank(Iterator first, Iterator last) {
  std::map<unsigned, std::set<uint64_t>> banks;
  size_t worst = 1;
  for (; first != last; ++first) {
    for (unsigned byte = 0; byte < first->size; byte += 4) {
      const uint64_t word = (first->address + byte) / 4;
      auto& bank = banks[word % 32];
      bank.insert(word);
      worst = std::max(worst, bank.size());
    }
  }
  return worst;
}

// 8-byte accesses are served for half a warp at a time, 16-byte ones for a quarter.
static void count_bank_passes(Iterator first, Iterator last, Row& row) {
  const unsigned lanes = 32 / std::max(1u, first->size / 4u);
  while (first != last) {
    const unsigned group = first->lane / lanes;
    Iterator end = first;
    while (end != last && end->lane / lanes == group) ++end;
    row.transactions += worst_bank(first, end);
    row.ideal++;
    first = end;
  }
}

// Requests are complete when their block has ended.
void count_block() {
  auto request = [](const Record& r) { return std::tie(r.instruction, r.warp, r.run); };
  std::sort(records.begin(), records.end(), [&](const Record& a, const Record& b) {
    return std::tuple_cat(request(a), std::tie(a.lane)) <
           std::tuple_cat(request(b), std::tie(b.lane));
  });
  for (Iterator first = records.begin(); first != records.end();) {
    Iterator last = first;
    while (last != records.end() && request(*last) == request(*first)) ++last;
    Row& row = rows[first->instruction];
    row.pc = first->instruction.first;
    row.write = first->instruction.second;
    row.space = (uint64_t)first->space;
    row.bytes = first->size;
    row.requests++;
    (first->space == Space::shared ? count_bank_passes : count_sectors)(first, last, row);
    first = last;
  }
  records.clear();
  for (auto& run : runs) run.clear();
}

std::vector<Row> counted_rows() {
  std::vector<Row> all;
  for (const auto& [instruction, row] : rows) all.push_back(row);
  return all;
}

}  // namespace emu
