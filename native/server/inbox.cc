#include "server/inbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "memory/check.h"

namespace server {

Inbox::Inbox() : event_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { CHECK(event_fd_ >= 0); }

Inbox::~Inbox() { close(event_fd_); }

void Inbox::Confirm(Confirmation confirmation) {
  {
    const std::lock_guard lock(mutex_);
    work_.confirmation = std::move(confirmation);
  }
  Wake();
}

Inbox::Stream::~Stream() {
  if (fd_ >= 0) close(fd_);
}

void Inbox::Adopt(Stream stream) {
  {
    const std::lock_guard lock(mutex_);
    work_.streams.push_back(std::move(stream));
  }
  Wake();
}

void Inbox::Stop(std::function<void()> stopped) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(was_stop_asked_, true)) return;
    work_.is_stop_wanted = true;
    work_.stopped = std::move(stopped);
  }
  Wake();
}

void Inbox::StopAtOnce() {
  {
    const std::lock_guard lock(mutex_);
    work_.is_stop_at_once = true;
  }
  Wake();
}

TargetServerStats Inbox::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

std::vector<engine::AnnouncedVolume> Inbox::volumes() const {
  const std::lock_guard lock(mutex_);
  return volumes_;
}

std::vector<ucx::PeerEnd> Inbox::peers() const {
  const std::lock_guard lock(mutex_);
  return peers_;
}

std::vector<SessionEvent> Inbox::TakeSessionEvents() {
  const std::lock_guard lock(mutex_);
  std::vector<SessionEvent> taken(session_events_.begin(), session_events_.end());
  session_events_.clear();
  return taken;
}

Inbox::Work Inbox::Take() {
  uint64_t count = 0;
  (void)!read(event_fd_, &count, sizeof(count));
  const std::lock_guard lock(mutex_);
  return std::exchange(work_, {});
}

void Inbox::Publish(const TargetServerStats& stats) {
  const std::lock_guard lock(mutex_);
  stats_ = stats;
}

void Inbox::Publish(std::vector<engine::AnnouncedVolume> volumes) {
  const std::lock_guard lock(mutex_);
  volumes_ = std::move(volumes);
}

void Inbox::Publish(std::vector<ucx::PeerEnd> peers) {
  const std::lock_guard lock(mutex_);
  peers_ = std::move(peers);
}

void Inbox::Note(const SessionEvent& event) {
  const std::lock_guard lock(mutex_);
  if (session_events_.size() == kSessionEventsMax) session_events_.pop_front();
  session_events_.push_back(event);
}

void Inbox::OnPollWanted(std::function<void()> listener) {
  const std::lock_guard lock(mutex_);
  on_poll_wanted_ = std::move(listener);
}

void Inbox::SetSecrets(ucx::Secrets secrets) {
  auto shared = std::make_shared<const ucx::Secrets>(std::move(secrets));
  const std::lock_guard lock(mutex_);
  secrets_ = std::move(shared);
}

ucx::SharedSecrets Inbox::secrets() const {
  const std::lock_guard lock(mutex_);
  return secrets_;
}

void Inbox::WantPoll() {
  const std::lock_guard lock(mutex_);
  if (on_poll_wanted_) on_poll_wanted_();
}

void Inbox::Wake() {
  const uint64_t one = 1;
  (void)!write(event_fd_, &one, sizeof(one));
}

}  // namespace server
