#include "client/session_client.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "client/session_client_impl.h"
#include "protocol/clock.h"

namespace client {
namespace {

using protocol::MessageId;
using protocol::Status;

constexpr uint32_t kProgressRoundsMax = 256;  // then the event loop has its turn
/// Likewise: over shared memory a round may copy half a mebibyte.
constexpr uint64_t kProgressNsMax = 500'000;
constexpr uint32_t kRoundsPerLook = 4;
constexpr uint64_t kGraceNs = 1'000'000'000;
constexpr uint64_t kCompleteTimeoutNs = 1'000'000'000;

}  // namespace

std::unique_ptr<Client> CreateSessionClient(const SessionClientOptions& options,
                                            memory::Arena& arena, std::string& error) {
  return SessionClient::Create(options, arena, error);
}

std::unique_ptr<SessionClient> SessionClient::Create(const SessionClientOptions& options,
                                                     memory::Arena& arena, std::string& error) {
  auto client = std::unique_ptr<SessionClient>(
      new SessionClient(std::min(options.requests_max, RequestTable::kSlotsMax), arena));
  if (options.is_ucx && !client->StartUcx(options, error)) return nullptr;
  return client->StartStreams(error) ? std::move(client) : nullptr;
}

SessionClient::~SessionClient() {
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

uint64_t SessionClient::PostRead(TargetId target, const ReadCommand& command) {
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

uint64_t SessionClient::PostValidate(TargetId target, std::span<const protocol::ValidateItem> items,
                                     uint64_t timeout_ns, uint32_t lease_ms) {
  const TargetConnection& connection = *connections_[target];
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

uint64_t SessionClient::PostPing(TargetId target, uint64_t timeout_ns) {
  Request* const request = Post(RequestKind::kPing, target, timeout_ns);
  if (request == nullptr) return FailPosted(RequestKind::kPing, target);
  protocol::Ping ping{};
  ping.request_id = request->id;
  ping.sent_ns = request->posted_ns;
  const uint64_t id = request->id;
  Send(*connections_[target], sends_.Take(MessageId::ping, ping), request->deadline_ns + kGraceNs);
  return id;
}

bool SessionClient::Progress() {
  bool advanced = !noted_.empty();
  is_progress_due_ = false;
  advanced |= ProgressFabrics();
  advanced |= CheckTimes(protocol::NowNs());
  // Failing a connection may note it again, but never another one.
  for (size_t i = 0; i < noted_.size(); ++i) Settle(*noted_[i]);
  noted_.clear();
  return advanced;
}

bool SessionClient::ProgressFabrics() {
  bool advanced = streams_->Progress();
  for (const auto& worker : workers_) {
    if (!worker || !worker->Progress()) continue;
    advanced = true;
    const uint64_t until_ns = protocol::NowNs() + kProgressNsMax;
    for (uint32_t round = 1; round < kProgressRoundsMax && worker->Progress(); ++round) {
      if (round % kRoundsPerLook == 0 && protocol::NowNs() >= until_ns) break;
    }
  }
  return advanced;
}

bool SessionClient::Arm() {
  return batch_.empty() && noted_.empty() && !is_progress_due_ && streams_->Arm() &&
         std::ranges::all_of(workers_, [](const auto& worker) { return !worker || worker->Arm(); });
}

std::optional<uint64_t> SessionClient::next_deadline_ns() const {
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

void SessionClient::Take(Batch& batch) {
  batch.reads.clear();
  batch.validations.clear();
  batch.pongs.clear();
  batch.events.clear();
  std::swap(batch, batch_);
}

ClientStats SessionClient::stats() const {
  ClientStats stats = stats_;
  stats.sessions =
      static_cast<uint32_t>(std::ranges::count_if(connections_, [](const auto& connection) {
        return connection->state == TargetConnection::State::kUp;
      }));
  return stats;
}

Request* SessionClient::Post(RequestKind kind, TargetId target, uint64_t timeout_ns) {
  TargetConnection& connection = *connections_[target];
  if (connection.state != TargetConnection::State::kUp || connection.is_failed) return nullptr;
  if (connection.requests_in_flight >= connection.requests_max) return nullptr;
  Request* const request = requests_.Add(kind, target, protocol::NowNs(), timeout_ns);
  if (request == nullptr) return nullptr;
  ++connection.requests_in_flight;
  ++waiting_count_;
  return request;
}

uint64_t SessionClient::FailPosted(RequestKind kind, TargetId target) {
  const TargetConnection& connection = *connections_[target];
  const bool is_up = connection.state == TargetConnection::State::kUp && !connection.is_failed;
  const uint64_t id = requests_.IdWithoutSlot();
  AppendFailure(batch_, kind, id, is_up ? Status::overload : Status::not_connected);
  return id;
}

void SessionClient::Send(TargetConnection& connection, fabric::Send& send, uint64_t deadline_ns) {
  send.owner = connection.id;
  send.deadline_ns = deadline_ns;
  is_progress_due_ = true;
  connection.link->Post(send);
}

void SessionClient::OnSent(const fabric::Send& send, bool is_sent) {
  if (is_sent) stats_.bytes_sent += send.header().size() + send.list.size();
  // The link's error tells why a send failed; without one (no memory, say) the request's
  // deadline ends it.
}

void SessionClient::Complete(Request& request, Status status) {
  if (!std::exchange(request.is_waiting, false)) return;
  --waiting_count_;
  TargetConnection& connection = *connections_[request.target];
  --connection.requests_in_flight;
  if (connection.state == TargetConnection::State::kLeaving && connection.requests_in_flight == 0) {
    Fail(connection, Status::closed, "the target said goodbye");
  }
  if (status != Status::ok) AppendFailure(batch_, request.kind, request.id, status);
  if (!request.is_receiving) requests_.Remove(request);
}

bool SessionClient::CheckTimes(uint64_t now_ns) {
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

void SessionClient::FailStuck(uint64_t now_ns) {
  std::vector<uint64_t> owners;
  sends_.Overdue(now_ns, owners);
  for (const auto& connection : connections_) {
    if (connection->state == TargetConnection::State::kDown) continue;
    bool is_stuck = std::ranges::find(owners, connection->id) != owners.end();
    requests_.ForEach(connection->id, [&](const Request& request) {
      is_stuck |=
          request.is_receiving && !request.is_waiting && request.deadline_ns + kGraceNs <= now_ns;
    });
    if (is_stuck)
      Fail(*connection, Status::deadline, "a transfer did not end with its request's deadline");
  }
}

}  // namespace client
