#include "protocol/status.h"

namespace protocol {

static_assert(StatusName(Status::ok) == "ok");

}  // namespace protocol
