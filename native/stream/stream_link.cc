#include "stream/stream_link.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "memory/check.h"

namespace stream {
namespace {

/// Parts that are cut ahead of the socket: a message that is posted later waits for them.
constexpr size_t kUnwrittenBytesMax = kPartBytesMax;
constexpr size_t kPartsPerWrite = 32;
/// Then other links have their turn.
constexpr size_t kReadBytesPerTurn = 1 << 20;
constexpr size_t kWriteBytesPerTurn = 256 << 10;
constexpr size_t kIdleListBytesMax = 64 << 10;

bool IsMessage(uint16_t id) {
  return id >= static_cast<uint16_t>(protocol::MessageId::hello) &&
         id <= static_cast<uint16_t>(protocol::MessageId::refuse);
}

}  // namespace

StreamLink::~StreamLink() {
  carrier_.Forget(*this);
  for (const Part& part : parts_) {
    if (part.ended != nullptr) carrier_.abandoned_.push_back(part.ended);
  }
  for (const auto* queue : {&short_, &long_}) {
    for (const Outgoing& each : *queue) carrier_.abandoned_.push_back(each.send);
  }
  for (const auto& [number, message] : incoming_) {
    if (message->landing) carrier_.unlanded_.push_back(message->landing->context);
  }
}

void StreamLink::Post(fabric::Send& send) {
  send.Begin();
  if (is_lost_) return send.Finish(false);
  const bool is_short = send.data().size() <= kShortBytesMax;
  (is_short ? short_ : long_).push_back({.send = &send, .number = next_number_++});
  if (is_writable_) MakeDue();
}

void StreamLink::OnReady(bool is_readable, bool is_writable, bool has_ended) {
  has_ended_ |= has_ended;
  if (is_readable) {
    is_readable_ = true;
    is_writable_ |= std::exchange(writes_when_readable_, false);
  }
  if (is_writable) {
    is_writable_ = true;
    is_readable_ |= std::exchange(reads_when_writable_, false);
  }
  MakeDue();
}

void StreamLink::MakeDue() {
  if (!std::exchange(is_due_, true)) carrier_.MakeDue(*this);
}

void StreamLink::Read() {
  if (!is_lost_ && is_readable_) Fill();
}

size_t StreamLink::Write() {
  is_due_ = false;
  const size_t bytes = !is_lost_ && is_writable_ ? Flush() : 0;
  if (is_lost_) return bytes;
  const bool has_output = !parts_.empty() || !short_.empty() || !long_.empty();
  if (is_readable_ || (is_writable_ && has_output)) MakeDue();
  return bytes;
}

void StreamLink::Lose(std::string_view why) {
  if (std::exchange(is_lost_, true)) return;
  for (Part& part : parts_) {
    if (part.ended != nullptr) carrier_.abandoned_.push_back(std::exchange(part.ended, nullptr));
  }
  for (auto* queue : {&short_, &long_}) {
    for (const Outgoing& each : std::exchange(*queue, {})) carrier_.abandoned_.push_back(each.send);
  }
  parts_.clear();
  carrier_.receiver_.OnLost(peer_, why);
}

// Writing

size_t StreamLink::Flush() {
  size_t turn_bytes = 0;
  while (turn_bytes < kWriteBytesPerTurn) {
    CutParts();
    if (parts_.empty()) break;
    std::array<iovec, 2 * kPartsPerWrite> pieces;
    size_t count = 0;
    size_t data_left = kWriteBytesPerTurn - turn_bytes;
    for (const Part& part : parts_) {
      if (count + 2 > pieces.size() || data_left == 0) break;
      const size_t head_left = part.head_bytes - std::min(part.head_bytes, part.written_bytes);
      if (head_left > 0) {
        auto* const from = part.head.data() + (part.head_bytes - head_left);
        pieces[count++] = {const_cast<std::byte*>(from), head_left};
      }
      const size_t data_written =
          part.written_bytes - std::min(part.written_bytes, part.head_bytes);
      const auto rest = part.data.subspan(data_written);
      const auto data = rest.first(std::min(rest.size(), data_left));
      data_left -= data.size();
      if (!data.empty()) pieces[count++] = {const_cast<std::byte*>(data.data()), data.size()};
    }
    const Channel::Result result = channel_->Write(std::span(pieces).first(count));
    if (result.state == Channel::State::kBlocked || result.state == Channel::State::kCrossed) {
      is_writable_ = false;
      writes_when_readable_ = result.state == Channel::State::kCrossed;
      break;
    }
    if (result.state != Channel::State::kMoved) {
      Lose(channel_->fault());
      break;
    }
    turn_bytes += result.bytes;
    OnWritten(result.bytes);
  }
  return turn_bytes;
}

/// Short messages go first, but for a part of a long one after each part's worth of them.
void StreamLink::CutParts() {
  while (unwritten_bytes_ < kUnwrittenBytesMax && (!short_.empty() || !long_.empty())) {
    const bool is_short = long_.empty() || (!short_.empty() && short_bytes_ahead_ < kPartBytesMax);
    std::deque<Outgoing>& queue = is_short ? short_ : long_;
    Outgoing outgoing = queue.front();
    queue.pop_front();
    CutPart(outgoing);
    const Part& part = parts_.back();
    short_bytes_ahead_ = is_short ? short_bytes_ahead_ + part.head_bytes + part.data.size() : 0;
    if (part.ended == nullptr) queue.push_back(outgoing);
  }
}

void StreamLink::CutPart(Outgoing& outgoing) {
  const fabric::Send& send = *outgoing.send;
  const std::span<const std::byte> data = send.data();
  const size_t part_bytes = std::min<size_t>(data.size() - outgoing.cut_bytes, kPartBytesMax);
  PartHead head{};
  head.message_number = outgoing.number;
  head.part_bytes = static_cast<uint32_t>(part_bytes);
  Part& part = parts_.emplace_back();
  part.head_bytes = sizeof(head);
  if (!std::exchange(outgoing.has_begun, true)) {
    const std::span<const std::byte> header = send.header();
    head.message_id = static_cast<uint16_t>(send.id());
    head.header_bytes = static_cast<uint16_t>(header.size());
    head.data_bytes = data.size();
    std::memcpy(part.head.data() + sizeof(head), header.data(), header.size());
    part.head_bytes += header.size();
  }
  std::memcpy(part.head.data(), &head, sizeof(head));
  part.data = data.subspan(outgoing.cut_bytes, part_bytes);
  outgoing.cut_bytes += part_bytes;
  part.ended = outgoing.cut_bytes == data.size() ? outgoing.send : nullptr;
  unwritten_bytes_ += part.head_bytes + part_bytes;
}

void StreamLink::OnWritten(size_t bytes) {
  unwritten_bytes_ -= bytes;
  while (bytes > 0) {
    Part& part = parts_.front();
    const size_t part_left = part.head_bytes + part.data.size() - part.written_bytes;
    const size_t taken = std::min(bytes, part_left);
    part.written_bytes += taken;
    bytes -= taken;
    if (taken < part_left) return;
    fabric::Send* const ended = part.ended;
    parts_.pop_front();
    if (ended != nullptr) ended->Finish(true);
  }
}

// Reading

void StreamLink::Fill() {
  size_t turn_bytes = 0;
  while (turn_bytes < kReadBytesPerTurn && !is_lost_) {
    const std::span<std::byte> buffer = carrier_.buffer();
    // The beginning of a head that came before lies in front of what comes.
    std::ranges::copy(unread_, buffer.begin());
    const std::span<std::byte> room = buffer.subspan(unread_.size());
    const std::span<std::byte> destination = Destination();
    const Channel::Result result = channel_->Read(destination, room);
    if (result.state == Channel::State::kBlocked || result.state == Channel::State::kCrossed) {
      is_readable_ = false;
      reads_when_writable_ = result.state == Channel::State::kCrossed;
      return;
    }
    if (result.state == Channel::State::kEnded) return Lose("the peer closed the connection");
    if (result.state == Channel::State::kFailed) return Lose(channel_->fault());
    turn_bytes += result.bytes;
    const size_t landed = std::min(result.bytes, destination.size());
    if (landed > 0) OnData(landed);
    std::span<const std::byte> come =
        std::span(buffer).first(unread_.size() + (result.bytes - landed));
    while (!is_lost_ && !come.empty()) {
      const size_t taken = Take(come);
      if (taken == 0) break;
      come = come.subspan(taken);
    }
    unread_.assign(come.begin(), come.end());
    // Later bytes are a new event, but an end that was told already is none.
    if (result.is_all && !has_ended_) {
      is_readable_ = false;
      return;
    }
  }
}

std::span<std::byte> StreamLink::Destination() const {
  if (current_ == nullptr || part_bytes_left_ == 0 || !current_->landing) return {};
  return current_->landing->bytes.subspan(current_->come_bytes, part_bytes_left_);
}

size_t StreamLink::Take(std::span<const std::byte> bytes) {
  if (current_ == nullptr) return TakeHead(bytes);
  const size_t taken = std::min<size_t>(bytes.size(), part_bytes_left_);
  TakeData(bytes.first(taken));
  return taken;
}

size_t StreamLink::TakeHead(std::span<const std::byte> bytes) {
  PartHead head;
  if (bytes.size() < sizeof(head)) return 0;
  std::memcpy(&head, bytes.data(), sizeof(head));
  const bool is_first = head.message_id != 0;
  const bool is_sound =
      head.reserved == 0 && head.part_bytes <= kPartBytesMax &&
      (is_first ? IsMessage(head.message_id) && head.header_bytes <= kHeaderBytesMax
                : head.header_bytes == 0 && head.data_bytes == 0);
  if (!is_sound) {
    Lose("what came is no message");
    return 0;
  }
  const size_t head_bytes = sizeof(head) + head.header_bytes;
  if (bytes.size() < head_bytes) return 0;
  if (!Begin(head, bytes.subspan(sizeof(head), head.header_bytes))) {
    Lose("a message came out of order, or is too long");
    return 0;
  }
  if (part_bytes_left_ == 0) EndPart();
  return head_bytes;
}

bool StreamLink::Begin(const PartHead& head, std::span<const std::byte> header) {
  const auto found = incoming_.find(head.message_number);
  if (head.message_id == 0) {
    if (found == incoming_.end()) return false;
    current_ = found->second.get();
    // A part without data would say nothing.
    if (head.part_bytes == 0) return false;
  } else {
    if (found != incoming_.end() || incoming_.size() >= carrier_.limits_.messages_max) return false;
    const auto id = static_cast<protocol::MessageId>(head.message_id);
    const bool has_memory = id == protocol::MessageId::read_reply && head.data_bytes > 0;
    if (!has_memory && head.data_bytes > carrier_.limits_.list_bytes_max) return false;
    if (head.part_bytes == 0 && head.data_bytes > 0) return false;
    auto message = spare_ ? std::move(spare_) : std::make_unique<Incoming>();
    message->id = id;
    message->header_bytes = static_cast<uint32_t>(header.size());
    std::ranges::copy(header, message->header.begin());
    message->data_bytes = head.data_bytes;
    message->come_bytes = 0;
    message->landing.reset();
    message->list.clear();
    if (has_memory) {
      message->landing = carrier_.receiver_.OnReply(peer_, header, head.data_bytes);
      CHECK(!message->landing || message->landing->bytes.size() == head.data_bytes);
    }
    current_ = message.get();
    incoming_.emplace(head.message_number, std::move(message));
  }
  current_number_ = head.message_number;
  part_bytes_left_ = head.part_bytes;
  return current_->come_bytes + head.part_bytes <= current_->data_bytes;
}

void StreamLink::TakeData(std::span<const std::byte> bytes) {
  if (current_->landing) {
    std::memcpy(current_->landing->bytes.data() + current_->come_bytes, bytes.data(), bytes.size());
  } else if (current_->id != protocol::MessageId::read_reply) {
    lists_bytes_ += bytes.size();
    if (lists_bytes_ > carrier_.limits_.lists_bytes_max)
      return Lose("lists of too many messages have come in part");
    current_->list.insert(current_->list.end(), bytes.begin(), bytes.end());
  }
  OnData(bytes.size());
}

void StreamLink::OnData(size_t bytes) {
  current_->come_bytes += bytes;
  part_bytes_left_ -= static_cast<uint32_t>(bytes);
  if (part_bytes_left_ == 0) EndPart();
}

void StreamLink::EndPart() {
  Incoming* const message = std::exchange(current_, nullptr);
  if (message->come_bytes < message->data_bytes) return;
  const auto found = incoming_.find(current_number_);
  std::unique_ptr<Incoming> whole = std::move(found->second);
  incoming_.erase(found);
  lists_bytes_ -= whole->list.size();
  if (whole->landing) {
    carrier_.receiver_.OnLanded(whole->landing->context, true);
  } else if (whole->id != protocol::MessageId::read_reply || whole->data_bytes == 0) {
    const auto header = std::span<const std::byte>(whole->header).first(whole->header_bytes);
    carrier_.receiver_.OnMessage(peer_, whole->id, header, whole->list);
  }
  whole->landing.reset();
  if (whole->list.capacity() <= kIdleListBytesMax) spare_ = std::move(whole);
}

}  // namespace stream
