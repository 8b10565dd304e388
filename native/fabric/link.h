#pragma once

#include <string>

#include "fabric/send_pool.h"

namespace fabric {

/// One connection of a session, over whatever carries its messages. Belongs to the thread that
/// makes progress. Its destructor closes it at once; sends that are under way then finish, as not
/// sent, from a later progress or from within it.
class Link {
 public:
  virtual ~Link() = default;
  /// Takes `send` of a pool, and finishes it there: from within the call, or later.
  virtual void Post(Send& send) = 0;
  /// For people and metrics: "tcp", "posix", "rc_verbs". Once a message has come over it.
  [[nodiscard]] virtual std::string Transport() const = 0;
};

}  // namespace fabric
