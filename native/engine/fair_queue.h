#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <utility>

// Items of many flows, taken by turns: one of each flow that has some, then the next round. Within
// a flow they keep their order. One thread, or a lock around it.
namespace engine {

template <typename Item>
class FairQueue {
 public:
  [[nodiscard]] bool empty() const { return turns_.empty(); }
  /// Flows that have items.
  [[nodiscard]] size_t flow_count() const { return turns_.size(); }

  void Push(uint64_t flow, Item item) {
    std::deque<Item>& items = flows_[flow];
    if (items.empty()) turns_.push_back(flow);
    items.push_back(std::move(item));
  }

  /// The item whose turn it is. Not while empty().
  [[nodiscard]] Item& Front() { return flows_.find(turns_.front())->second.front(); }

  /// Takes it. Its flow's next turn comes after those of all other flows.
  Item Pop() {
    const uint64_t flow = turns_.front();
    const auto found = flows_.find(flow);
    Item item = std::move(found->second.front());
    found->second.pop_front();
    turns_.pop_front();
    if (found->second.empty()) {
      flows_.erase(found);
    } else {
      turns_.push_back(flow);
    }
    return item;
  }

  /// Passes the turn of the flow that has it to the others.
  void Skip() {
    turns_.push_back(turns_.front());
    turns_.pop_front();
  }

  void Clear() {
    flows_.clear();
    turns_.clear();
  }

 private:
  std::unordered_map<uint64_t, std::deque<Item>> flows_;
  std::deque<uint64_t> turns_;
};

}  // namespace engine
