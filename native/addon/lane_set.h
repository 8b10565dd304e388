#pragma once

#include <uv.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "addon/callback.h"
#include "addon/js.h"
#include "lane/lane.h"
#include "shelf/shelf.h"

namespace addon {

struct LaneSetOptions {
  uint32_t lanes = 0;
  lane::LaneOptions lane;
  uint64_t idle_timeout_ns = 0;
  uint64_t bytes_in_flight_max = 0;
};

/// The shelf and the lanes of one event loop, and what they tell it. Lives until its handle is
/// closed, whatever happens to the object that JavaScript sees.
class LaneSet : public std::enable_shared_from_this<LaneSet> {
 public:
  /// `on_events` is called from the loop with rows of six numbers and the bytes that belong to
  /// them; src/proxy/lanes/lanes.ts reads them.
  [[nodiscard]] static std::shared_ptr<LaneSet> Create(Napi::Env env, const LaneSetOptions& options,
                                                       Napi::Function on_events);
  LaneSet() : shelf_([this] { Wake(); }) {}
  LaneSet(const LaneSet&) = delete;
  LaneSet& operator=(const LaneSet&) = delete;

  [[nodiscard]] bool IsOpen() const { return !is_closing_; }
  [[nodiscard]] shelf::Shelf& shelf() { return shelf_; }
  [[nodiscard]] lane::Limits& limits() { return limits_; }
  /// Null for a number that is no lane's.
  [[nodiscard]] lane::Lane* LaneAt(uint32_t index);
  /// Null for an id that is no volume's.
  [[nodiscard]] std::shared_ptr<shelf::Volume> VolumeOf(uint32_t id) const;
  void AddVolume(uint32_t id) { volumes_.emplace(id, std::make_shared<shelf::Volume>(id)); }
  void ForgetVolume(uint32_t id) { volumes_.erase(id); }

  /// Ends the threads. Nothing is told any more.
  void Close();

 private:
  void Wake() { uv_async_send(&async_); }
  void Deliver();
  static void OnEnvironmentCleanup(napi_async_cleanup_hook_handle handle, void* data);
  static void OnHandleClosed(uv_handle_t* handle);

  napi_env env_ = nullptr;
  lane::Limits limits_;
  shelf::Shelf shelf_;
  std::unordered_map<uint32_t, std::shared_ptr<shelf::Volume>> volumes_;
  std::vector<std::unique_ptr<lane::Lane>> lanes_;  // after the shelf: they end first
  std::unique_ptr<LoopCallback> on_events_;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  std::shared_ptr<LaneSet> self_;  // until the handle is closed
  uv_async_t async_{};
  bool is_closing_ = false;
};

}  // namespace addon
