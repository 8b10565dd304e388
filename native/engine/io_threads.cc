#include "engine/io_threads.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "memory/check.h"

namespace engine {

IoThreads::IoThreads(uint32_t thread_count) : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(event_);
  for (uint32_t i = 0; i < std::max(thread_count, 1u); i++)
    threads_.emplace_back([this] { Run(); });
}

IoThreads::~IoThreads() { Stop(); }

void IoThreads::Post(Work work, IoTurn turn) {
  {
    const std::lock_guard lock(mutex_);
    (turn.is_short ? short_ : long_).Push(turn.flow, {std::move(work), turn});
  }
  wake_.notify_one();
}

void IoThreads::RunCompletions() {
  uint64_t count;
  [[maybe_unused]] const ssize_t drained = read(event_.get(), &count, sizeof count);
  std::vector<Completion> ready;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(completions_);
  }
  for (Completion& completion : ready) completion();
}

void IoThreads::Stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  short_.Clear();
  long_.Clear();
  completions_.clear();
}

void IoThreads::Run() {
  (void)pthread_setname_np(pthread_self(), "needle-io");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return is_stopping_ || has_work(); });
    if (is_stopping_) return;
    Task task = Take();
    lock.unlock();
    Completion completion = task.work();
    if (completion) task.work = nullptr;
    lock.lock();
    if (!completion) {
      const IoTurn turn = task.turn;
      (turn.is_short ? short_ : long_).Push(turn.flow, std::move(task));
      continue;
    }
    completions_.push_back(std::move(completion));
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
  }
}

IoThreads::Task IoThreads::Take() {
  was_short_ = long_.empty() || (!short_.empty() && !was_short_);
  return (was_short_ ? short_ : long_).Pop();
}

}  // namespace engine
