#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "fabric/receiver.h"
#include "fabric/send_pool.h"
#include "memory/arena.h"
#include "protocol/decode.h"
#include "server/inbox.h"
#include "server/lists.h"
#include "server/pending_share.h"
#include "server/refused_connections.h"
#include "server/session.h"
#include "server/target_server.h"
#include "server/volume_leases.h"
#include "stream/carrier.h"
#include "ucx/handles.h"
#include "ucx/peer_filter.h"

namespace server {

/// Everything that lives on the progress thread: created, run and destroyed there. Callbacks of the
/// fabrics only note what happened and post answers; links are closed between two calls of
/// progress.
class Server final : public engine::ReadSink, public fabric::SendListener, public fabric::Receiver {
 public:
  /// Shared with the threads that ask.
  struct Shared {
    Inbox& inbox;
    ucx::PeerFilter& peers;
  };

  [[nodiscard]] static std::unique_ptr<Server> Create(const TargetServerOptions& options,
                                                      const EngineFactory& engine,
                                                      const Shared& shared, std::string& error);
  ~Server() override;

  /// Until a stop was asked for and is done; returns whom to tell once the server is destroyed.
  [[nodiscard]] std::function<void()> Run();

  /// UCX listens there; 0: it does not.
  [[nodiscard]] uint16_t port() const { return listener_ ? listener_->port() : 0; }
  /// TCP ports that UCX opened for its data.
  [[nodiscard]] const std::vector<uint16_t>& data_ports() const { return data_ports_; }
  [[nodiscard]] memory::PageKind page_kind() const { return arena_->page_kind(); }
  /// See TargetServer.
  [[nodiscard]] const std::string& guard_fault() const { return guard_fault_; }

  void OnRead(uint64_t token, engine::ReadResult&& result) override;
  void OnSent(const fabric::Send& send, bool is_sent) override;

  // Messages over streams.
  void OnMessage(void* peer, protocol::MessageId id, std::span<const std::byte> header,
                 std::span<const std::byte> data) override;
  std::optional<fabric::Landing> OnReply(void* peer, std::span<const std::byte> header,
                                         uint64_t data_bytes) override;
  void OnLanded(void*, bool) override {}
  void OnLost(void* peer, std::string_view why) override;

 private:
  /// A read that the engine has; its token is (sequence << 32 | slot).
  struct ReadSlot {
    uint32_t sequence = 0;
    uint64_t session_id = 0;
    uint64_t request_id = 0;
    uint64_t deadline_ns = 0;
  };
  /// A connection whose peer has said who it is.
  struct PendingConnection {
    ucp_conn_request_h request;
    ucx::PeerEnd peer;
  };
  /// A message as a UCX callback gives it: valid only in the callback.
  struct Incoming {
    Session& session;
    std::span<const std::byte> header;
    std::span<const std::byte> data;
    uint64_t now_ns;
  };
  /// In the lower half of a send's tag; of kChange the volume id is in the upper half.
  enum SendTag : uint32_t { kControl = 0, kAnswer = 1, kVolumePage = 2, kChange = 3 };
  using Handler = void (Server::*)(const Incoming&);

  Server(const TargetServerOptions& options, const Shared& shared)
      : options_(options), inbox_(shared.inbox), peers_(shared.peers), sends_(*this) {}
  bool Start(const EngineFactory& engine, std::string& error);
  bool StartUcx(const ucx::SocketAddress& address, std::string& error);
  bool Listen(const ucx::SocketAddress& address, std::string& error);
  void Guard(std::span<const uint16_t> ports);

  // Loop.
  void RunOnce();
  void ProgressFabrics();
  [[nodiscard]] bool Arm();
  bool DoWhatIsDue(uint64_t now_ns);
  void WaitForWork(uint64_t now_ns);
  void Poll(int timeout_ms, bool are_fabrics_armed);
  [[nodiscard]] int TimeoutMs(uint64_t now_ns) const;
  void TakeInbox();
  void CheckTimes(uint64_t now_ns);
  void PublishStats(uint64_t now_ns);
  void BeginStop();

