#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "protocol/wire.h"

// The sessions to tell of each volume's changes, and what each knows already. Pure: the server
// looks when it is time, sends what a look found, and says when that was sent.
namespace server {

inline constexpr uint64_t kLeaseLookNs = 10'000'000;  // between two looks, while there are leases
inline constexpr size_t kVolumeLeasesMax = 4096;      // of one session; more are not granted
inline constexpr uint32_t kChangesInFlightMax =
    64;  // of one session; what is found meanwhile waits for the next look
inline constexpr size_t kLooksMax = 256;  // validations in one look; the next goes on from there

/// A CHANGED to be sent.
struct VolumeChange {
  uint64_t session_id;
  protocol::Changed header;
  std::shared_ptr<const std::vector<std::byte>> ids;  // the same bytes go to every holder
};

class VolumeLeases {
 public:
  using Validate = std::function<engine::ValidateResult(const protocol::ValidateItem&)>;

  /// Whether what the session was answered with `row` to `item` comes with a lease until
  /// `until_ns`. What is told begins at the position that the proxy said it knows, not at the one
  /// in the answer: an answer that the proxy does not take leaves no gap in what it is told.
  [[nodiscard]] bool Grant(uint64_t session_id, const protocol::ValidateItem& item,
                           const protocol::ValidateRow& row, uint64_t until_ns);

  /// Validates each leased volume, once for all who know the same, and appends what its holders are
  /// to be told. Of one session and volume at most one is on its way.
  void Look(uint64_t now_ns, const Validate& validate, std::vector<VolumeChange>& changes);

  /// A change was sent, or will never be.
  void OnSent(uint64_t session_id, uint32_t volume_id);

  void EndSession(uint64_t session_id);

  [[nodiscard]] bool empty() const { return volumes_.empty(); }
  /// Leases that no look has found to be over.
  [[nodiscard]] uint32_t count() const { return count_; }

 private:
  struct Holder {
    uint64_t session_id;
    uint64_t epoch;
    uint64_t told;
    uint64_t until_ns;
    bool is_sending;
    bool is_ending;  // told of the end: forgotten when that was sent
  };
  struct Tally {
    uint32_t leases = 0;
    uint32_t in_flight = 0;
  };
  struct Finding {
    uint64_t epoch;
    uint64_t told;
    protocol::Changed header;
    std::shared_ptr<const std::vector<std::byte>> ids;
    bool is_end;  // the lease cannot go on
  };
  using Holders = std::vector<Holder>;

  size_t LookAt(uint32_t volume_id, Holders& holders, uint64_t now_ns, const Validate& validate,
                std::vector<VolumeChange>& changes);
  [[nodiscard]] const Finding& Find(uint32_t volume_id, const Holder& holder,
                                    const Validate& validate);
  template <typename Predicate>
  void Forget(Holders& holders, Predicate&& is_over);

  std::map<uint32_t, Holders> volumes_;  // in order, so that a look can go on where the last ended
  std::unordered_map<uint64_t, Tally> sessions_;
  std::vector<Finding> findings_;  // of the volume being looked at
  uint32_t next_volume_id_ = 0;
  uint32_t count_ = 0;
};

}  // namespace server
