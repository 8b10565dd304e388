#include "lane/lane.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <string_view>

#include "memory/check.h"
#include "protocol/clock.h"

namespace lane {
namespace {

constexpr int kEventsMax = 256;
/// Read at once; a head that was published is far shorter.
constexpr size_t kReadBytes = 65'536;
/// Requests of one connection that are begun in one turn: a long pipeline does not keep others
/// waiting.
constexpr int kRequestsPerTurn = 32;
constexpr uint64_t kNsPerMs = 1'000'000;
constexpr std::string_view kHeadEnd = "\r\n\r\n";

}  // namespace

Lane::Lane(shelf::Shelf& shelf, Limits& limits, LaneOptions options)
    : shelf_(&shelf),
      limits_(&limits),
      options_(std::move(options)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(epoll_ && wake_);
  scratch_.resize(options_.copied_bytes_max + kReadBytes);
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
  CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0);
  // Signals are for the program's main thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), options_.name.c_str());
}

Lane::~Lane() { Stop(); }

template <typename Put>
void Lane::Post(Put put) {
  {
    const std::lock_guard lock(inbox_mutex_);
    put(inbox_);
    if (std::exchange(is_woken_, true)) return;
  }
  CHECK(eventfd_write(wake_.get(), 1) == 0);
}

void Lane::Give(ConnectionId connection, int fd, uint32_t peer) {
  Post([&](Inbox& inbox) { inbox.given.push_back({connection, fd, peer}); });
}

void Lane::AskBack(ConnectionId connection, bool is_now) {
  Post([&](Inbox& inbox) { inbox.asked_back.push_back({connection, is_now}); });
}

void Lane::Settle(uint64_t ticket, bool is_fresh) {
  Post([&](Inbox& inbox) { inbox.settled.push_back({ticket, is_fresh}); });
}

Events Lane::TakeEvents() {
  const std::lock_guard lock(events_mutex_);
  return std::exchange(told_, {});
}

Tally Lane::TakeTally() {
  const std::lock_guard lock(tally_mutex_);
  return std::exchange(tally_, {});
}

uint64_t Lane::RestingNs(ConnectionId connection, uint64_t now_ns) const {
  const std::lock_guard lock(connections_mutex_);
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return 0;
  const uint64_t since_ns = found->second->resting_since_ns.load(std::memory_order_relaxed);
  return since_ns == 0 || since_ns > now_ns ? 0 : now_ns - since_ns;
}

size_t Lane::connection_count() const {
  const std::lock_guard lock(connections_mutex_);
  return connections_.size();
}

void Lane::Stop() {
  if (!thread_.joinable()) return;
  Post([](Inbox& inbox) { inbox.must_stop = true; });
  thread_.join();
  const std::lock_guard lock(connections_mutex_);
  for (const auto& [id, connection] : connections_) EndClaim(*connection);
  connections_.clear();
}

void Lane::Run() {
  epoll_event events[kEventsMax];
  bool goes_on = true;
  while (goes_on) {
    const int count = epoll_wait(epoll_.get(), events, kEventsMax, TimeoutMs());
    now_ns_ = protocol::NowNs();
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == nullptr) {
        goes_on = TakeInbox();
      } else {
        OnReady(*static_cast<Connection*>(events[i].data.ptr), events[i].events);
      }
    }
    for (Connection* connection : std::exchange(again_, {})) {
      connection->is_again = false;
      if (connection->state == Connection::State::kSending) SendOn(*connection);
      if (connection->state == Connection::State::kResting) Advance(*connection);
    }
    if (has_unasked_) PostQuestions();
    SweepIdle();
    TellOwner();
    gone_.clear();
  }
}

int Lane::TimeoutMs() const {
  if (!again_.empty() || has_unasked_) return 0;
  if (by_move_.empty()) return -1;
  const uint64_t due_ns = by_move_.front()->moved_ns + limits_->idle_timeout_ns;
  const uint64_t now_ns = protocol::NowNs();
  if (due_ns <= now_ns) return 0;
  constexpr uint64_t kMsMax = 60'000;
  return static_cast<int>(std::min((due_ns - now_ns) / kNsPerMs + 1, kMsMax));
}

bool Lane::TakeInbox() {
  Inbox inbox;
  {
    eventfd_t count = 0;
    eventfd_read(wake_.get(), &count);
    const std::lock_guard lock(inbox_mutex_);
    is_woken_ = false;
    inbox = std::exchange(inbox_, {});
  }
  for (const Inbox::Settled& settled : inbox.settled) TakeSettled(settled);
  for (const Inbox::Given& given : inbox.given) Take(given);
  for (const Inbox::AskedBack& asked : inbox.asked_back) TakeBack(asked);
  return !inbox.must_stop;
}

void Lane::Take(const Inbox::Given& given) {
  auto made = std::make_unique<Connection>();
  Connection& connection = *made;
  connection.id = given.connection;
  connection.fd = given.fd;
  connection.peer = given.peer;
  connection.place = by_move_.insert(by_move_.end(), &connection);
  {
    const std::lock_guard lock(connections_mutex_);
    connections_.emplace(given.connection, std::move(made));
  }
  Rest(connection);
  Moved(connection);
  // Edges: what there is to read while an answer is in hand is read after it, without another call.
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                    .data = {.ptr = &connection}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd, &event) != 0)
    GoBack(connection, Why::kAsked);
}