  // Sessions.
  static void OnConnection(ucp_conn_request_h request, void* arg);
  [[nodiscard]] bool MayAccept(const ucx::PeerEnd& peer);
  /// Where too many are pending, an address with fewer takes the place of one of the address with
  /// most.
  [[nodiscard]] bool MakePlace(const ucx::PeerEnd& peer);
  static void OnPeerError(void* arg, ucp_ep_h endpoint, ucs_status_t status);
  void AcceptPending(uint64_t now_ns);
  void AcceptStreams(std::vector<Inbox::Stream> streams);
  void AddSession(std::unique_ptr<Session> session, uint64_t now_ns);
  void NoteRefused(protocol::Status status);
  void CloseDoomed();
  void PublishPeers();
  void Doom(Session& session);
  void SetState(Session& session, Session::State state);
  void Refuse(Session& session, protocol::Status status);
  void SayGoodbye(Session& session, protocol::Status status);
  void Leave(Session& session, uint64_t linger_ns);
  void PushVolumes();
  void SendVolumes(Session& session);
  void LookAtLeases(uint64_t now_ns);

  // Messages.
  template <Handler handler>
  static ucs_status_t OnMessage(void* arg, const void* header, size_t header_bytes, void* data,
                                size_t data_bytes, const ucp_am_recv_param_t* param);
  bool SetHandlers(std::string& error);
  void Hear(Session& session, Handler handler, std::span<const std::byte> header,
            std::span<const std::byte> data);
  void OnHello(const Incoming& message);
  void OnProof(const Incoming& message);
  void OnReadRequest(const Incoming& message);
  void OnValidate(const Incoming& message);
  void OnPing(const Incoming& message);
  void OnGoodbye(const Incoming& message);
  [[nodiscard]] bool MayAsk(const Session& session) const;
  [[nodiscard]] bool IsFlooding(const Session& session) const;
  void AnswerRead(Session& session, uint64_t deadline_ns, engine::ReadResult&& result);
  void RefuseRead(Session& session, uint64_t request_id, protocol::Status status);
  void CountRead(uint16_t status);

  const TargetServerOptions options_;
  Inbox& inbox_;
  ucx::PeerFilter& peers_;

  // Destroyed from below: the engine answers what it still has, endpoints complete their sends, and
  // only when the worker is gone may the slots and slabs go that UCX was told about.
  std::unique_ptr<memory::Arena> arena_;
  std::unique_ptr<ucx::Context> context_;
  std::unique_ptr<ucx::MemoryHandle> memory_;
  fabric::SendPool sends_;
  std::unique_ptr<ucx::Worker> worker_;
  std::unique_ptr<ucx::Listener> listener_;
  std::unique_ptr<stream::Carrier> streams_;
  std::unordered_map<uint64_t, std::unique_ptr<Session>> sessions_;
  std::unordered_map<ucp_ep_h, Session*> sessions_by_endpoint_;
  std::deque<ReadSlot> read_slots_;
  std::vector<uint32_t> idle_read_slots_;
  std::unique_ptr<engine::Engine> engine_;

  std::vector<uint16_t> data_ports_;
  std::string guard_fault_;
  std::vector<PendingConnection> connections_;  // to be accepted
  std::optional<RefusedConnections> refused_;   // since there is a listener
  std::vector<uint64_t> doomed_;
  std::vector<uint64_t> overdue_;
  std::vector<VolumePage> volume_pages_;
  VolumeLeases leases_;
  std::vector<VolumeChange> changes_;  // found, to be sent
  uint64_t volumes_generation_ = 0;
  uint64_t next_session_id_ = 1;
  uint64_t next_check_ns_ = 0;
  uint64_t next_look_ns_ = 0;  // while there are leases
  uint64_t last_active_ns_ = 0;
  uint64_t published_ns_ = 0;
  uint64_t stop_by_ns_ = 0;
  uint32_t busy_arms_ = 0;
  uint32_t spins_ = 0;
  bool is_stats_due_ = true;
  bool is_stopping_ = false;
  bool is_done_ = false;
  std::function<void()> stopped_;
  TargetServerStats stats_;
};

}  // namespace server
