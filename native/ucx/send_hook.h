#pragma once

// UCX's TCP completes a transfer twice if its peer resets the connection in the middle of it and
// the next send, not the next receive, is the first to hear of it: the process ends by an assertion
// (uct_iface.h, `comp->count > 0`), in a build without assertions a callback runs on freed memory.
// A proxy that is killed while a target sends to it is enough. libuct is made to hear of a broken
// connection by receiving alone.
namespace ucx {

/// For all connections of the process, those that are open included. False: libuct sends in a way
/// that is not known, and UCX's fault remains.
bool HearOfBrokenConnectionsByReceiving();

}  // namespace ucx
