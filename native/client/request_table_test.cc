#include "client/request_table.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace client {
namespace {

TEST(RequestTable, GivesASlotAgainUnderAnotherId) {
  RequestTable table(1);
  Request* const first = table.Add(RequestKind::kRead, 0, 0, 10);
  ASSERT_NE(first, nullptr);
  const uint64_t old_id = first->id;
  EXPECT_EQ(table.Add(RequestKind::kRead, 0, 0, 10), nullptr);
  table.Remove(*first);
  EXPECT_EQ(table.Find(old_id), nullptr);
  Request* const second = table.Add(RequestKind::kRead, 0, 0, 10);
  ASSERT_NE(second, nullptr);
  EXPECT_NE(second->id, old_id);
  EXPECT_EQ(table.Find(old_id), nullptr);
  EXPECT_EQ(table.Find(second->id), second);
}

TEST(RequestTable, FindsNothingForIdsItNeverGave) {
  RequestTable table(8);
  (void)table.Add(RequestKind::kRead, 0, 0, 10);
  for (const uint64_t id : {0ull, 1ull, 0xffffull, 0x1ffffull, ~0ull})
    EXPECT_EQ(table.Find(id), nullptr) << id;
  EXPECT_EQ(table.Find(table.IdWithoutSlot()), nullptr);
}

TEST(RequestTable, NeverRepeatsAnId) {
  RequestTable table(4);
  std::set<uint64_t> ids;
  for (int i = 0; i < 1000; ++i) {
    Request* const request = table.Add(RequestKind::kPing, 0, 0, 10);
    EXPECT_TRUE(ids.insert(request->id).second);
    EXPECT_TRUE(ids.insert(table.IdWithoutSlot()).second);
    table.Remove(*request);
  }
}

TEST(RequestTable, GivesEachOverdueRequestOnceInOrder) {
  RequestTable table(8);
  Request* const late = table.Add(RequestKind::kRead, 0, 100, 50);
  Request* const early = table.Add(RequestKind::kRead, 0, 100, 20);
  Request* const done = table.Add(RequestKind::kRead, 0, 100, 10);
  table.Remove(*done);
  EXPECT_EQ(table.next_deadline_ns(), 110u);
  table.ForgetDeadlines();
  EXPECT_EQ(table.next_deadline_ns(), 120u);
  EXPECT_EQ(table.PopOverdue(119), nullptr);
  EXPECT_EQ(table.PopOverdue(200), early);
  EXPECT_EQ(table.PopOverdue(200), late);
  EXPECT_EQ(table.PopOverdue(200), nullptr);
  EXPECT_EQ(table.next_deadline_ns(), std::nullopt);
}

TEST(RequestTable, TakesATimeoutWithoutEnd) {
  RequestTable table(1);
  EXPECT_EQ(table.Add(RequestKind::kRead, 0, 100, ~0ull)->deadline_ns,
            std::numeric_limits<uint64_t>::max());
}

}  // namespace
}  // namespace client
