#pragma once

#include <cstdint>
#include <vector>

// Who holds how much of an arena. Only counts: what may be taken is its user's decision. One
// thread.
namespace memory {

class Shares {
 public:
  /// A number that is in use until Close(), and then until the last byte is back. Never 0. What is
  /// still taken for it afterwards counts for the session that has the number by then.
  [[nodiscard]] uint32_t Open();
  void Close(uint32_t share);

  void Add(uint32_t share, uint64_t bytes);
  void Remove(uint32_t share, uint64_t bytes);
  [[nodiscard]] uint64_t bytes(uint32_t share) const { return shares_[share].bytes; }

 private:
  void EndIfIdle(uint32_t share);

  struct Share {
    uint64_t bytes = 0;
    bool is_open = false;
    bool is_idle = false;  // in idle_, once
  };
  std::vector<Share> shares_ = {{}};  // 0: those without a number
  std::vector<uint32_t> idle_;
};

}  // namespace memory
