#include "server/server.h"

#include <poll.h>
#include <sched.h>

#include <algorithm>
#include <array>

#include "protocol/clock.h"
#include "ucx/listen_hook.h"

namespace server {
namespace {

constexpr uint64_t kMillisecondNs = 1'000'000;
constexpr uint64_t kCheckIntervalNs = 100 * kMillisecondNs;
constexpr uint64_t kPublishIntervalNs = 20 * kMillisecondNs;
constexpr uint64_t kCompleteTimeoutNs = 1'000 * kMillisecondNs;
constexpr uint32_t kProgressRoundsMax =
    256;  // then the engine, the inbox and the clock have their turn
constexpr uint32_t kBusyArmsMax =
    64;  // a peer on the same core may have to run before UCX can go on
constexpr uint32_t kSpinsPerPoll = 32;
/// Over every list that a proxy may send.
constexpr uint32_t kListBytesMax = protocol::kValidateItemsMax * sizeof(protocol::ValidateItem);
/// Lists of one peer that have come in part. Proxies send each whole.
constexpr uint64_t kListsBytesMax = 256 << 10;

}  // namespace

std::unique_ptr<Server> Server::Create(const TargetServerOptions& options,
                                       const EngineFactory& engine, const Shared& shared,
                                       std::string& error) {
  auto server = std::unique_ptr<Server>(new Server(options, shared));
  return server->Start(engine, error) ? std::move(server) : nullptr;
}

bool Server::Start(const EngineFactory& engine, std::string& error) {
  const ucx::ListenGuard guard(options_.is_guarded);
  const auto address = ucx::ParseAddress(options_.host, options_.port);
  if (!address) {
    error = "not a literal address to listen on: " + options_.host;
    return false;
  }
  if (options_.is_ucx && !(error = ucx::AddressFault(*address)).empty()) {
    error += " (listening on " + options_.host + ")";
    return false;
  }
  if (!(arena_ = memory::Arena::Create(options_.arena, error))) return false;
  if (!(streams_ = stream::Carrier::Create(
            *this, {.list_bytes_max = kListBytesMax, .lists_bytes_max = kListsBytesMax}, error)))
    return false;
  if (options_.is_ucx && !StartUcx(*address, error)) return false;
  if (!(engine_ = engine(*arena_, *this, error))) return false;
  PushVolumes();
  if (options_.is_ucx && !Listen(*address, error)) return false;
  PublishStats(protocol::NowNs());
  return true;
}

bool Server::StartUcx(const ucx::SocketAddress& address, std::string& error) {
  context_ = ucx::Context::Create({.device_name = options_.device_name,
                                   .tls = options_.tls,
                                   .family = address.get()->sa_family,
                                   .keeps_device = options_.keeps_device},
                                  error);
  if (!context_) return false;
  if (!(memory_ = ucx::MemoryHandle::Register(*context_, arena_->span(), error))) return false;
  // Create() has the event loop wait for this thread: no other thread opens a port meanwhile.
  const std::vector<uint16_t> others = ucx::ListeningPorts();
  if (!(worker_ = ucx::Worker::Create(*context_, error)) || !SetHandlers(error)) return false;
  data_ports_ = ucx::ListeningPortsSince(others);
  Guard(data_ports_);
  return true;
}

bool Server::Listen(const ucx::SocketAddress& address, std::string& error) {
  ucp_listener_conn_handler_t handler{};
  handler.cb = &Server::OnConnection;
  handler.arg = this;
  listener_ = ucx::Listener::Create(*worker_, address.get(), address.bytes, handler, error);
  if (!listener_) {
    error += " (listening on " + options_.host + ":" + std::to_string(options_.port) + ")";
    return false;
  }
  Guard(std::array{listener_->port()});
  refused_.emplace(listener_->port());
  return true;
}

void Server::Guard(std::span<const uint16_t> ports) {
  if (!options_.is_guarded) return;
  if (guard_fault_.empty()) guard_fault_ = ucx::ListenGuard::Fault();
  std::string fault;
  if (!peers_.Guard(ports, fault)) guard_fault_ = fault;
}

Server::~Server() {
  if (listener_) {
    for (const PendingConnection& each : connections_) listener_->Reject(each.request);
    refused_->Clear(*listener_);
  }
  sessions_by_endpoint_.clear();
  sessions_.clear();
  engine_.reset();  // its last answers find no session
  const uint64_t give_up_ns = protocol::NowNs() + kCompleteTimeoutNs;
  while (sends_.in_flight() > 0 && protocol::NowNs() < give_up_ns) {
    if (worker_) worker_->Progress();
    if (streams_) streams_->Progress();
  }
}

std::function<void()> Server::Run() {
  while (!is_done_) RunOnce();
  return std::move(stopped_);
}

void Server::RunOnce() {
  ProgressFabrics();
  const uint64_t now_ns = protocol::NowNs();
  if (is_stats_due_ && now_ns >= published_ns_ + kPublishIntervalNs) PublishStats(now_ns);
  // Messages posted here need a round of progress before the thread may sleep.
  if (DoWhatIsDue(now_ns)) return;
  WaitForWork(now_ns);
}

bool Server::DoWhatIsDue(uint64_t now_ns) {
  const bool is_volumes_due = engine_->volumes_generation() != volumes_generation_;
  const bool is_check_due = now_ns >= next_check_ns_;
  const bool is_look_due = !leases_.empty() && now_ns >= next_look_ns_;
  const bool is_sweep_due = listener_ && refused_->IsDue(now_ns);
  const bool went_on = engine_->GoOn(now_ns);
  const bool is_due = !connections_.empty() || is_volumes_due || is_check_due || is_look_due ||
                      is_sweep_due || went_on || !doomed_.empty();
  if (engine_->TakePollWanted()) inbox_.WantPoll();
  if (!connections_.empty()) AcceptPending(now_ns);
  if (is_volumes_due) PushVolumes();
  if (is_check_due) CheckTimes(now_ns);
  if (is_look_due) LookAtLeases(now_ns);
  if (is_sweep_due) refused_->Sweep(now_ns, *listener_);
  if (!doomed_.empty()) CloseDoomed();
  return is_due;
}

void Server::ProgressFabrics() {
  bool is_active = streams_->Progress();
  for (uint32_t round = 0; worker_ && round < kProgressRoundsMax && worker_->Progress(); ++round)
    is_active = true;
  if (!is_active) return;
  last_active_ns_ = 0;
  is_stats_due_ = true;
}

bool Server::Arm() { return streams_->Arm() && (!worker_ || worker_->Arm()); }

void Server::WaitForWork(uint64_t now_ns) {
  if (options_.spin_ns > 0) {
    if (last_active_ns_ == 0) last_active_ns_ = now_ns;
    if (now_ns - last_active_ns_ < options_.spin_ns) {
      if (++spins_ % kSpinsPerPoll == 0) Poll(0, false);
      return;
    }
  }
  if (Arm()) {
    busy_arms_ = 0;
    Poll(TimeoutMs(now_ns), true);
    return;
  }
  if (++busy_arms_ % kBusyArmsMax == 0) sched_yield();
  Poll(0, false);
}

void Server::Poll(int timeout_ms, bool are_fabrics_armed) {
  std::array<pollfd, 4> fds{{{engine_->event_fd(), POLLIN, 0},
                             {inbox_.event_fd(), POLLIN, 0},
                             {streams_->event_fd(), POLLIN, 0},
                             {worker_ ? worker_->event_fd() : -1, POLLIN, 0}}};
  if (poll(fds.data(), are_fabrics_armed ? 4 : 2, timeout_ms) <= 0) return;
  if (fds[1].revents != 0) TakeInbox();
  if (fds[0].revents != 0) {
    engine_->Poll();
    is_stats_due_ = true;
  }
}

int Server::TimeoutMs(uint64_t now_ns) const {
  if (!leases_.empty()) {
    if (now_ns >= next_look_ns_) return 0;
    return static_cast<int>((next_look_ns_ - now_ns + kMillisecondNs - 1) / kMillisecondNs);
  }
  if (is_stats_due_) return static_cast<int>(kPublishIntervalNs / kMillisecondNs);
  const bool is_watching = is_stopping_ || (listener_ && !refused_->empty()) ||
                           stats_.sessions_pending > 0 || sends_.in_flight() > 0 ||
                           sessions_.size() > stats_.sessions_active;
  if (is_watching) return static_cast<int>(kCheckIntervalNs / kMillisecondNs);
  return sessions_.empty() ? -1 : 1000;
}

void Server::TakeInbox() {
  Inbox::Work work = inbox_.Take();
  if (!work.streams.empty()) AcceptStreams(std::move(work.streams));
  if (work.confirmation) engine_->Confirm(work.confirmation->started_ns, work.confirmation->served);
  if (work.is_stop_wanted) {
    stopped_ = std::move(work.stopped);
    BeginStop();
  }
  if (work.is_stop_at_once) is_done_ = true;
  is_stats_due_ = true;
}

void Server::BeginStop() {
  is_stopping_ = true;
  stop_by_ns_ = protocol::NowNs() + options_.drain_timeout_ns;
  next_check_ns_ = 0;
  for (const PendingConnection& each : std::exchange(connections_, {}))
    listener_->Reject(each.request);
  if (listener_) refused_->Clear(*listener_);
  listener_.reset();
  for (auto& [id, session] : sessions_) {
    if (session->state == Session::State::kServing) {
      SayGoodbye(*session, protocol::Status::closed);
      Leave(*session, options_.drain_timeout_ns);
    } else if (!session->was_welcomed) {
      Doom(*session);
    }
  }
}

void Server::CheckTimes(uint64_t now_ns) {
  next_check_ns_ = now_ns + kCheckIntervalNs;
  for (auto& [id, session] : sessions_) {
    switch (session->state) {
      case Session::State::kGreeting:
      case Session::State::kProving:
        if (now_ns - session->accepted_ns < options_.handshake_timeout_ns) break;
        Doom(*session);
        break;
      case Session::State::kServing:
        if (session->requests_in_flight > 0 ||
            now_ns - session->last_message_ns < options_.session_timeout_ns)
          break;
        SayGoodbye(*session, protocol::Status::deadline);
        Leave(*session, kCompleteTimeoutNs);
        break;
      case Session::State::kLeaving:
        if (now_ns >= session->linger_until_ns) Doom(*session);
        break;
    }
  }
  overdue_.clear();
  sends_.Overdue(now_ns, overdue_);
  for (const uint64_t id : overdue_) {
    if (const auto found = sessions_.find(id); found != sessions_.end()) Doom(*found->second);
  }
  if (is_stopping_ && (sessions_.empty() || now_ns >= stop_by_ns_)) is_done_ = true;
}

void Server::PublishStats(uint64_t now_ns) {
  stats_.volume_leases = leases_.count();
  stats_.arena = arena_->stats();
  stats_.engine = engine_->stats();
  inbox_.Publish(stats_);
  published_ns_ = now_ns;
  is_stats_due_ = false;
}

}  // namespace server
