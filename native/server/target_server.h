#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "memory/arena.h"
#include "protocol/status.h"
#include "stream/channel.h"
#include "ucx/session_proof.h"
#include "ucx/waiting_connections.h"

// The target over UCX: a listener and its sessions around the engine, all on one progress thread of
// its own that owns worker, arena and engine. The calls below may come from any one other thread
// and never wait for the progress thread, except Create and the destructor.
namespace server {

struct TargetServerOptions {
  std::string host = "127.0.0.1";  // a literal address
  uint16_t port = 0;               // 0: any free one, see port()
  ucx::Secrets secrets{""};        // an empty one: everyone who speaks the protocol is served
  uint32_t sessions_max = 1000;    // more are refused with overload
  uint32_t requests_per_session_max = 1024;  // in flight; more are answered with overload
  uint32_t requests_max = 4096;              // the same, of all: see HasShare
  uint64_t list_bytes_max = 64 << 20;        // of answers to VALIDATE that are being sent: likewise
  uint64_t session_timeout_ns = 300'000'000'000;  // without any message: GOODBYE
  uint64_t handshake_timeout_ns = 5'000'000'000;  // connected but not authenticated
  uint32_t pending_per_address_max = 64;          // the same, of one peer address
  bool is_ucx = true;       // else the server has the streams alone that it adopts
  bool is_guarded = false;  // UCX's TCP ports take packets of admitted hosts only
  uint64_t drain_timeout_ns = 5'000'000'000;  // requests in flight at Stop()
  uint64_t spin_ns = 0;              // polls this long after the last activity before it sleeps
  std::string device_name = "auto";  // UCX_NET_DEVICES
  bool keeps_device = false;         // a session stays on the device over which it came
  std::string tls = "auto";          // UCX_TLS
  engine::EngineOptions engine;
  memory::ArenaOptions arena;
};

/// A snapshot, at most some 20 ms old; exact once the server is at rest.
struct TargetServerStats {
  uint32_t sessions_active = 0;   // past WELCOME
  uint32_t sessions_pending = 0;  // connected, not authenticated
  uint64_t sessions_total = 0;    // ever welcomed
  uint64_t sessions_refused = 0;  // wrong version or secret, overload, garbage, handshake timeout
  uint64_t sessions_lost = 0;     // ended by an error or by force, not by GOODBYE
  uint64_t bytes_sent = 0;        // payload bytes
  uint64_t bytes_received = 0;    // payload bytes (lists)
  uint64_t reads_by_status[64] = {};  // answered, by protocol::Status; deadline: dropped unanswered
  uint64_t validations = 0;
  uint32_t volume_leases = 0;       // of all sessions
  uint64_t changes_pushed = 0;      // to their holders
  uint32_t requests_in_flight = 0;  // asked of the engine, or being sent
  uint64_t list_bytes = 0;          // of answers to VALIDATE that are being sent
  memory::ArenaStats arena = {};
  engine::EngineStats engine = {};
};

/// The start or end of a session, for the log.
struct SessionEvent {
  enum class Kind : uint8_t {
    kWelcomed,
    kRefused,  // before it was welcomed
    kEnded,    // by GOODBYE, of either side
    kLost,     // by an error or by force
  };
  Kind kind = Kind::kWelcomed;
  uint64_t session_id = 0;                         // 0: refused before there was a session
  protocol::Status status = protocol::Status::ok;  // why it was refused or ended; ok: no reason
};

/// Events that wait to be taken; the oldest go first. The counters above know of all.
inline constexpr size_t kSessionEventsMax = 256;

/// Makes the engine on the progress thread; only tests give another than engine::Engine::Create.
using EngineFactory = std::function<std::unique_ptr<engine::Engine>(
    memory::Arena& arena, engine::ReadSink& sink, std::string& error)>;

class TargetServer {
 public:
  /// Nothing when UCX, the arena, the engine or the listener cannot be had; `error` then says which
  /// and why.
  [[nodiscard]] static std::unique_ptr<TargetServer> Create(const TargetServerOptions& options,
                                                            std::string& error);
  [[nodiscard]] static std::unique_ptr<TargetServer> Create(const TargetServerOptions& options,
                                                            const EngineFactory& engine,
                                                            std::string& error);
  /// Stops at once if Stop() was not called, and joins the thread.
  virtual ~TargetServer() = default;

  /// UCX listens there; 0: it does not.
  [[nodiscard]] virtual uint16_t port() const = 0;
  /// Why `is_guarded` could not be had; empty: it is as asked for.
  [[nodiscard]] virtual const std::string& guard_fault() const = 0;
  /// The hosts that UCX's TCP ports take packets of, with `is_guarded`; none at first. False: see
  /// ucx::PeerFilter.
  virtual bool AdmitPeers(const std::set<ucx::HostAddress>& hosts, std::string& error) = 0;
  /// For sessions that begin from now on; see TargetServerOptions.
  virtual void SetSecrets(ucx::Secrets secrets) = 0;
  /// Serves the peer of a connected TCP socket, which is closed in the end, by messages over it.
  virtual void Adopt(int fd, const stream::Security& security) = 0;
  [[nodiscard]] virtual memory::PageKind page_kind() const = 0;

  /// A poll of the volume server that succeeded; see engine::Engine::Confirm.
  virtual void Confirm(uint64_t started_ns, std::vector<engine::ServedVolume> served) = 0;
  /// `listener` is called on the progress thread when engine::Engine::TakePollWanted says so. It
  /// must not wait, nor call back.
  virtual void OnPollWanted(std::function<void()> listener) = 0;
  [[nodiscard]] virtual TargetServerStats stats() const = 0;
  /// Ends those that have waited for too long, or are too many of one address; to be called every
  /// so often. It looks at each descriptor of the process: not for the progress thread.
  virtual ucx::ConnectionCounts LookAtConnections() = 0;
  /// In order; each is given once.
  [[nodiscard]] virtual std::vector<SessionEvent> TakeSessionEvents() = 0;
  /// The volumes that the engine serves, as last announced.
  [[nodiscard]] virtual std::vector<engine::AnnouncedVolume> volumes() const = 0;

  /// Drains: no new sessions, GOODBYE to the others, requests in flight finished within
  /// drain_timeout_ns. `stopped` is called once, on the progress thread, as its last act; the
  /// destructor then returns quickly. Later calls are ignored.
  virtual void Stop(std::function<void()> stopped) = 0;
};

}  // namespace server
