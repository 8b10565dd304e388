#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "memory/arena.h"
#include "protocol/status.h"
#include "protocol/wire.h"

// The target's engine: request → catalogue → map → reader → reply. Knows no UCX, so that the inproc
// fetcher calls it too. Confined to one thread (the target's progress thread, or JavaScript's for
// inproc); disk that is not in the page cache and loads of volumes go to its own I/O threads, never
// to the caller's.
namespace engine {

struct EngineOptions {
  std::vector<std::string> dirs{};
  std::vector<std::string> idx_dirs{};  // empty, one for all, or one a directory
  bool unconfirmed = false;             // serve without asking a volume server
  uint64_t confirm_interval_ns = 1'000'000'000;
  uint32_t io_threads = 2;
  uint32_t requests_max = 4096;  // in flight; more: overload
  uint64_t memory_wait_ns = 0;   // for reads with a share of the arena; then no_slab
  uint64_t verified_needles_max = 65536;
};

struct ReadCommand {
  uint64_t needle_id;
  uint32_t volume_id;
  uint32_t cookie;
  uint64_t offset;
  uint64_t length;
  uint64_t whole_bytes_max;
  uint64_t budget_bytes;
  uint64_t deadline_ns;  // CLOCK_MONOTONIC; past it the request is dropped with Status::deadline
  bool metadata_only;
  uint32_t share = 0;  // of the arena: its reads have their turn beside those of other shares
};

/// One answer. `payload` is the range of `lease` that holds [stored bytes][name][mime][pairs], of
/// the lengths in `header`; header.request_id is left 0 for the caller to fill.
struct ReadResult {
  protocol::ReadReply header;
  memory::Lease lease;
  uint64_t payload_offset;  // in lease.bytes()
  uint64_t payload_bytes;
};

class ReadSink {
 public:
  virtual ~ReadSink() = default;
  /// `token` is the caller's; called once per Read(), from within Read() or Poll().
  virtual void OnRead(uint64_t token, ReadResult&& result) = 0;
};

struct ValidateResult {
  protocol::ValidateRow row;
  std::vector<uint64_t> ids;  // changed since the item's position, without repeats
};

struct AnnouncedVolume {
  uint32_t volume_id;
  uint8_t version;  // 1, 2, 3; 0: not loaded (yet)
  bool confirmed;
  std::string collection;
};

/// One row of the volume server's GET /status.
struct ServedVolume {
  uint32_t volume_id;
  uint64_t size_bytes;
  uint64_t file_count;
  int64_t modified_at_s;
};

struct EngineStats {
  uint64_t volumes_loaded, volumes_confirmed, needles, map_bytes;
  uint64_t volumes_without_descriptors;  // not loaded: RLIMIT_NOFILE leaves none for them
  uint64_t reads_cached, reads_disk;     // served by RWF_NOWAIT | by an I/O thread
  uint64_t reads_in_flight;
  uint64_t reads_waiting;  // among them: for memory
  uint64_t corrupt;
  uint64_t reloads;  // generations begun
};

class Engine {
 public:
  /// Nothing when a directory cannot be read; `error` says which and why.
  [[nodiscard]] static std::unique_ptr<Engine> Create(const EngineOptions& options,
                                                      memory::Arena& arena, ReadSink& sink,
                                                      std::string& error);
  virtual ~Engine() =
      default;  // waits for its I/O threads; answers what is left with Status::closed

  virtual void Read(uint64_t token, const ReadCommand& command) = 0;
  [[nodiscard]] virtual ValidateResult Validate(const protocol::ValidateItem& item) = 0;

  /// A poll of the volume server that succeeded: `started_ns` on CLOCK_MONOTONIC, taken before it
  /// was sent.
  virtual void Confirm(uint64_t started_ns, std::span<const ServedVolume> served) = 0;
  /// True once when a volume was asked for that the last poll does not list: it is time to poll the
  /// volume server. True again only when it was asked for after the next poll that succeeded had
  /// started.
  [[nodiscard]] virtual bool TakePollWanted() = 0;

  /// Readable when Poll() has work: an I/O completion, a finished load, or the sweep each second.
  [[nodiscard]] virtual int event_fd() const = 0;
  virtual void Poll() = 0;
  /// Lets reads go on that waited for memory, and true if some did. To be called whenever leases
  /// may have come home, and every so often.
  virtual bool GoOn(uint64_t now_ns) = 0;

  /// Changes whenever Volumes() would answer otherwise.
  [[nodiscard]] virtual uint64_t volumes_generation() const = 0;
  [[nodiscard]] virtual std::vector<AnnouncedVolume> Volumes() const = 0;
  [[nodiscard]] virtual EngineStats stats() const = 0;
};

}  // namespace engine
