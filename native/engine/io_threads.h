#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/fair_queue.h"
#include "storage/unique_fd.h"

// The engine's own threads for whatever may block on a disk or takes long. Work runs there and
// returns what the owner thread shall do with the result; event_fd() is readable while results
// wait.
namespace engine {

/// Decides when work runs: short and long work by turns, and the flows of each kind by turns.
struct IoTurn {
  uint64_t flow = 0;
  bool is_short = false;
};

class IoThreads {
 public:
  using Completion = std::move_only_function<void()>;
  /// Runs again, after the others' turn, if it returns an empty completion.
  using Work = std::move_only_function<Completion()>;

  explicit IoThreads(uint32_t thread_count);
  ~IoThreads();  // Stop()

  void Post(Work work, IoTurn turn = {});
  /// Runs the completions that are there. Owner thread.
  void RunCompletions();
  [[nodiscard]] int event_fd() const { return event_.get(); }

  /// Drops what has not begun, waits for what has; no completion runs afterwards. Idempotent.
  void Stop();

 private:
  struct Task {
    Work work;
    IoTurn turn;
  };

  void Run();
  [[nodiscard]] Task Take();
  [[nodiscard]] bool has_work() const { return !short_.empty() || !long_.empty(); }

  storage::UniqueFd event_;
  std::mutex mutex_;
  std::condition_variable wake_;
  FairQueue<Task> short_;
  FairQueue<Task> long_;
  bool was_short_ = false;  // what was taken last
  std::vector<Completion> completions_;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace engine
