#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "shelf/entry.h"

// Counts of a lane since its owner came by.
namespace lane {

/// Durations in buckets with these upper bounds, and one for what is longer.
struct Histogram {
  std::vector<uint64_t> counts;
  double seconds = 0;

  void Observe(const std::vector<double>& bounds, uint64_t ns) {
    const double took = static_cast<double>(ns) / 1e9;
    size_t bucket = 0;
    while (bucket < bounds.size() && took > bounds[bucket]) ++bucket;
    if (counts.empty()) counts.resize(bounds.size() + 1);
    ++counts[bucket];
    seconds += took;
  }
};

/// Whose requests, and for what: everything that is counted exactly.
struct CellKey {
  uint32_t peer = 0;
  uint32_t agent = 0;
  uint32_t volume = 0;

  bool operator==(const CellKey&) const = default;
};

struct CellKeyHash {
  size_t operator()(const CellKey& key) const {
    constexpr uint64_t kOdd = 0x9E3779B97F4A7C15u;
    uint64_t hash = (uint64_t{key.peer} << 32 | key.agent) * kOdd;
    hash = (hash ^ hash >> 32 ^ key.volume) * kOdd;
    return hash ^ hash >> 29;
  }
};

struct Cell {
  uint64_t requests = 0;
  uint64_t bytes = 0;
};

/// One request, looked at more closely; it stands for `weight` of them.
struct Sample {
  std::shared_ptr<const shelf::Heads> heads;
  uint64_t entry = 0;
  uint32_t peer = 0;
  uint32_t weight = 0;
  uint64_t duration_ns = 0;
  uint64_t bytes = 0;
  std::string client_id;
  std::string request_id;
};

struct Tally {
  uint64_t requests = 0;
  uint64_t bytes = 0;
  /// Answered after a question.
  uint64_t validated = 0;
  /// Connections that went back.
  uint64_t returned = 0;
  uint64_t questions = 0;
  /// How long answers waited that were settled as fresh.
  Histogram waits;
  Histogram durations;
  std::unordered_map<CellKey, Cell, CellKeyHash> cells;
  std::vector<Sample> samples;
  uint64_t samples_dropped = 0;
};

}  // namespace lane
