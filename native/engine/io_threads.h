#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/unique_fd.h"

// The engine's own threads for whatever may block on a disk. Work runs there and returns what the
// owner thread shall do with the result; event_fd() is readable while results wait.
namespace engine {

class IoThreads {
 public:
  using Completion = std::move_only_function<void()>;
  using Work = std::move_only_function<Completion()>;

  explicit IoThreads(uint32_t thread_count);
  ~IoThreads();  // Stop()

  void Post(Work work);
  /// Runs the completions that are there. Owner thread.
  void RunCompletions();
  [[nodiscard]] int event_fd() const { return event_.get(); }

  /// Drops what has not begun, waits for what has; no completion runs afterwards. Idempotent.
  void Stop();

 private:
  void Run();

  storage::UniqueFd event_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> queue_;
  std::vector<Completion> completions_;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace engine
