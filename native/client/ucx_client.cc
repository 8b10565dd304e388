#include "client/ucx_client.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "client/ucx_client_impl.h"
#include "protocol/clock.h"
#include "ucx/listen_hook.h"
#include "ucx/status.h"
#include "ucx/ucx_link.h"

namespace client {
namespace {

using protocol::MessageId;
using protocol::Status;

constexpr uint32_t kProgressRoundsMax = 256;  // then the event loop has its turn
constexpr uint64_t kGraceNs = 1'000'000'000;
using fabric::kControlSendTimeoutNs;
constexpr uint64_t kGoodbyeNs =
    100'000'000;  // for GOODBYE to reach the target before the endpoint closes
constexpr uint64_t kCompleteTimeoutNs = 1'000'000'000;

}  // namespace

std::unique_ptr<Client> CreateUcxClient(const UcxClientOptions& options, memory::Arena& arena,
                                        std::string& error) {
  return UcxClient::Create(options, arena, error);
}

std::unique_ptr<UcxClient> UcxClient::Create(const UcxClientOptions& options, memory::Arena& arena,
                                             std::string& error) {
  auto client = std::unique_ptr<UcxClient>(
      new UcxClient(std::min(options.requests_max, RequestTable::kSlotsMax), arena));
  if (options.is_ucx && !client->StartUcx(options, error)) return nullptr;
  return client->StartStreams(error) ? std::move(client) : nullptr;
}

bool UcxClient::StartUcx(const UcxClientOptions& options, std::string& error) {
  const sa_family_t family = options.is_ipv6 ? AF_INET6 : AF_INET;
  context_ = ucx::Context::Create(
      {.device_name = options.device_name, .tls = options.tls, .family = family}, error);
  if (!context_) return false;
  memory_ = ucx::MemoryHandle::Register(*context_, arena_.span(), error);
  if (!memory_) return false;
  // The event loop waits for this call: no other port is opened meanwhile.
  const std::vector<uint16_t> others = ucx::ListeningPorts();
  const ucx::ListenGuard guard(options.is_guarded);
  worker_ = ucx::Worker::Create(*context_, error);
  if (!worker_ || !SetHandlers(error)) return false;
  std::vector<uint16_t> ports = ucx::ListeningPortsSince(others);
  if (options.is_guarded && peers_->Guard(ports, guard_fault_))
    guard_fault_ = ucx::ListenGuard::Fault();
  WatchConnections(std::move(ports), options.connections);
  return true;
}

bool UcxClient::StartStreams(std::string& error) {
  streams_ = stream::Carrier::Create(*this, {}, error);
  if (!streams_) return false;
  if (!worker_) {
    event_fd_ = streams_->event_fd();
    return true;
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event_fd_ = epoll_set_ = epoll_create1(EPOLL_CLOEXEC);
  const bool is_watched = event_fd_ >= 0 &&
                          epoll_ctl(event_fd_, EPOLL_CTL_ADD, worker_->event_fd(), &event) == 0 &&
                          epoll_ctl(event_fd_, EPOLL_CTL_ADD, streams_->event_fd(), &event) == 0;
  if (!is_watched) error = std::string("epoll: ") + strerror(errno);
  return is_watched;
}

void UcxClient::WatchConnections(std::vector<uint16_t> ports,
                                 const ucx::WaitingConnections::Rules& rules) {
  if (ports.empty() || rules.timeout_ns == 0) return;
  const auto watched = std::make_shared<ucx::WaitingConnections>(
      ucx::WaitingConnections::Ports{.data = std::move(ports)}, rules, *peers_);
  connection_look_ = [watched, peers = peers_] { return watched->Look(protocol::NowNs(), {}); };
}

UcxClient::~UcxClient() {
  if (epoll_set_ >= 0) close(epoll_set_);
  if (!streams_) return;
  for (auto& connection : connections_) {
    Disconnect(connection->id);
    if (connection->is_failed) Settle(*connection);
  }
  const uint64_t goodbye_by_ns = protocol::NowNs() + kGoodbyeNs;
  while (sends_.in_flight() > 0 && protocol::NowNs() < goodbye_by_ns) ProgressFabrics();
  connections_by_endpoint_.clear();
  leaving_.clear();
  const uint64_t give_up_ns = protocol::NowNs() + kCompleteTimeoutNs;
  const auto is_pending = [&] { return sends_.in_flight() > 0 || requests_.taken() > 0; };
  while (is_pending() && protocol::NowNs() < give_up_ns) ProgressFabrics();
}

TargetId UcxClient::AddTarget(const TargetAddress& address) {
  auto connection = std::make_unique<UcxConnection>();
  connection->id = static_cast<TargetId>(connections_.size());
  connection->address = address;
  connections_.push_back(std::move(connection));
  Connect(connections_.back()->id);
  return connections_.back()->id;
}

void UcxClient::Connect(TargetId target) {
  UcxConnection& connection = *connections_[target];
  if (connection.state != UcxConnection::State::kDown || connection.is_failed) return;
  if (connection.address.port == 0) return;
  if (!worker_) return Fail(connection, Status::not_connected, "UCX is not started here");
  const auto address = ucx::ParseAddress(connection.address.host, connection.address.port);
  if (!address)
    return Fail(connection, Status::not_connected,
                "not a literal address: " + connection.address.host);
  if (std::string fault = ConnectFault(*address); !fault.empty())
    return Fail(connection, Status::not_connected, std::move(fault));
  ucs_status_t status = UCS_OK;
  ucx::Endpoint endpoint =
      ucx::Endpoint::Connect(*worker_, address->get(), address->bytes,
                             {.on_error = &UcxClient::OnPeerError, .arg = this}, status);
  if (!endpoint)
    return Fail(connection, Status::not_connected, std::string(ucx::StatusText(status)));
  connection.endpoint = endpoint.handle();
  connections_by_endpoint_[connection.endpoint] = &connection;
  Greet(connection, std::make_unique<ucx::UcxLink>(std::move(endpoint), memory_->handle()));
}

void UcxClient::ConnectStream(TargetId target, int fd, const stream::Security& security,
                              uint64_t connect_timeout_ns) {
  UcxConnection& connection = *connections_[target];
  if (connection.state != UcxConnection::State::kDown || connection.is_failed) {
    close(fd);
    return;
  }
  connection.address.connect_timeout_ns = connect_timeout_ns;
  std::string error;
  auto link = streams_->Adopt(fd, security, &connection, error);
  if (!link) return Fail(connection, Status::not_connected, std::move(error));
  Greet(connection, std::move(link));
}

void UcxClient::Greet(UcxConnection& connection, std::unique_ptr<fabric::Link> link) {
  connection.link = std::move(link);
  SetState(connection, UcxConnection::State::kGreeting);
  connection.connect_by_ns = protocol::NowNs() + connection.address.connect_timeout_ns;
  if (!ucx::MakeNonce(connection.facts.client_nonce))
    return Fail(connection, Status::not_connected, "libsodium does not start");
  SendHello(connection);
}

void UcxClient::ConnectAt(TargetId target, uint16_t port, uint64_t connect_timeout_ns) {
  UcxConnection& connection = *connections_[target];
  connection.address.port = port;
  connection.address.connect_timeout_ns = connect_timeout_ns;
  Connect(target);
}

std::string UcxClient::ConnectFault(const ucx::SocketAddress& address) const {
  if (std::string fault = ucx::AddressFault(address); !fault.empty()) return fault;
  if (!context_->RefuseFamily(address.get())) return {};
  const bool is_ipv6 = address.get()->sa_family == AF_INET6;
  return std::string("its address is ") + (is_ipv6 ? "IPv6" : "IPv4") +
         ", and UCX's TCP speaks one family in a process: " + (is_ipv6 ? "IPv4" : "IPv6") +
         " here, as to the other targets";
}

void UcxClient::Disconnect(TargetId target) {
  UcxConnection& connection = *connections_[target];
  if (connection.state == UcxConnection::State::kDown) return;
  Fail(connection, Status::closed, "disconnected");
}

uint64_t UcxClient::PostRead(TargetId target, const ReadCommand& command) {
  Request* const request = Post(RequestKind::kRead, target, command.timeout_ns);
  if (request == nullptr) return FailPosted(RequestKind::kRead, target);
  request->read = command;
  protocol::Read read{};
  read.request_id = request->id;
  read.needle_id = command.needle_id;
  read.volume_id = command.volume_id;
  read.cookie = command.cookie;
  read.offset = command.offset;
  read.length = command.length;
  read.whole_bytes_max = command.whole_bytes_max;
  read.budget_bytes = command.budget_bytes;
  read.timeout_ns = std::max<uint64_t>(command.timeout_ns, 1);
  if (command.metadata_only) read.flags = protocol::kMetadataOnly;
  const uint64_t id = request->id;
  Send(*connections_[target], sends_.Take(MessageId::read, read), request->deadline_ns + kGraceNs);
  return id;
}

uint64_t UcxClient::PostValidate(TargetId target, std::span<const protocol::ValidateItem> items,
                                 uint64_t timeout_ns, uint32_t lease_ms) {
  const UcxConnection& connection = *connections_[target];
  const bool is_too_long = items.size() > connection.validate_items_max;
  Request* const request = is_too_long ? nullptr : Post(RequestKind::kValidate, target, timeout_ns);
  if (request == nullptr) return FailPosted(RequestKind::kValidate, target);
  request->item_count = static_cast<uint32_t>(items.size());
  request->is_lease_asked = lease_ms > 0 && connection.has_leases;
  protocol::Validate validate{};
  validate.request_id = request->id;
  validate.timeout_ns = std::max<uint64_t>(timeout_ns, 1);
  validate.item_count = request->item_count;
  if (request->is_lease_asked) validate.lease_ms = std::min(lease_ms, protocol::kLeaseMsMax);
  const uint64_t id = request->id;
  fabric::Send& send = sends_.Take(MessageId::validate, validate);
  const auto bytes = std::as_bytes(items);
  send.list.assign(bytes.begin(), bytes.end());
  Send(*connections_[target], send, request->deadline_ns + kGraceNs);
  return id;
}

uint64_t UcxClient::PostPing(TargetId target, uint64_t timeout_ns) {
  Request* const request = Post(RequestKind::kPing, target, timeout_ns);
  if (request == nullptr) return FailPosted(RequestKind::kPing, target);
  protocol::Ping ping{};
  ping.request_id = request->id;
  ping.sent_ns = request->posted_ns;
  const uint64_t id = request->id;
  Send(*connections_[target], sends_.Take(MessageId::ping, ping), request->deadline_ns + kGraceNs);
  return id;
}

bool UcxClient::Progress() {
  bool advanced = !noted_.empty();
  is_progress_due_ = false;
  advanced |= ProgressFabrics();
  advanced |= CheckTimes(protocol::NowNs());
  // Failing a connection may note it again, but never another one.
  for (size_t i = 0; i < noted_.size(); ++i) Settle(*noted_[i]);
  noted_.clear();
  return advanced;
}

bool UcxClient::ProgressFabrics() {
  bool advanced = streams_->Progress();
  for (uint32_t round = 0; worker_ && round < kProgressRoundsMax && worker_->Progress(); ++round)
    advanced = true;
  return advanced;
}

bool UcxClient::Arm() {
  return batch_.empty() && noted_.empty() && !is_progress_due_ && streams_->Arm() &&
         (!worker_ || worker_->Arm());
}

std::optional<uint64_t> UcxClient::next_deadline_ns() const {
  std::optional<uint64_t> next = requests_.next_deadline_ns();
  const auto consider = [&next](uint64_t at_ns) { next = std::min(next.value_or(at_ns), at_ns); };
  if (!graces_.empty()) consider(graces_.front());
  for (const Leaving& leaving : leaving_) consider(leaving.close_at_ns);
  if (connecting_count_ == 0) return next;
  for (const auto& connection : connections_) {
    if (IsConnecting(*connection)) consider(connection->connect_by_ns);
  }
  return next;
}

void UcxClient::Take(Batch& batch) {
  batch.reads.clear();
  batch.validations.clear();
  batch.pongs.clear();
  batch.events.clear();
  std::swap(batch, batch_);
}

ClientStats UcxClient::stats() const {
  ClientStats stats = stats_;
  stats.sessions =
      static_cast<uint32_t>(std::ranges::count_if(connections_, [](const auto& connection) {
        return connection->state == UcxConnection::State::kUp;
      }));
  return stats;
}

Request* UcxClient::Post(RequestKind kind, TargetId target, uint64_t timeout_ns) {
  UcxConnection& connection = *connections_[target];
  if (connection.state != UcxConnection::State::kUp || connection.is_failed) return nullptr;
  if (connection.requests_in_flight >= connection.requests_max) return nullptr;
  Request* const request = requests_.Add(kind, target, protocol::NowNs(), timeout_ns);
  if (request == nullptr) return nullptr;
  ++connection.requests_in_flight;
  ++waiting_count_;
  return request;
}

uint64_t UcxClient::FailPosted(RequestKind kind, TargetId target) {
  const UcxConnection& connection = *connections_[target];
  const bool is_up = connection.state == UcxConnection::State::kUp && !connection.is_failed;
  const uint64_t id = requests_.IdWithoutSlot();
  AppendFailure(batch_, kind, id, is_up ? Status::overload : Status::not_connected);
  return id;
}

void UcxClient::Send(UcxConnection& connection, fabric::Send& send, uint64_t deadline_ns) {
  send.owner = connection.id;
  send.deadline_ns = deadline_ns;
  is_progress_due_ = true;
  connection.link->Post(send);
}

void UcxClient::OnSent(const fabric::Send& send, bool is_sent) {
  if (is_sent) stats_.bytes_sent += send.header().size() + send.list.size();
  // The link's error tells why a send failed; without one (no memory, say) the request's
  // deadline ends it.
}

void UcxClient::Complete(Request& request, Status status) {
  if (!std::exchange(request.is_waiting, false)) return;
  --waiting_count_;
  UcxConnection& connection = *connections_[request.target];
  --connection.requests_in_flight;
  if (connection.state == UcxConnection::State::kLeaving && connection.requests_in_flight == 0) {
    Fail(connection, Status::closed, "the target said goodbye");
  }
  if (status != Status::ok) AppendFailure(batch_, request.kind, request.id, status);
  if (!request.is_receiving) requests_.Remove(request);
}

bool UcxClient::CheckTimes(uint64_t now_ns) {
  bool is_due = false;
  while (Request* const request = requests_.PopOverdue(now_ns)) {
    is_due = true;
    graces_.push_back(now_ns + kGraceNs);
    Complete(*request, Status::deadline);
  }
  requests_.ForgetDeadlines();
  if (!graces_.empty() && graces_.front() <= now_ns) {
    while (!graces_.empty() && graces_.front() <= now_ns) graces_.pop_front();
    FailStuck(now_ns);
  }
  if (connecting_count_ > 0) {
    for (const auto& connection : connections_) {
      if (!IsConnecting(*connection) || now_ns < connection->connect_by_ns) continue;
      Fail(*connection, Status::deadline, "the target did not answer within the connect timeout");
    }
  }
  std::erase_if(leaving_,
                [now_ns](const Leaving& leaving) { return leaving.close_at_ns <= now_ns; });
  return is_due;
}

void UcxClient::FailStuck(uint64_t now_ns) {
  std::vector<uint64_t> owners;
  sends_.Overdue(now_ns, owners);
  for (const auto& connection : connections_) {
    if (connection->state == UcxConnection::State::kDown) continue;
    bool is_stuck = std::ranges::find(owners, connection->id) != owners.end();
    requests_.ForEach(connection->id, [&](const Request& request) {
      is_stuck |=
          request.is_receiving && !request.is_waiting && request.deadline_ns + kGraceNs <= now_ns;
    });
    if (is_stuck)
      Fail(*connection, Status::deadline, "a transfer did not end with its request's deadline");
  }
}

void UcxClient::OnPeerError(void* arg, ucp_ep_h endpoint, ucs_status_t status) {
  UcxClient& self = *static_cast<UcxClient*>(arg);
  const auto found = self.connections_by_endpoint_.find(endpoint);
  if (found == self.connections_by_endpoint_.end()) return;
  self.Lose(*found->second, std::string(ucx::StatusText(status)));
}

void UcxClient::OnLost(void* peer, std::string_view why) {
  Lose(*static_cast<UcxConnection*>(peer), std::string(why));
}

void UcxClient::Lose(UcxConnection& connection, std::string detail) {
  if (connection.state == UcxConnection::State::kLeaving) {
    return Fail(connection, Status::closed, "the target said goodbye");
  }
  const bool was_up = connection.state == UcxConnection::State::kUp;
  Fail(connection, was_up ? Status::peer_lost : Status::not_connected, std::move(detail));
}

void UcxClient::Fail(UcxConnection& connection, Status status, std::string detail) {
  if (std::exchange(connection.is_failed, true)) return;
  connection.failure = status;
  connection.failure_detail = std::move(detail);
  Note(connection);
}

void UcxClient::Note(UcxConnection& connection) {
  if (!std::exchange(connection.is_noted, true)) noted_.push_back(&connection);
}

void UcxClient::Settle(UcxConnection& connection) {
  connection.is_noted = false;
  const auto event = [&](TargetEvent::Kind kind) -> TargetEvent& {
    TargetEvent& made = batch_.events.emplace_back();
    made.kind = kind;
    made.target = connection.id;
    return made;
  };
  if (std::exchange(connection.is_up_due, false)) {
    TargetEvent& up = event(TargetEvent::Kind::kUp);
    up.transport = connection.link->Transport();
    up.session_id = connection.session_id;
  }
  if (std::exchange(connection.is_volumes_due, false))
    event(TargetEvent::Kind::kVolumes).volumes = connection.volumes;
  if (!connection.is_failed) return;

  Close(connection);
  TargetEvent& down = event(TargetEvent::Kind::kDown);
  down.status = connection.failure;
  down.detail = std::exchange(connection.failure_detail, {});
  connection.is_failed = false;
}

void UcxClient::Close(UcxConnection& connection) {
  // No fabric completes the requests whose answer is still to come: that is done here.
  const Status lost = connection.failure == Status::closed ? Status::closed : Status::peer_lost;
  requests_.ForEach(connection.id, [&](Request& request) { Complete(request, lost); });
  const bool is_goodbye_due =
      connection.failure == Status::closed && connection.state == UcxConnection::State::kUp;
  SetState(connection, UcxConnection::State::kDown);
  connection.volumes.clear();
  connection.pages_total = 0;
  if (!connection.link) return;
  connections_by_endpoint_.erase(std::exchange(connection.endpoint, nullptr));
  if (is_goodbye_due) {
    const uint64_t now_ns = protocol::NowNs();
    protocol::Goodbye goodbye{};
    goodbye.status = static_cast<uint16_t>(Status::closed);
    Send(connection, sends_.Take(MessageId::goodbye, goodbye), now_ns + kControlSendTimeoutNs);
    leaving_.push_back({std::move(connection.link), now_ns + kGoodbyeNs});
  }
  connection.link.reset();
}

bool UcxClient::IsConnecting(const UcxConnection& connection) {
  return connection.state == UcxConnection::State::kGreeting ||
         connection.state == UcxConnection::State::kProving;
}

void UcxClient::SetState(UcxConnection& connection, UcxConnection::State state) {
  if (IsConnecting(connection)) --connecting_count_;
  connection.state = state;
  if (IsConnecting(connection)) ++connecting_count_;
}

}  // namespace client
