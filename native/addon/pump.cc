#include "addon/pump.h"

#include <sched.h>

#include <utility>

#include "memory/check.h"
#include "protocol/clock.h"

namespace addon {
namespace {

constexpr int kProgressMax = 256;  // rounds of progress before the loop's other work gets its turn
constexpr int kRoundsMax = 4;      // deliveries before that
constexpr int kBusyTurnsMax = 16;  // turns without sleep before the core is offered to others
constexpr uint64_t kNsPerMs = 1'000'000;

}  // namespace

Pump::Pump(uv_loop_t* loop, client::Client& client, PumpDelegate& delegate, uint64_t spin_ns)
    : client_(&client), delegate_(&delegate), spin_ns_(spin_ns) {
  CHECK(uv_poll_init(loop, &poll_, client.event_fd()) == 0);
  CHECK(uv_prepare_init(loop, &prepare_) == 0 && uv_idle_init(loop, &idle_) == 0);
  CHECK(uv_timer_init(loop, &timer_) == 0);
  poll_.data = prepare_.data = idle_.data = timer_.data = this;
  uv_poll_start(&poll_, UV_READABLE,
                [](uv_poll_t* handle, int, int) { static_cast<Pump*>(handle->data)->OnPoll(); });
  uv_prepare_start(&prepare_,
                   [](uv_prepare_t* handle) { static_cast<Pump*>(handle->data)->OnPrepare(); });
  // Only the poll handle ever keeps the loop alive.
  uv_unref(reinterpret_cast<uv_handle_t*>(&prepare_));
  uv_unref(reinterpret_cast<uv_handle_t*>(&idle_));
  uv_unref(reinterpret_cast<uv_handle_t*>(&timer_));
  KeepAlive(false);
}

void Pump::GoRound() {
  uv_idle_start(&idle_, [](uv_idle_t*) {});
}

void Pump::KeepAlive(bool keep) {
  if (is_closing_ || keep == keeps_alive_) return;
  keeps_alive_ = keep;
  auto* handle = reinterpret_cast<uv_handle_t*>(&poll_);
  keep ? uv_ref(handle) : uv_unref(handle);
}

void Pump::Close(std::function<void()> closed) {
  CHECK(!is_closing_);
  is_closing_ = true;
  closed_ = std::move(closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), OnHandleClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), OnHandleClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), OnHandleClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), OnHandleClosed);
}

void Pump::OnHandleClosed(uv_handle_t* handle) {
  Pump* self = static_cast<Pump*>(handle->data);
  if (--self->handles_open_ > 0) return;
  const std::function<void()> closed = std::move(self->closed_);
  closed();
}

void Pump::OnPoll() {
  is_dirty_ = true;
  Progress();
  delegate_->Deliver();
}

void Pump::OnPrepare() {
  // Without this a single GoRound() would make the loop spin for ever.
  uv_idle_stop(&idle_);
  if (is_dirty_) {
    bool may_sleep = false;
    for (int round = 0; round < kRoundsMax && !may_sleep; ++round) {
      Progress();
      if (delegate_->Deliver()) continue;
      if (spin_ns_ > 0 && client_->requests_in_flight() > 0) {
        Spin();
        if (delegate_->Deliver()) continue;
      }
      may_sleep = client_->Arm();
    }
    is_dirty_ = !may_sleep;
    busy_turns_ = may_sleep ? 0 : busy_turns_ + 1;
    if (!may_sleep) GoRound();
    // A full shared-memory queue keeps Arm() busy until the peer ran, perhaps on this very core.
    if (busy_turns_ > kBusyTurnsMax) sched_yield();
  }
  SetTimer();
  delegate_->OnQuiet();
}

void Pump::Progress() {
  for (int i = 0; i < kProgressMax && client_->Progress(); ++i) {
  }
}

/// Trades CPU for the cost of sleeping and waking, once per turn of the loop.
void Pump::Spin() {
  const uint64_t until_ns = protocol::NowNs() + spin_ns_;
  const uint32_t in_flight = client_->requests_in_flight();
  do {
    client_->Progress();
  } while (client_->requests_in_flight() == in_flight && protocol::NowNs() < until_ns);
}

void Pump::SetTimer() {
  // A timer that fires too early costs one wake-up; setting it anew for each request would cost
  // every one of them.
  const uint64_t deadline_ns = client_->next_deadline_ns().value_or(0);
  if (deadline_ns == 0 || (timer_ns_ != 0 && timer_ns_ <= deadline_ns)) return;
  timer_ns_ = deadline_ns;
  const uint64_t now_ns = protocol::NowNs();
  const uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
  uv_update_time(timer_.loop);
  const auto on_timer = [](uv_timer_t* handle) {
    Pump* self = static_cast<Pump*>(handle->data);
    self->timer_ns_ = 0;
    self->OnPoll();
  };
  uv_timer_start(&timer_, on_timer, left_ns / kNsPerMs + 1, 0);
}

}  // namespace addon
