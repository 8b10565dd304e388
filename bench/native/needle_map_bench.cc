#include <malloc.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "storage/needle_map_load.h"

// Prints CPU seconds and bytes of a bulk load, and the cost of a lookup, for 10 thousand to 10
// million needles: needle_map_bench [ROWS…].
namespace {

using storage::NeedleMap;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Ids ascend with gaps, as a master hands them out. The rows come in chunks, as from a file.
template <typename Consume>
void ForEachChunk(uint64_t row_count, Consume consume) {
  constexpr uint64_t kChunkRows = 65536;
  std::vector<std::byte> chunk(kChunkRows * 16);
  for (uint64_t first = 0; first < row_count; first += kChunkRows) {
    const uint64_t count = std::min(kChunkRows, row_count - first);
    for (uint64_t i = 0; i < count; i++) {
      const uint64_t row = first + i;
      storage::EncodeIdxRow({row * 7 + 1, row + 1, 4096}, 4, &chunk[i * 16]);
    }
    consume(std::span(chunk).first(count * 16));
  }
}

void Measure(uint64_t row_count) {
  NeedleMap map(4);
  const double begin_s = CpuSeconds();
  storage::NeedleMapLoad load(map, row_count);
  ForEachChunk(row_count, [&](auto rows) { load.Count(rows); });
  load.Begin();
  ForEachChunk(row_count, [&](auto rows) {
    if (!load.Add(rows)) std::abort();
  });
  load.Finish();
  const double load_s = CpuSeconds() - begin_s;
  constexpr uint64_t kLookups = 2'000'000;
  std::mt19937_64 random(1);
  std::vector<uint64_t> ids(kLookups);
  for (uint64_t& id : ids) id = random() % row_count * 7 + 1;
  const double lookup_begin_s = CpuSeconds();
  uint64_t sum = 0;
  for (const uint64_t id : ids) sum += map.Find(id)->offset_units;
  const double lookup_s = CpuSeconds() - lookup_begin_s;
  if (sum == 0) std::abort();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "%9llu needles  load %6.3f CPU s  %5.2f bytes/needle  %6.1f ns/lookup  peak RSS %ld MiB\n",
      static_cast<unsigned long long>(row_count), load_s,
      static_cast<double>(map.bytes()) / static_cast<double>(row_count),
      lookup_s * 1e9 / static_cast<double>(kLookups), usage.ru_maxrss / 1024);
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1) {
    for (int i = 1; i < count; i++) Measure(std::strtoull(arguments[i], nullptr, 10));
    return 0;
  }
  for (const uint64_t rows : {10'000u, 100'000u, 1'000'000u, 10'000'000u}) Measure(rows);
}
