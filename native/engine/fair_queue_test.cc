#include "engine/fair_queue.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>

#include "engine/io_threads.h"

namespace engine {
namespace {

TEST(FairQueue, TakesOneOfEachFlowBeforeTheNextOfAny) {
  FairQueue<std::string> queue;
  for (const char* item : {"a1", "a2", "a3"}) queue.Push(1, item);
  for (const char* item : {"b1", "b2"}) queue.Push(2, item);
  queue.Push(3, "c1");
  std::string order;
  while (!queue.empty()) order += queue.Pop();
  EXPECT_EQ(order, "a1b1c1a2b2a3");
}

TEST(FairQueue, PassesATurnOn) {
  FairQueue<std::string> queue;
  queue.Push(1, "a1");
  queue.Push(2, "b1");
  queue.Skip();
  EXPECT_EQ(queue.Front(), "b1");
  EXPECT_EQ(queue.flow_count(), 2u);
  EXPECT_EQ(queue.Pop(), "b1");
  EXPECT_EQ(queue.Pop(), "a1");
  EXPECT_EQ(queue.flow_count(), 0u);
}

/// One I/O thread that is held at a gate while work is posted, and the order in which it ran then.
class OneThread : public testing::Test {
 protected:
  void SetUp() override {
    Post('g', 1, {});
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !order_.empty(); });
  }

  /// `pieces` of work named `name`.
  void Post(char name, int pieces, IoTurn turn) {
    threads_.Post(
        [this, name, left = pieces]() mutable -> IoThreads::Completion {
          std::unique_lock lock(mutex_);
          order_ += name;
          changed_.notify_all();
          changed_.wait(lock, [this] { return is_open_; });
          if (--left > 0) return nullptr;
          return [this] { ++done_; };
        },
        turn);
  }

  std::string OrderOf(size_t count) {
    std::unique_lock lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return order_.size() >= count + 1; });
    return order_.substr(1, count);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string order_;
  bool is_open_ = false;
  int done_ = 0;
  IoThreads threads_{1};
};

TEST_F(OneThread, LetsAShortReadWaitForOnePieceOfALongOneAtMost) {
  for (uint64_t session = 1; session <= 4; ++session) Post('L', 64, {.flow = session});
  Post('s', 1, {.flow = 5, .is_short = true});
  Post('t', 1, {.flow = 1, .is_short = true});
  EXPECT_EQ(OrderOf(6), "sLtLLL");
}

TEST_F(OneThread, TakesPiecesOfSessionsByTurns) {
  for (int i = 0; i < 3; ++i) Post('a', 2, {.flow = 1});
  Post('b', 3, {.flow = 2});
  EXPECT_EQ(OrderOf(9), "abababaaa");
}

TEST_F(OneThread, CompletesWorkOnceWhenItsLastPieceIsDone) {
  Post('a', 3, {});
  Post('b', 1, {});
  EXPECT_EQ(OrderOf(4), "abaa");
  threads_.RunCompletions();
  while (done_ < 3) threads_.RunCompletions();
  EXPECT_EQ(done_, 3);
}

}  // namespace
}  // namespace engine