void Lane::TakeBack(const Inbox::AskedBack& asked) {
  const auto found = connections_.find(asked.connection);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  if (connection.state == Connection::State::kSending) {
    connection.is_asked_back = true;
    if (asked.is_now) GoBack(connection, Why::kBroken);
  } else if (asked.is_now || connection.state == Connection::State::kResting) {
    GoBack(connection, Why::kAsked);
  } else {
    connection.is_asked_back = true;
  }
}

void Lane::OnReady(Connection& connection, uint32_t events) {
  if (connection.state == Connection::State::kGone) return;
  if ((events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) connection.is_readable = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) connection.has_ended = true;
  if (connection.state == Connection::State::kSending) SendOn(connection);
  if (connection.state == Connection::State::kResting) Advance(connection);
}

void Lane::Read(Connection& connection) {
  connection.is_readable = false;
  const ssize_t got = recv(connection.fd, scratch_.data(), kReadBytes, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    connection.is_readable = errno == EINTR;
    return;
  }
  // The owner reads the end, or the error, for itself.
  if (got <= 0) {
    GoBack(connection, Why::kBytes);
    return;
  }
  connection.is_readable = connection.has_ended || static_cast<size_t>(got) == kReadBytes;
  connection.unread.append(scratch_.data(), static_cast<size_t>(got));
  Moved(connection);
}

void Lane::Advance(Connection& connection) {
  using State = Connection::State;
  for (int i = 0; i < kRequestsPerTurn && connection.state == State::kResting; ++i) {
    if (connection.is_asked_back) {
      GoBack(connection, Why::kAsked);
      return;
    }
    if (connection.unread.empty() && connection.is_readable) Read(connection);
    if (connection.state != State::kResting || connection.unread.empty()) return;
    const size_t end = connection.unread.find(kHeadEnd);
    const size_t head_bytes = end == std::string::npos ? 0 : end + kHeadEnd.size();
    if (head_bytes == 0 ||
        !Begin(connection, std::string_view(connection.unread).substr(0, head_bytes)))
      GoBack(connection, Why::kBytes);
  }
  if (connection.state == State::kResting) GoOnNextTurn(connection);
}

bool Lane::Begin(Connection& connection, std::string_view head) {
  if (!limits_->is_open.load(std::memory_order_acquire)) return false;
  const uint64_t now_ns = protocol::NowNs();
  shelf::Recalled recalled = shelf_->Recall(head, now_ns);
  if (!recalled.entry) return false;
  connection.head_bytes = head.size();
  connection.client_id = recalled.client_id;
  connection.entry = std::move(recalled.entry);
  connection.begun_ns = now_ns;
  connection.waited_ns = 0;
  connection.resting_since_ns.store(0, std::memory_order_relaxed);
  if (connection.entry->volume().IsGranted(now_ns)) {
    Send(connection);
  } else {
    Wait(connection);
  }
  return true;
}

void Lane::GoOnNextTurn(Connection& connection) {
  if (std::exchange(connection.is_again, true)) return;
  again_.push_back(&connection);
}

void Lane::Rest(Connection& connection) {
  connection.state = Connection::State::kResting;
  connection.resting_since_ns.store(now_ns_, std::memory_order_relaxed);
}

void Lane::Moved(Connection& connection) {
  connection.moved_ns = now_ns_;
  by_move_.splice(by_move_.end(), by_move_, connection.place);
}

void Lane::GoBack(Connection& connection, Why why) {
  using State = Connection::State;
  if (connection.state == State::kGone) return;
  if (connection.state == State::kWaiting) {
    Waiting& waiting = *waiting_.find(&connection.entry->volume())->second;
    std::erase(waiting.next, &connection);
    std::erase(waiting.asked, &connection);
  }
  EndClaim(connection);
  ReturnPipe(connection);
  connection.entry.Reset();
  connection.state = State::kGone;
  // Before the owner can close it: a registration would outlive the descriptor.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection.fd, nullptr);
  by_move_.erase(connection.place);
  if (connection.is_again) std::erase(again_, &connection);
  events_.returned.push_back({.connection = connection.id,
                              .why = why,
                              .answered = connection.answered,
                              .bytes = std::exchange(connection.unread, {})});
  {
    const std::lock_guard lock(tally_mutex_);
    ++tally_.returned;
  }
  const std::lock_guard lock(connections_mutex_);
  const auto found = connections_.find(connection.id);
  gone_.push_back(std::move(found->second));
  connections_.erase(found);
}

void Lane::SweepIdle() {
  const uint64_t idle_ns = limits_->idle_timeout_ns;
  while (!by_move_.empty() && by_move_.front()->moved_ns + idle_ns <= now_ns_) {
    Connection& connection = *by_move_.front();
    if (connection.state == Connection::State::kWaiting) {
      // The owner has a time of its own for the answer.
      Moved(connection);
      continue;
    }
    GoBack(connection, connection.state == Connection::State::kSending ? Why::kBroken : Why::kIdle);
  }
}

void Lane::TellOwner() {
  if (events_.empty()) return;
  {
    const std::lock_guard lock(events_mutex_);
    std::ranges::move(events_.returned, std::back_inserter(told_.returned));
    std::ranges::move(events_.questions, std::back_inserter(told_.questions));
  }
  events_ = {};
  options_.on_events();
}

}  // namespace lane
