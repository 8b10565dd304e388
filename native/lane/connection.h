#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "lane/events.h"
#include "lane/pipe.h"
#include "shelf/shelf.h"

namespace lane {

/// A client's connection while a lane has it. The descriptor is the owner's, who does not touch it
/// meanwhile.
struct Connection {
  ConnectionId id = 0;
  int fd = -1;
  /// Under which its requests are counted.
  uint32_t peer = 0;
  /// resting: nothing in hand. waiting: for the answer to a question. sending: the client has to
  /// take more. gone: the owner has it again.
  enum class State : uint8_t { kResting, kWaiting, kSending, kGone } state = State::kResting;
  /// Read, and not answered; while it waits or sends, from the request in hand on.
  std::string unread;
  /// So much of `unread` is the request in hand.
  size_t head_bytes = 0;
  /// More may be there than was read.
  bool is_readable = false;
  /// The client sends no more, or the connection is broken: no edge comes after this one, and
  /// reading finds it behind the last byte.
  bool has_ended = false;
  /// Stands in the list of those that go on in the lane's next turn.
  bool is_again = false;
  /// The owner wants it as soon as nothing is in hand.
  bool is_asked_back = false;

  shelf::Held entry;
  std::string client_id;
  std::string request_id;
  uint64_t begun_ns = 0;
  /// For the answer to a question; 0: it was not needed.
  uint64_t waited_ns = 0;
  /// Bytes of the answer's head that are not sent, and how much of its body is.
  std::string head_left;
  size_t body_sent = 0;
  /// Through which the body goes by reference; with a pipe, `in_pipe` bytes of the body after
  /// `body_sent` are in it.
  std::unique_ptr<Pipe> pipe;
  size_t in_pipe = 0;
  /// So much of its body is counted as in flight.
  size_t bytes_in_flight = 0;

  uint64_t answered = 0;
  uint64_t moved_ns = 0;
  /// 0: something is in hand. The owner reads it.
  std::atomic<uint64_t> resting_since_ns{0};
  /// Place in the lane's list, where the one that moved last stands at the end.
  std::list<Connection*>::iterator place;
};

}  // namespace lane
