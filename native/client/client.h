#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "memory/arena.h"
#include "protocol/status.h"
#include "protocol/wire.h"
#include "stream/channel.h"
#include "ucx/session_proof.h"
#include "ucx/waiting_connections.h"

// The proxy's side of the protocol: fetches and validations in flight, by request id. One Client
// per process and thread, many targets. Two kinds: of targets in other processes
// (client/session_client.h) and in this process over the target's engine (client/inproc_client.h).
// Never blocks, owns no thread, touches no JavaScript.
namespace client {

using TargetId = uint32_t;

struct ReadCommand {
  uint64_t needle_id;
  uint32_t volume_id;
  uint32_t cookie;
  uint64_t offset;
  uint64_t length;
  uint64_t whole_bytes_max;
  uint64_t budget_bytes;
  uint64_t timeout_ns;
  bool metadata_only;
};

/// Delivered once for each posted read. With Status::ok the bytes are checked: a whole needle
/// against its stored checksum (either form), a slice against data_crc32c; `checksum` is then the
/// ETag's (computed raw for kWhole without kStream, stored otherwise).
struct ReadCompletion {
  uint64_t request_id;
  protocol::Status status;
  uint32_t checksum;
  protocol::ReadReply reply;  // meaningful with Status::ok
  memory::Lease lease;        // empty when there is no payload
  uint64_t payload_offset;    // in lease.bytes(): [stored bytes][name][mime][pairs]
};

struct ValidateVerdict {
  protocol::ValidateRow row;
  std::vector<uint64_t> ids;
};

struct ValidateCompletion {
  uint64_t request_id;
  protocol::Status status;
  std::vector<ValidateVerdict> verdicts;
};

struct PongCompletion {
  uint64_t request_id;
  protocol::Status status;
  uint64_t round_trip_ns;
  protocol::Pong pong;
};

/// A target's new state, or a change that it pushed for a leased volume. `transport` is the
/// active-message lane's name ("tcp", "posix", …, "inproc"), or "unknown".
struct TargetEvent {
  enum class Kind { kUp, kDown, kVolumes, kChanged } kind;
  TargetId target;
  protocol::Status status;                       // kDown: why
  std::string detail;                            // kDown: UCX's own words
  std::string transport;                         // kUp
  uint64_t session_id;                           // kUp
  std::vector<engine::AnnouncedVolume> volumes;  // kVolumes: the whole list
  protocol::Changed change;                      // kChanged
  std::vector<uint64_t> ids;                     // kChanged
};

struct TargetAddress {
  std::string host;
  uint16_t port;
  ucx::Secrets secrets;
  uint64_t connect_timeout_ns;
  uint32_t rail = 0;  // over UCX: which of SessionClientOptions::rails
};

struct ClientStats {
  uint64_t bytes_received;  // payload bytes of replies, whatever became of them
  uint64_t bytes_sent;      // headers and lists of requests
  uint64_t late_replies;    // arrived after their request had completed, dropped
  uint32_t sessions;        // targets that are up
};

/// Events and completions since the last Take(). The vectors are swapped out, so their capacity is
/// reused.
struct Batch {
  std::vector<ReadCompletion> reads;
  std::vector<ValidateCompletion> validations;
  std::vector<PongCompletion> pongs;
  std::vector<TargetEvent> events;
  [[nodiscard]] bool empty() const {
    return reads.empty() && validations.empty() && pongs.empty() && events.empty();
  }
};

class Client {
 public:
  virtual ~Client() = default;

  /// Starts to connect, where the target's port is not 0; kUp or kDown follows. A target that went
  /// down is connected again by calling Connect again with its id (the caller owns the back-off).
  virtual TargetId AddTarget(const TargetAddress& address) = 0;
  virtual void Connect(TargetId target) = 0;
  /// Connects to another port of its host, with another time for it.
  virtual void ConnectAt(TargetId target, uint16_t port, uint64_t connect_timeout_ns) = 0;
  /// Begins a session over a connected TCP socket to the target, which is closed in the end.
  virtual void ConnectStream(TargetId target, int fd, const stream::Security& security,
                             uint64_t connect_timeout_ns) = 0;
  /// For attempts to connect from now on.
  virtual void SetSecrets(TargetId target, ucx::Secrets secrets) = 0;
  /// Says GOODBYE and closes; requests in flight complete with Status::closed.
  virtual void Disconnect(TargetId target) = 0;

  /// Each returns the request id that its completion carries. Never completes from within the call.
  virtual uint64_t PostRead(TargetId target, const ReadCommand& command) = 0;
  /// `lease_ms` over 0 (at most kLeaseMsMax) asks for leases; rows that got one are flagged
  /// kLeased.
  virtual uint64_t PostValidate(TargetId target, std::span<const protocol::ValidateItem> items,
                                uint64_t timeout_ns, uint32_t lease_ms) = 0;
  virtual uint64_t PostPing(TargetId target, uint64_t timeout_ns) = 0;

  /// Advances everything that can be advanced without blocking and fails what is past its deadline.
  /// True if it did something in this call; completions that were already waiting to be taken do
  /// not count.
  virtual bool Progress() = 0;
  /// Before the thread may sleep on event_fd(): false when there is more to progress first.
  [[nodiscard]] virtual bool Arm() = 0;
  [[nodiscard]] virtual int event_fd() const = 0;
  /// CLOCK_MONOTONIC time of the earliest deadline in flight; nothing when idle.
  [[nodiscard]] virtual std::optional<uint64_t> next_deadline_ns() const = 0;

  virtual void Take(Batch& batch) = 0;
  [[nodiscard]] virtual uint32_t requests_in_flight() const = 0;
  [[nodiscard]] virtual ClientStats stats() const = 0;
  /// The hosts that UCX's TCP ports take packets of; none at first. False: see ucx::PeerFilter.
  /// Without a guard, or UCX, nothing happens.
  virtual bool AdmitPeers(const std::set<ucx::HostAddress>& hosts, std::string& error) = 0;
  /// Why the guard could not be had; empty: it is as asked for.
  [[nodiscard]] virtual std::string guard_fault() const { return {}; }

  /// Ends TCP connections to UCX's own ports that say nothing for too long, or are too many of one
  /// address. It looks at each descriptor of the process: not for the thread of the client, and for
  /// one at a time. It may outlive the client. Empty where there are no such ports.
  using ConnectionLook = std::function<ucx::ConnectionCounts()>;
  [[nodiscard]] virtual ConnectionLook connection_look() const { return {}; }
};

}  // namespace client
