#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/failures.h"
#include "client/request_table.h"
#include "client/session_client.h"
#include "client/target_connection.h"
#include "fabric/receiver.h"
#include "fabric/send_pool.h"
#include "stream/carrier.h"
#include "ucx/handles.h"
#include "ucx/peer_filter.h"

namespace client {

/// For GOODBYE to reach the target before the link closes.
inline constexpr uint64_t kGoodbyeNs = 100'000'000;

/// See client.h. Connections are in session_client_connections.cc, handshake and answers in
/// session_client_messages.cc, everything else in session_client.cc.
class SessionClient final : public Client, public fabric::SendListener, public fabric::Receiver {
 public:
  [[nodiscard]] static std::unique_ptr<SessionClient> Create(const SessionClientOptions& options,
                                                             memory::Arena& arena,
                                                             std::string& error);
  ~SessionClient() override;

  TargetId AddTarget(const TargetAddress& address) override;
  void Connect(TargetId target) override;
  void SetSecrets(TargetId target, ucx::Secrets secrets) override;
  void ConnectAt(TargetId target, uint16_t port, uint64_t connect_timeout_ns) override;
  void ConnectStream(TargetId target, int fd, const stream::Security& security,
                     uint64_t connect_timeout_ns) override;
  void Disconnect(TargetId target) override;
  uint64_t PostRead(TargetId target, const ReadCommand& command) override;
  uint64_t PostValidate(TargetId target, std::span<const protocol::ValidateItem> items,
                        uint64_t timeout_ns, uint32_t lease_ms) override;
  uint64_t PostPing(TargetId target, uint64_t timeout_ns) override;
  bool Progress() override;
  bool Arm() override;
  int event_fd() const override { return event_fd_; }
  std::optional<uint64_t> next_deadline_ns() const override;
  void Take(Batch& batch) override;
  uint32_t requests_in_flight() const override { return waiting_count_; }
  ClientStats stats() const override;
  ConnectionLook connection_look() const override { return connection_look_; }
  bool AdmitPeers(const std::set<ucx::HostAddress>& hosts, std::string& error) override {
    return peers_->Admit(hosts, error);
  }
  std::string guard_fault() const override { return guard_fault_; }

  void OnSent(const fabric::Send& send, bool is_sent) override;

  // Messages over streams.
  void OnMessage(void* peer, protocol::MessageId id, std::span<const std::byte> header,
                 std::span<const std::byte> data) override;
  std::optional<fabric::Landing> OnReply(void* peer, std::span<const std::byte> header,
                                         uint64_t data_bytes) override;
  void OnLanded(void* context, bool is_whole) override;
  void OnLost(void* peer, std::string_view why) override;

 private:
  /// A message as a UCX callback gives it: valid only in the callback.
  struct Incoming {
    TargetConnection& connection;
    std::span<const std::byte> header;
    std::span<const std::byte> data;
  };
  using Handler = void (SessionClient::*)(const Incoming&);
  /// UCX with the devices of one rail; its worker is in workers_.
  struct Rail {
    std::unique_ptr<ucx::Context> context;
    std::unique_ptr<ucx::MemoryHandle> memory;
    std::string fault;  // why there is neither
  };
  struct Leaving {
    std::unique_ptr<fabric::Link> link;
    uint64_t close_at_ns;
  };

  SessionClient(uint32_t requests_max, memory::Arena& arena)
      : arena_(arena), sends_(*this), requests_(requests_max) {}

  // Requests.
  Request* Post(RequestKind kind, TargetId target, uint64_t timeout_ns);
  uint64_t FailPosted(RequestKind kind, TargetId target);
  void Send(TargetConnection& connection, fabric::Send& send, uint64_t deadline_ns);
  /// Tells the caller once; an ok completion is appended by the caller that has its content.
  void Complete(Request& request, protocol::Status status);
  /// True if a request's time was up.
  bool CheckTimes(uint64_t now_ns);
  bool ProgressFabrics();
  void FailStuck(uint64_t now_ns);

