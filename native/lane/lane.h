#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "lane/answer_values.h"
#include "lane/connection.h"
#include "lane/events.h"
#include "lane/tally.h"
#include "shelf/shelf.h"
#include "storage/unique_fd.h"

// Threads that answer what is on the shelf. They own client connections between requests: a request
// whose head was published is answered here; with any other byte the connection goes back to its
// owner. No HTTP is understood here.
namespace lane {

/// Shared by the lanes of one front; may change while they run.
struct Limits {
  /// Bytes of answers that clients are still reading, in all lanes.
  std::atomic<uint64_t> bytes_in_flight_max{0};
  std::atomic<uint64_t> bytes_in_flight{0};
  /// A connection on which nothing moved for so long goes back.
  std::atomic<uint64_t> idle_timeout_ns{0};
  /// One request in so many is looked at more closely.
  std::atomic<uint32_t> sample_every{1};
  /// False: every request goes to the owner.
  std::atomic<bool> is_open{true};
};

struct LaneOptions {
  /// The thread's.
  std::string name;
  /// Upper bounds in seconds.
  std::vector<double> duration_bounds;
  std::vector<double> wait_bounds;
  /// Samples that are kept until the owner comes by.
  size_t samples_max = 0;
  /// Answers with bodies up to this are copied into one buffer with their head.
  size_t copied_bytes_max = 0;
  /// Pipes that are kept for the next long answer.
  size_t idle_pipes_max = 64;
  /// Called by the lane's thread: events wait for TakeEvents().
  std::function<void()> on_events;
};

class Lane {
 public:
  /// Both outlive the lane.
  Lane(shelf::Shelf& shelf, Limits& limits, LaneOptions options);
  /// Does the same as Stop().
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // By the owner's thread

  /// `fd` is a connected, non-blocking stream socket, at rest: no answer is owed, nothing is read.
  void Give(ConnectionId connection, int fd, uint32_t peer);
  /// Asks for a connection back: at once with `is_now`, also in the middle of an answer; else when
  /// nothing is in hand. Nothing happens where it is on its way already.
  void AskBack(ConnectionId connection, bool is_now);
  /// The answer to a question; `is_fresh`: what is live now is what the volume held after it was
  /// asked.
  void Settle(uint64_t ticket, bool is_fresh);
  [[nodiscard]] Events TakeEvents();
  /// Counts since the last call.
  [[nodiscard]] Tally TakeTally();
  /// How long nothing has moved on a connection; 0: it has something in hand, or is none of this
  /// lane's.
  [[nodiscard]] uint64_t RestingNs(ConnectionId connection, uint64_t now_ns) const;
  [[nodiscard]] size_t connection_count() const;
  /// Ends the thread. Connections that it has stay open, and are not named again.
  void Stop();

 private:
  struct Inbox {
    struct Given {
      ConnectionId connection;
      int fd;
      uint32_t peer;
    };
    struct AskedBack {
      ConnectionId connection;
      bool is_now;
    };
    struct Settled {
      uint64_t ticket;
      bool is_fresh;
    };
    std::vector<Given> given;
    std::vector<AskedBack> asked_back;
    std::vector<Settled> settled;
    bool must_stop = false;
  };

  /// Connections that wait for one volume.
  struct Waiting {
    std::shared_ptr<shelf::Volume> volume;
    /// Not asked for yet.
    std::vector<Connection*> next;
    std::vector<Connection*> asked;
    uint64_t ticket = 0;  // 0: no question is under way
  };

  template <typename Put>
  void Post(Put put);

  void Run();
  [[nodiscard]] int TimeoutMs() const;
  /// False: the lane ends.
  [[nodiscard]] bool TakeInbox();
  void OnReady(Connection& connection, uint32_t events);
  void Take(const Inbox::Given& given);
  void TakeBack(const Inbox::AskedBack& asked);
  void TakeSettled(const Inbox::Settled& settled);
  void SweepIdle();
  void TellOwner();

  // One connection
  void Read(Connection& connection);
  /// Begins the requests that were read, as far as this turn has time for them.
  void Advance(Connection& connection);
  /// False: it is none that this lane answers now.
  [[nodiscard]] bool Begin(Connection& connection, std::string_view head);
  void GoOnNextTurn(Connection& connection);
  void Wait(Connection& connection);
  void PostQuestions();
  void GoBack(Connection& connection, Why why);
  void Rest(Connection& connection);
  void Moved(Connection& connection);

  // Sending, in lane_send.cc
  void Send(Connection& connection);
  void SendCopied(Connection& connection, size_t head_bytes);
  /// Sends what is left of the answer in hand, as far as the client and this turn take it.
  void SendOn(Connection& connection);
  /// Returns how many bytes of the answer in hand the client takes now; -1 with errno as sendmsg.
  [[nodiscard]] ssize_t SendSome(Connection& connection);
  [[nodiscard]] ssize_t SpliceSome(Connection& connection);
  /// Without one the body is copied.
  void TakePipe(Connection& connection);
  void ReturnPipe(Connection& connection);
  void Sent(Connection& connection);
  void Count(const Connection& connection, uint64_t now_ns);
  void Look(const Connection& connection, uint64_t took_ns);
  [[nodiscard]] bool ClaimBytes(Connection& connection, size_t bytes);
  void EndClaim(Connection& connection);

  shelf::Shelf* shelf_;
  Limits* limits_;
  const LaneOptions options_;
  storage::UniqueFd epoll_;
  storage::UniqueFd wake_;

  // The lane's thread alone
  AnswerValues values_;
  std::vector<char> scratch_;
  std::unordered_map<uint64_t, Waiting*> tickets_;
  std::unordered_map<const shelf::Volume*, std::unique_ptr<Waiting>> waiting_;
  std::list<Connection*> by_move_;
  std::vector<Connection*> again_;
  std::vector<std::unique_ptr<Pipe>> idle_pipes_;
  std::vector<std::unique_ptr<Connection>> gone_;
  Events events_;
  uint64_t last_ticket_ = 0;
  uint64_t now_ns_ = 0;
  uint32_t sample_weight_ = 1;
  uint32_t until_sample_ = 1;
  bool has_unasked_ = false;
  bool is_turn_over_ = false;

  mutable std::mutex connections_mutex_;
  std::unordered_map<ConnectionId, std::unique_ptr<Connection>> connections_;

  std::mutex inbox_mutex_;
  Inbox inbox_;
  bool is_woken_ = false;

  std::mutex events_mutex_;
  Events told_;

  std::mutex tally_mutex_;
  Tally tally_;

  std::thread thread_;
};

}  // namespace lane
