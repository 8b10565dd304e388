#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "engine/io_threads.h"
#include "protocol/status.h"
#include "storage/catalogue.h"
#include "storage/volume.h"

// The volumes that the directories hold and the generation of each. Owner thread; loads, long
// catch-ups and scans of the directories are done on the I/O threads, and a volume is not answered
// for meanwhile.
namespace engine {

class VolumeTable {
 public:
  VolumeTable(const EngineOptions& options, IoThreads& threads);

  struct Access {
    protocol::Status status;
    storage::Volume* volume;  // with Status::ok; valid until the next call
  };
  /// The volume as of now: looks at its .idx after the call began, and applies what it finds there.
  [[nodiscard]] Access Open(uint32_t volume_id);

  /// Looks at the directories at once for what the volume server has begun to serve.
  void Confirm(uint64_t started_ns, std::span<const ServedVolume> served);
  /// See Engine::TakePollWanted.
  [[nodiscard]] bool TakePollWanted();
  /// Looks for new, replaced and vanished volumes; once a second.
  void Sweep();
  /// Renews the list and its number, where they would differ.
  void Relist();
  [[nodiscard]] bool is_list_stale() const { return is_list_stale_; }

  [[nodiscard]] uint64_t generation() const { return generation_; }
  [[nodiscard]] const std::vector<AnnouncedVolume>& list() const { return list_; }
  void AddTo(EngineStats& stats) const;

 private:
  enum class Phase {
    kLoading,
    kReady,
    kCatchingUp,   // the volume is on an I/O thread that applies a long tail
    kUnsettled,    // could not be loaded just now
    kUnsupported,  // cannot be loaded while its files are as they are
  };
  struct State {
    storage::VolumePaths paths;
    std::string idx_path;
    std::unique_ptr<storage::Volume> volume;  // kReady
    Phase phase = Phase::kUnsettled;
    uint64_t ticket = 0;  // of the work under way; results of older work are dropped
    uint64_t tried_ns = 0;
    bool is_load_due = false;             // the load under way may have looked too early
    bool is_without_descriptors = false;  // the last load had none left
    uint64_t fingerprint = 0;             // of the files when the sweep last saw them
    uint8_t version = 0;                  // 0: never was ready
    uint64_t live_count = 0;
    uint64_t unconfirmed_ns = 0;  // since when it is asked for and looks closed; 0: it does not
  };
  using States = std::unordered_map<uint32_t, State>;
  using LoadResult = std::expected<std::unique_ptr<storage::Volume>, storage::LoadError>;

  [[nodiscard]] Access OpenKnown(States::iterator found);
  void Want();
  void TakeUp(std::span<const ServedVolume> served);
  [[nodiscard]] protocol::Status Refresh(States::iterator found);
  void StartLoad(uint32_t volume_id, State& state);
  void FinishLoad(uint32_t volume_id, uint64_t ticket, LoadResult result);
  void StartCatchUp(uint32_t volume_id, State& state);
  void FinishCatchUp(uint32_t volume_id, uint64_t ticket, std::unique_ptr<storage::Volume> volume);
  void Reconcile(std::vector<storage::FoundVolume> found);
  void ReconcileOne(const storage::FoundVolume& found);
  States::iterator Erase(States::iterator found);
  [[nodiscard]] State* StateOf(uint32_t volume_id, uint64_t ticket);
  [[nodiscard]] bool IsConfirmed(uint32_t volume_id, uint64_t live_count, uint64_t now_ns) const;

  EngineOptions options_;
  IoThreads& threads_;
  States states_;
  bool was_scanned_ = false;
  bool is_scanning_ = false;
  bool is_scan_due_ = false;  // the scan under way may have begun too early
  uint64_t scanned_ns_ = 0;   // when the last scan began
  uint64_t last_ticket_ = 0;
  uint64_t loads_ = 0;
  bool was_polled_ = false;
  uint64_t poll_started_ns_ = 0;
  std::unordered_map<uint32_t, ServedVolume> served_;
  // When a volume that served_ lacks, or knows as it was before, was last asked for; 0: not since
  // the poll.
  uint64_t wanted_ns_ = 0;
  bool was_want_taken_ = false;
  uint64_t generation_ = 0;
  std::vector<AnnouncedVolume> list_;
  bool is_list_stale_ = false;
};

}  // namespace engine
