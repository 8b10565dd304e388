#include <algorithm>

#include "lane/lane.h"
#include "memory/check.h"
#include "protocol/clock.h"

// Hits of volumes that are not granted: they wait for a question that is posted after they came.
namespace lane {

void Lane::Wait(Connection& connection) {
  connection.state = Connection::State::kWaiting;
  const std::shared_ptr<shelf::Volume>& volume = connection.entry->shared_volume();
  std::unique_ptr<Waiting>& waiting = waiting_[volume.get()];
  if (waiting == nullptr) waiting = std::make_unique<Waiting>(volume);
  waiting->next.push_back(&connection);
  has_unasked_ = has_unasked_ || waiting->ticket == 0;
}

/// One turn of the loop later than it could: clients that were answered just now have asked again
/// by then, and one question is for all of them.
void Lane::PostQuestions() {
  if (!std::exchange(is_turn_over_, true)) return;
  is_turn_over_ = false;
  has_unasked_ = false;
  uint64_t posted = 0;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    Waiting& waiting = *at->second;
    if (waiting.ticket == 0 && waiting.next.empty()) {
      at = waiting_.erase(at);
      continue;
    }
    ++at;
    if (waiting.ticket != 0) continue;
    waiting.ticket = ++last_ticket_;
    waiting.asked = std::exchange(waiting.next, {});
    tickets_.emplace(waiting.ticket, &waiting);
    events_.questions.push_back({.volume = waiting.volume->id(), .ticket = waiting.ticket});
    ++posted;
  }
  const std::lock_guard lock(tally_mutex_);
  tally_.questions += posted;
}

void Lane::TakeSettled(const Inbox::Settled& settled) {
  const auto found = tickets_.find(settled.ticket);
  CHECK(found != tickets_.end());
  Waiting& waiting = *found->second;
  tickets_.erase(found);
  waiting.ticket = 0;
  has_unasked_ = has_unasked_ || !waiting.next.empty();
  for (Connection* connection : std::exchange(waiting.asked, {})) {
    if (!settled.is_fresh || !connection->entry->IsLive(now_ns_)) {
      GoBack(*connection, Why::kBytes);
      continue;
    }
    connection->waited_ns = std::max<uint64_t>(now_ns_ - connection->begun_ns, 1);
    connection->state = Connection::State::kResting;
    Send(*connection);
    if (connection->state == Connection::State::kResting) Advance(*connection);
  }
}

}  // namespace lane
