#pragma once

#include <cstdint>
#include <string>
#include <vector>

// Messages between lanes and their owner.
namespace lane {

/// The owner's name for a connection, unique among those that lanes have.
using ConnectionId = uint32_t;

/// Why a connection goes back to its owner.
enum class Why : uint32_t {
  /// The next bytes are no request that a lane can answer, or the client is gone.
  kBytes = 0,
  /// The owner asked for it.
  kAsked = 1,
  /// Nothing has moved for the time that is allowed.
  kIdle = 2,
  /// A part of an answer was sent, and the rest never will.
  kBroken = 3,
};

/// A connection goes back, with every byte that was read and not answered. The lane touches its
/// descriptor no more.
struct Returned {
  ConnectionId connection = 0;
  Why why = Why::kBytes;
  /// Requests that were answered since it was given.
  uint64_t answered = 0;
  std::string bytes;
};

/// Is what the shelf has of this volume still what it holds? To be settled once, by this ticket.
struct Question {
  uint32_t volume = 0;
  uint64_t ticket = 0;
};

struct Events {
  std::vector<Returned> returned;
  std::vector<Question> questions;

  [[nodiscard]] bool empty() const { return returned.empty() && questions.empty(); }
};

}  // namespace lane
