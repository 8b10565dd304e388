// Leases of volumes as the client sees them: what it asks of which target, and what it believes.
#include "client/raw_target_test.h"

namespace client_test {
namespace {

using client::TargetEvent;
using protocol::MessageId;
using protocol::Status;
using protocol::Verdict;

protocol::Changed ChangeOf(uint64_t from, uint64_t to, uint32_t id_count) {
  protocol::Changed change{};
  change.epoch = 1;
  change.from = from;
  change.to = to;
  change.volume_id = 7;
  change.id_count = id_count;
  return change;
}

std::vector<std::byte> ListOf(std::initializer_list<uint64_t> ids) {
  const auto bytes = std::as_bytes(std::span(ids.begin(), ids.size()));
  return {bytes.begin(), bytes.end()};
}

void AnswerLeased(RawTarget& raw, const protocol::Validate& validate) {
  protocol::ValidateReply reply{};
  reply.request_id = validate.request_id;
  reply.row_count = 1;
  protocol::ValidateRow row{};
  row.volume_id = 7;
  row.flags = protocol::kLeased;
  std::vector<std::byte> list;
  protocol::AppendRow(list, row);
  raw.Say(MessageId::validate_reply, reply, list);
}

TEST(UcxClientLeases, AreAskedOfATargetThatAgreed) {
  RawTarget raw(kTcp, protocol::kLeases);
  const auto target = raw.Up();
  EXPECT_EQ(raw.offered_features, uint64_t{protocol::kLeases});
  const protocol::Validate validate = raw.AwaitValidate(target, 1500);
  EXPECT_EQ(validate.lease_ms, 1500u);
  AnswerLeased(raw, validate);
  ASSERT_TRUE(raw.Await([&] { return !raw.validations.empty(); }));
  ASSERT_EQ(raw.validations[0].status, Status::ok);
  EXPECT_EQ(raw.validations[0].verdicts[0].row.flags, protocol::kLeased);
}

// A target of before leases refuses a reserved field that is not zero.
TEST(UcxClientLeases, AreNotAskedOfATargetThatDoesNotKnowThem) {
  RawTarget raw(kTcp, 0);
  const auto target = raw.Up();
  EXPECT_EQ(raw.AwaitValidate(target, 1500).lease_ms, 0u);
}

TEST(UcxClientLeases, AreNotBelievedUnasked) {
  RawTarget raw(kTcp, protocol::kLeases);
  const auto target = raw.Up();
  AnswerLeased(raw, raw.AwaitValidate(target, 0));
  ASSERT_TRUE(raw.Await([&] { return !raw.validations.empty(); }));
  EXPECT_EQ(raw.validations[0].status, Status::protocol_error);
  const auto down = raw.AwaitEvent(TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::protocol_error);
}

TEST(UcxClientLeases, HandOnWhatIsPushed) {
  RawTarget raw(kTcp, protocol::kLeases);
  const auto target = raw.Up();
  raw.Say(MessageId::changed, ChangeOf(16, 48, 2), ListOf({9, ~uint64_t{0}}));
  auto event = raw.AwaitEvent(TargetEvent::Kind::kChanged);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->target, target);
  EXPECT_EQ(event->change.volume_id, 7u);
  EXPECT_EQ(event->change.from, 16u);
  EXPECT_EQ(event->change.to, 48u);
  EXPECT_EQ(event->ids, (std::vector<uint64_t>{9, ~uint64_t{0}}));

  protocol::Changed flush = ChangeOf(48, 0, 0);
  flush.verdict = static_cast<uint16_t>(Verdict::flush);
  raw.Say(MessageId::changed, flush);
  event = raw.AwaitEvent(TargetEvent::Kind::kChanged);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->change.verdict, static_cast<uint16_t>(Verdict::flush));

  raw.Say(MessageId::changed, ChangeOf(16, 32, protocol::kChangedIdsMax),
          std::vector<std::byte>(protocol::kChangedIdsMax * sizeof(uint64_t)));
  event = raw.AwaitEvent(TargetEvent::Kind::kChanged);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->ids.size(), protocol::kChangedIdsMax);
}

TEST(UcxClientLeases, EndASessionThatPushesNonsense) {
  protocol::Changed backward = ChangeOf(48, 16, 1);
  protocol::Changed unknown = ChangeOf(16, 48, 0);
  unknown.verdict = 4;
  protocol::Changed ids_of_flush = ChangeOf(16, 48, 1);
  ids_of_flush.verdict = static_cast<uint16_t>(Verdict::flush);
  protocol::Changed reserved = ChangeOf(16, 48, 1);
  reserved.reserved32 = 1;
  const uint32_t too_many = protocol::kChangedIdsMax + 1;
  struct Case {
    protocol::Changed change;
    std::vector<std::byte> list;
  };
  const Case cases[] = {
      {backward, ListOf({1})},
      {unknown, {}},
      {ids_of_flush, ListOf({1})},
      {reserved, ListOf({1})},
      {ChangeOf(16, 48, 2), ListOf({1})},                // fewer than it says
      {ChangeOf(16, 48, 1), ListOf({1, 2})},             // more
      {ChangeOf(16, 48, 1), std::vector<std::byte>(7)},  // not even one
      {ChangeOf(16, 48, UINT32_MAX), ListOf({1})},       // a length that would overflow
      {ChangeOf(16, 48, too_many), std::vector<std::byte>(too_many * sizeof(uint64_t))},
  };
  for (const Case& one : cases) {
    RawTarget raw(kTcp, protocol::kLeases);
    raw.Up();
    raw.Say(MessageId::changed, one.change, one.list);
    const auto down = raw.AwaitEvent(TargetEvent::Kind::kDown);
    ASSERT_TRUE(down) << &one - cases;
    EXPECT_EQ(down->status, Status::protocol_error) << &one - cases;
    for (const TargetEvent& event : raw.events) EXPECT_NE(event.kind, TargetEvent::Kind::kChanged);
  }
  RawTarget raw(kTcp, protocol::kLeases);
  raw.Up();
  raw.Say(MessageId::changed, uint64_t{1});
  const auto down = raw.AwaitEvent(TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::protocol_error);
}

TEST(UcxClientLeases, EndASessionThatPushesWithoutHavingAgreed) {
  RawTarget raw(kTcp, 0);
  raw.Up();
  raw.Say(MessageId::changed, ChangeOf(16, 48, 1), ListOf({1}));
  const auto down = raw.AwaitEvent(TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::protocol_error);
}

}  // namespace
}  // namespace client_test
