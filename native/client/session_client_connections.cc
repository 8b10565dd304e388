// Connections of the client: from the first attempt to the event that tells of the end. See
// session_client_impl.h.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "client/session_client_impl.h"
#include "protocol/clock.h"
#include "ucx/listen_hook.h"
#include "ucx/status.h"
#include "ucx/ucx_link.h"

namespace client {
namespace {

using fabric::kControlSendTimeoutNs;
using protocol::MessageId;
using protocol::Status;

}  // namespace

bool SessionClient::StartRails(const SessionClientOptions& options, std::string& error) {
  const sa_family_t family = options.is_ipv6 ? AF_INET6 : AF_INET;
  std::vector<std::string> names = options.rails;
  if (names.empty()) names.push_back(options.device_name);
  for (const std::string& name : names) {
    Rail& rail = rails_.emplace_back();
    rail.context = ucx::Context::Create({.device_name = name,
                                         .tls = options.tls,
                                         .family = family,
                                         .keeps_device = !options.rails.empty()},
                                        rail.fault);
    if (!rail.context) continue;
    rail.memory = ucx::MemoryHandle::Register(*rail.context, arena_.span(), error);
    if (!rail.memory) return false;
  }
  error = rails_.front().fault;
  return std::ranges::any_of(rails_, [](const Rail& rail) { return rail.context != nullptr; });
}

bool SessionClient::StartUcx(const SessionClientOptions& options, std::string& error) {
  if (!StartRails(options, error)) return false;
  // The event loop waits for this call: no other port is opened meanwhile.
  const std::vector<uint16_t> others = ucx::ListeningPorts();
  const ucx::ListenGuard guard(options.is_guarded);
  for (const Rail& rail : rails_) {
    std::unique_ptr<ucx::Worker>& worker = workers_.emplace_back();
    if (!rail.context) continue;
    worker = ucx::Worker::Create(*rail.context, error);
    if (!worker || !SetHandlers(*worker, error)) return false;
  }
  std::vector<uint16_t> ports = ucx::ListeningPortsSince(others);
  if (options.is_guarded && peers_->Guard(ports, guard_fault_))
    guard_fault_ = ucx::ListenGuard::Fault();
  WatchConnections(std::move(ports), options.connections);
  return true;
}

bool SessionClient::StartStreams(std::string& error) {
  streams_ = stream::Carrier::Create(*this, {}, error);
  if (!streams_) return false;
  if (workers_.empty()) {
    event_fd_ = streams_->event_fd();
    return true;
  }
  event_fd_ = epoll_set_ = epoll_create1(EPOLL_CLOEXEC);
  const auto watch = [this](int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    return epoll_ctl(event_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
  };
  const bool is_watched = event_fd_ >= 0 && watch(streams_->event_fd()) &&
                          std::ranges::all_of(workers_, [&](const auto& worker) {
                            return !worker || watch(worker->event_fd());
                          });
  if (!is_watched) error = std::string("epoll: ") + strerror(errno);
  return is_watched;
}

void SessionClient::WatchConnections(std::vector<uint16_t> ports,
                                     const ucx::WaitingConnections::Rules& rules) {
  if (ports.empty() || rules.timeout_ns == 0) return;
  const auto watched = std::make_shared<ucx::WaitingConnections>(
      ucx::WaitingConnections::Ports{.data = std::move(ports)}, rules, *peers_);
  connection_look_ = [watched, peers = peers_] { return watched->Look(protocol::NowNs(), {}); };
}

TargetId SessionClient::AddTarget(const TargetAddress& address) {
  auto connection = std::make_unique<TargetConnection>();
  connection->id = static_cast<TargetId>(connections_.size());
  connection->address = address;
  connections_.push_back(std::move(connection));
  Connect(connections_.back()->id);
  return connections_.back()->id;
}

void SessionClient::Connect(TargetId target) {
  TargetConnection& connection = *connections_[target];
  if (connection.state != TargetConnection::State::kDown || connection.is_failed) return;
  if (connection.address.port == 0) return;
  if (connection.address.rail >= rails_.size())
    return Fail(connection, Status::not_connected, "UCX is not started here");
  const Rail& rail = rails_[connection.address.rail];
  if (!rail.context)
    return Fail(connection, Status::not_connected,
                rail.fault + "; a device that is there now is used after a restart");
  const auto address = ucx::ParseAddress(connection.address.host, connection.address.port);
  if (!address)
    return Fail(connection, Status::not_connected,
                "not a literal address: " + connection.address.host);
  if (std::string fault = ConnectFault(*rail.context, *address); !fault.empty())
    return Fail(connection, Status::not_connected, std::move(fault));
  ucs_status_t status = UCS_OK;
  ucx::Endpoint endpoint =
      ucx::Endpoint::Connect(*workers_[connection.address.rail], address->get(), address->bytes,
                             {.on_error = &SessionClient::OnPeerError, .arg = this}, status);
  if (!endpoint)
    return Fail(connection, Status::not_connected, std::string(ucx::StatusText(status)));
  connection.endpoint = endpoint.handle();
  connections_by_endpoint_[connection.endpoint] = &connection;
  Greet(connection, std::make_unique<ucx::UcxLink>(std::move(endpoint), rail.memory->handle()));
}

void SessionClient::ConnectStream(TargetId target, int fd, const stream::Security& security,
                                  uint64_t connect_timeout_ns) {
  TargetConnection& connection = *connections_[target];
  if (connection.state != TargetConnection::State::kDown || connection.is_failed) {
    close(fd);
    return;
  }
  connection.address.connect_timeout_ns = connect_timeout_ns;
  std::string error;
  auto link = streams_->Adopt(fd, security, &connection, error);
  if (!link) return Fail(connection, Status::not_connected, std::move(error));
  Greet(connection, std::move(link));
}

void SessionClient::Greet(TargetConnection& connection, std::unique_ptr<fabric::Link> link) {
  connection.link = std::move(link);
  SetState(connection, TargetConnection::State::kGreeting);
  connection.connect_by_ns = protocol::NowNs() + connection.address.connect_timeout_ns;
  if (!ucx::MakeNonce(connection.facts.client_nonce))
    return Fail(connection, Status::not_connected, "libsodium does not start");
  SendHello(connection);
}

void SessionClient::SetSecrets(TargetId target, ucx::Secrets secrets) {
  connections_[target]->address.secrets = std::move(secrets);
}

void SessionClient::ConnectAt(TargetId target, uint16_t port, uint64_t connect_timeout_ns) {
  TargetConnection& connection = *connections_[target];
  connection.address.port = port;
  connection.address.connect_timeout_ns = connect_timeout_ns;
  Connect(target);
}

std::string SessionClient::ConnectFault(const ucx::Context& context,
                                        const ucx::SocketAddress& address) {
  if (std::string fault = ucx::AddressFault(address); !fault.empty()) return fault;
  if (!context.RefuseFamily(address.get())) return {};
  const bool is_ipv6 = address.get()->sa_family == AF_INET6;
  return std::string("its address is ") + (is_ipv6 ? "IPv6" : "IPv4") +
         ", and UCX's TCP speaks one family in a process: " + (is_ipv6 ? "IPv4" : "IPv6") +
         " here, as to the other targets";
}

void SessionClient::Disconnect(TargetId target) {
  TargetConnection& connection = *connections_[target];
  if (connection.state == TargetConnection::State::kDown) return;
  Fail(connection, Status::closed, "disconnected");
}

void SessionClient::OnPeerError(void* arg, ucp_ep_h endpoint, ucs_status_t status) {
  SessionClient& self = *static_cast<SessionClient*>(arg);
  const auto found = self.connections_by_endpoint_.find(endpoint);
  if (found == self.connections_by_endpoint_.end()) return;
  self.Lose(*found->second, std::string(ucx::StatusText(status)));
}

void SessionClient::OnLost(void* peer, std::string_view why) {
  Lose(*static_cast<TargetConnection*>(peer), std::string(why));
}

void SessionClient::Lose(TargetConnection& connection, std::string detail) {
  if (connection.state == TargetConnection::State::kLeaving) {
    return Fail(connection, Status::closed, "the target said goodbye");
  }
  const bool was_up = connection.state == TargetConnection::State::kUp;
  Fail(connection, was_up ? Status::peer_lost : Status::not_connected, std::move(detail));
}

void SessionClient::Fail(TargetConnection& connection, Status status, std::string detail) {
  if (std::exchange(connection.is_failed, true)) return;
  connection.failure = status;
  connection.failure_detail = std::move(detail);
  Note(connection);
}

void SessionClient::Note(TargetConnection& connection) {
  if (!std::exchange(connection.is_noted, true)) noted_.push_back(&connection);
}

void SessionClient::Settle(TargetConnection& connection) {
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

void SessionClient::Close(TargetConnection& connection) {
  // No fabric completes the requests whose answer is still to come: that is done here.
  const Status lost = connection.failure == Status::closed ? Status::closed : Status::peer_lost;
  requests_.ForEach(connection.id, [&](Request& request) { Complete(request, lost); });
  const bool is_goodbye_due =
      connection.failure == Status::closed && connection.state == TargetConnection::State::kUp;
  SetState(connection, TargetConnection::State::kDown);
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

bool SessionClient::IsConnecting(const TargetConnection& connection) {
  return connection.state == TargetConnection::State::kGreeting ||
         connection.state == TargetConnection::State::kProving;
}

void SessionClient::SetState(TargetConnection& connection, TargetConnection::State state) {
  if (IsConnecting(connection)) --connecting_count_;
  connection.state = state;
  if (IsConnecting(connection)) ++connecting_count_;
}

}  // namespace client
