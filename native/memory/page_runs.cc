#include "memory/page_runs.h"

#include <bit>

#include "memory/check.h"

namespace memory {

PageRuns::PageRuns(uint32_t page_count) : tags_(page_count), pages_free_(page_count) {
  for (auto& row : heads_) row.fill(kNone);
  if (page_count == 0) return;
  SetRun(0, page_count, true);
  Link(0);
}

std::optional<uint32_t> PageRuns::Allocate(uint32_t pages) {
  CHECK(pages > 0);
  const uint32_t first = FindRun(pages);
  if (first == kNone) return std::nullopt;
  Unlink(first);
  const uint32_t rest = tags_[first].pages - pages;
  SetRun(first, pages, false);
  if (rest > 0) {
    SetRun(first + pages, rest, true);
    Link(first + pages);
  }
  pages_free_ -= pages;
  return first;
}

void PageRuns::Free(uint32_t first) {
  CHECK(first < tags_.size() && !tags_[first].is_free && tags_[first].pages > 0);
  uint32_t pages = tags_[first].pages;
  pages_free_ += pages;
  const uint32_t after = first + pages;
  if (after < tags_.size() && tags_[after].is_free) {
    Unlink(after);
    pages += tags_[after].pages;
  }
  if (first > 0 && tags_[first - 1].is_free) {
    const uint32_t before = first - tags_[first - 1].pages;
    Unlink(before);
    pages += tags_[before].pages;
    first = before;
  }
  SetRun(first, pages, true);
  Link(first);
}

PageRuns::Bin PageRuns::BinOf(uint32_t pages) {
  if (pages < kSubclasses) return {0, pages};
  const auto log = static_cast<uint32_t>(std::bit_width(pages)) - 1;
  return {log - kSubclassBits + 1, (pages >> (log - kSubclassBits)) - kSubclasses};
}

// Every run of a later bin fits. The run's own bin may hold longer and shorter ones, so only that
// one is scanned, and only when nothing later is free: the last exact fits of a full arena are
// found too.
uint32_t PageRuns::FindRun(uint32_t pages) const {
  const Bin bin = BinOf(pages);
  const bool is_exact = bin.row == 0;
  const uint32_t from = is_exact ? bin.column : bin.column + 1;
  const uint32_t columns = from >= kSubclasses ? 0 : columns_used_[bin.row] & (UINT32_MAX << from);
  if (columns != 0) return heads_[bin.row][static_cast<uint32_t>(std::countr_zero(columns))];
  const uint32_t rows = bin.row + 1 >= kClasses ? 0 : rows_used_ & (UINT32_MAX << (bin.row + 1));
  if (rows != 0) {
    const auto row = static_cast<uint32_t>(std::countr_zero(rows));
    return heads_[row][static_cast<uint32_t>(std::countr_zero(columns_used_[row]))];
  }
  uint32_t run = is_exact ? kNone : heads_[bin.row][bin.column];
  for (uint32_t i = 0; run != kNone && i < kExactScanMax; i++) {
    if (tags_[run].pages >= pages) return run;
    run = tags_[run].next;
  }
  return kNone;
}

void PageRuns::SetRun(uint32_t first, uint32_t pages, bool is_free) {
  tags_[first + pages - 1].pages = pages;
  tags_[first + pages - 1].is_free = is_free;
  tags_[first].pages = pages;
  tags_[first].is_free = is_free;
}

void PageRuns::Link(uint32_t first) {
  const Bin bin = BinOf(tags_[first].pages);
  uint32_t& head = heads_[bin.row][bin.column];
  tags_[first].next = head;
  tags_[first].previous = kNone;
  if (head != kNone) tags_[head].previous = first;
  head = first;
  columns_used_[bin.row] |= 1u << bin.column;
  rows_used_ |= 1u << bin.row;
}

void PageRuns::Unlink(uint32_t first) {
  const Tag& tag = tags_[first];
  if (tag.next != kNone) tags_[tag.next].previous = tag.previous;
  if (tag.previous != kNone) {
    tags_[tag.previous].next = tag.next;
    return;
  }
  const Bin bin = BinOf(tag.pages);
  heads_[bin.row][bin.column] = tag.next;
  if (tag.next != kNone) return;
  columns_used_[bin.row] &= ~(1u << bin.column);
  if (columns_used_[bin.row] == 0) rows_used_ &= ~(1u << bin.row);
}

}  // namespace memory
