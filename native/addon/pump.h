#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>

#include "client/client.h"

namespace addon {

/// The object that the pump drives. All calls come from the loop's thread, outside of the client's
/// own calls.
class PumpDelegate {
 public:
  virtual ~PumpDelegate() = default;
  /// Hands over what the client has completed; true when there was something.
  virtual bool Deliver() = 0;
  /// Called before the loop sleeps, after everything was delivered. The pump may be closed here.
  virtual void OnQuiet() = 0;
};

/// Progresses a client on an event loop: on its descriptor, before the loop sleeps, and at its next
/// deadline. Sleeps only after a successful Arm() since the last progress, so no completion waits;
/// idle, it costs nothing.
class Pump {
 public:
  /// `client` must outlive the handles' use: call Close() first, then destroy it at will.
  Pump(uv_loop_t* loop, client::Client& client, PumpDelegate& delegate, uint64_t spin_ns);
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  /// Something was posted: progress before the loop sleeps.
  void Wake() { is_dirty_ = true; }
  /// The loop goes round without sleeping once.
  void GoRound();
  /// Whether the handles keep the loop alive.
  void KeepAlive(bool keep);
  /// Stops at once; `closed` is called from the loop when no handle is left, and may destroy the
  /// pump.
  void Close(std::function<void()> closed);

 private:
  void OnPoll();
  void OnPrepare();
  void Progress();
  void Spin();
  void SetTimer();
  static void OnHandleClosed(uv_handle_t* handle);

  client::Client* client_;
  PumpDelegate* delegate_;
  uint64_t spin_ns_;
  uint64_t timer_ns_ = 0;  // the deadline that the timer is set for; 0: none
  std::function<void()> closed_;
  int handles_open_ = 4;
  int busy_turns_ = 0;
  bool is_dirty_ = true;
  bool is_closing_ = false;
  bool keeps_alive_ = true;
  uv_poll_t poll_;
  uv_prepare_t prepare_;
  uv_idle_t idle_;
  uv_timer_t timer_;
};

}  // namespace addon
