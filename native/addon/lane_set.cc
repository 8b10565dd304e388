#include "addon/lane_set.h"

#include <array>
#include <utility>

#include "addon/convert.h"
#include "memory/check.h"

namespace addon {
namespace {

// Kinds of rows, and their width; src/rdma/native-lane-types.ts has the same.
constexpr double kReturned = 1;
constexpr double kQuestion = 2;
constexpr double kFreed = 3;
constexpr size_t kRowNumbers = 6;

using Row = std::array<double, kRowNumbers>;

}  // namespace

std::shared_ptr<LaneSet> LaneSet::Create(Napi::Env env, const LaneSetOptions& options,
                                         Napi::Function on_events) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return nullptr;
  auto self = std::make_shared<LaneSet>();
  self->env_ = env;
  CHECK(uv_async_init(loop, &self->async_, [](uv_async_t* handle) {
          static_cast<LaneSet*>(handle->data)->Deliver();
        }) == 0);
  self->async_.data = self.get();
  uv_unref(reinterpret_cast<uv_handle_t*>(&self->async_));
  self->on_events_ = std::make_unique<LoopCallback>(env, on_events, "Lanes.events");
  self->limits_.idle_timeout_ns = options.idle_timeout_ns;
  self->limits_.bytes_in_flight_max = options.bytes_in_flight_max;
  for (uint32_t i = 0; i < options.lanes; ++i) {
    lane::LaneOptions lane = options.lane;
    lane.name = "lane-" + std::to_string(i);
    lane.on_events = [set = self.get()] { set->Wake(); };
    self->lanes_.push_back(
        std::make_unique<lane::Lane>(self->shelf_, self->limits_, std::move(lane)));
  }
  self->self_ = self;
  napi_add_async_cleanup_hook(env, OnEnvironmentCleanup, self.get(), &self->cleanup_);
  return self;
}

lane::Lane* LaneSet::LaneAt(uint32_t index) {
  return index < lanes_.size() ? lanes_[index].get() : nullptr;
}

std::shared_ptr<shelf::Volume> LaneSet::VolumeOf(uint32_t id) const {
  const auto found = volumes_.find(id);
  return found == volumes_.end() ? nullptr : found->second;
}

void LaneSet::Deliver() {
  if (is_closing_) return;
  std::vector<double> rows;
  std::string bytes;
  const auto add = [&rows](const Row& row) { rows.insert(rows.end(), row.begin(), row.end()); };
  for (const uint64_t id : shelf_.TakeFreed()) add({kFreed, static_cast<double>(id), 0, 0, 0, 0});
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const lane::Events events = lanes_[i]->TakeEvents();
    const auto index = static_cast<double>(i);
    for (const lane::Returned& returned : events.returned) {
      add({kReturned, index, static_cast<double>(returned.connection),
           static_cast<double>(returned.why), static_cast<double>(returned.answered),
           static_cast<double>(returned.bytes.size())});
      bytes += returned.bytes;
    }
    for (const lane::Question& question : events.questions)
      add({kQuestion, index, static_cast<double>(question.volume),
           static_cast<double>(question.ticket), 0, 0});
  }
  if (rows.empty()) return;
  const Scope scope(env_);
  napi_value copy = nullptr;
  void* data = nullptr;
  if (napi_create_buffer_copy(env_, bytes.size(), bytes.data(), &data, &copy) != napi_ok) return;
  const std::array<napi_value, 2> arguments = {NumbersArray(env_, rows), copy};
  if (arguments[0] != nullptr) on_events_->Call(arguments);
}

void LaneSet::Close() {
  if (std::exchange(is_closing_, true)) return;
  for (const auto& lane : lanes_) lane->Stop();
  uv_close(reinterpret_cast<uv_handle_t*>(&async_), OnHandleClosed);
}

void LaneSet::OnHandleClosed(uv_handle_t* handle) {
  LaneSet* set = static_cast<LaneSet*>(handle->data);
  set->on_events_.reset();
  if (set->cleanup_ != nullptr) napi_remove_async_cleanup_hook(set->cleanup_);
  set->cleanup_ = nullptr;
  const std::shared_ptr<LaneSet> self =
      std::move(set->self_);  // perhaps the last reference: nothing after it
}

void LaneSet::OnEnvironmentCleanup(napi_async_cleanup_hook_handle, void* data) {
  static_cast<LaneSet*>(data)->Close();
}

}  // namespace addon
