#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "server/target_server.h"
#include "stream/channel.h"
#include "ucx/accepted_sockets.h"
#include "ucx/session_proof.h"

namespace server {

/// Where the other thread leaves what the progress thread is to do, and finds what it last
/// published.
class Inbox {
 public:
  Inbox();
  ~Inbox();
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  struct Confirmation {
    uint64_t started_ns;
    std::vector<engine::ServedVolume> served;
  };
  /// A connection to be served; closes its descriptor unless that was taken.
  struct Stream {
    Stream(int descriptor, const stream::Security& keys, const ucx::PeerEnd& far_end)
        : security(keys), peer(far_end), fd_(descriptor) {}
    Stream(Stream&& other) noexcept
        : security(other.security), peer(other.peer), fd_(std::exchange(other.fd_, -1)) {}
    Stream& operator=(Stream&&) = delete;
    ~Stream();
    [[nodiscard]] int TakeFd() { return std::exchange(fd_, -1); }
    stream::Security security;
    ucx::PeerEnd peer;

   private:
    int fd_;
  };
  struct Work {
    std::vector<Stream> streams;
    std::optional<Confirmation> confirmation;  // the latest; an older one says nothing more
    bool is_stop_wanted = false;
    bool is_stop_at_once = false;
    std::function<void()> stopped;
  };

  // The other thread's side.
  void Confirm(Confirmation confirmation);
  void Adopt(Stream stream);
  void Stop(std::function<void()> stopped);
  void StopAtOnce();
  [[nodiscard]] TargetServerStats stats() const;
  [[nodiscard]] std::vector<engine::AnnouncedVolume> volumes() const;
  [[nodiscard]] std::vector<ucx::PeerEnd> peers() const;
  [[nodiscard]] std::vector<SessionEvent> TakeSessionEvents();
  void OnPollWanted(std::function<void()> listener);
  void SetSecrets(ucx::Secrets secrets);

  // The progress thread's side.
  [[nodiscard]] int event_fd() const { return event_fd_; }
  [[nodiscard]] Work Take();
  [[nodiscard]] ucx::SharedSecrets secrets() const;
  void Publish(const TargetServerStats& stats);
  void Publish(std::vector<engine::AnnouncedVolume> volumes);
  void Publish(std::vector<ucx::PeerEnd> peers);
  void Note(const SessionEvent& event);
  void WantPoll();

 private:
  void Wake();

  const int event_fd_;
  mutable std::mutex mutex_;
  Work work_;
  bool was_stop_asked_ = false;
  ucx::SharedSecrets secrets_;
  TargetServerStats stats_;
  std::vector<engine::AnnouncedVolume> volumes_;
  std::vector<ucx::PeerEnd> peers_;
  std::deque<SessionEvent> session_events_;
  std::function<void()> on_poll_wanted_;
};

}  // namespace server