  // Connections.
  bool StartUcx(const SessionClientOptions& options, std::string& error);
  /// False: not one of the rails can be had.
  bool StartRails(const SessionClientOptions& options, std::string& error);
  bool StartStreams(std::string& error);
  void Greet(TargetConnection& connection, std::unique_ptr<fabric::Link> link);
  void Lose(TargetConnection& connection, std::string detail);
  void WatchConnections(std::vector<uint16_t> ports, const ucx::WaitingConnections::Rules& rules);
  /// Why UCX cannot connect there; empty: it can.
  [[nodiscard]] static std::string ConnectFault(const ucx::Context& context,
                                                const ucx::SocketAddress& address);
  static void OnPeerError(void* arg, ucp_ep_h endpoint, ucs_status_t status);
  void Fail(TargetConnection& connection, protocol::Status status, std::string detail);
  void Note(TargetConnection& connection);
  void Settle(TargetConnection& connection);
  void Close(TargetConnection& connection);
  static bool IsConnecting(const TargetConnection& connection);
  void SetState(TargetConnection& connection, TargetConnection::State state);

  // Messages.
  bool SetHandlers(ucx::Worker& worker, std::string& error);
  TargetConnection* FindConnection(const ucp_am_recv_param_t& param);
  template <Handler handler>
  static ucs_status_t OnMessage(void* arg, const void* header, size_t header_bytes, void* data,
                                size_t data_bytes, const ucp_am_recv_param_t* param);
  void SendHello(TargetConnection& connection);
  void OnChallenge(const Incoming& message);
  void OnWelcome(const Incoming& message);
  void OnRefuse(const Incoming& message);
  void OnVolumes(const Incoming& message);
  void OnValidateReply(const Incoming& message);
  void OnChanged(const Incoming& message);
  void OnPong(const Incoming& message);
  void OnGoodbye(const Incoming& message);
  static ucs_status_t OnReadReply(void* arg, const void* header, size_t header_bytes, void* data,
                                  size_t data_bytes, const ucp_am_recv_param_t* param);
  ucs_status_t ReceiveByRendezvous(Request& request, void* descriptor, size_t bytes);
  static void OnReceived(void* ucx_request, ucs_status_t status, size_t bytes, void* user_data);
  void FinishReceive(Request& request, protocol::Status status, size_t bytes);
  /// The request that is answered, with a lease for the data; null: nothing is to be received.
  Request* BeginRead(TargetConnection& connection, std::span<const std::byte> header,
                     uint64_t data_bytes);
  void FinishRead(Request& request);
  Request* FindRequest(const TargetConnection& connection, RequestKind kind, uint64_t id);
  void FailProtocol(TargetConnection& connection, const char* message_name);

  // Destroyed from below; only when the workers are gone may the slots and slabs go that UCX was
  // told about.
  memory::Arena& arena_;
  std::vector<Rail> rails_;  // empty: no UCX
  fabric::SendPool sends_;
  RequestTable requests_;
  std::vector<std::unique_ptr<ucx::Worker>> workers_;  // by rail; null where that has a fault
  std::unique_ptr<stream::Carrier> streams_;
  int epoll_set_ = -1;  // of all descriptors, where there are several
  int event_fd_ = -1;
  std::vector<Leaving> leaving_;                                // said goodbye to
  std::vector<std::unique_ptr<TargetConnection>> connections_;  // by TargetId
  std::unordered_map<ucp_ep_h, TargetConnection*> connections_by_endpoint_;
  std::vector<TargetConnection*> noted_;
  std::deque<uint64_t> graces_;   // when to look for transfers that outlived their request
  bool is_progress_due_ = false;  // something was posted: no sleep before the next progress
  uint32_t connecting_count_ = 0;
  uint32_t waiting_count_ = 0;
  ConnectionLook connection_look_;
  std::shared_ptr<ucx::PeerFilter> peers_ = std::make_shared<ucx::PeerFilter>();
  std::string guard_fault_;
  ClientStats stats_{};
  Batch batch_;
};

}  // namespace client
