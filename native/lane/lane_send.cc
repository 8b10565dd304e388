#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "lane/lane.h"
#include "protocol/clock.h"

namespace lane {
namespace {

/// Sent of one answer in one turn: others wait no longer.
constexpr size_t kBytesPerTurn = 1u << 20;

char* MutableChars(std::span<const std::byte> bytes) {
  return const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
}

}  // namespace

void Lane::Send(Connection& connection) {
  const shelf::Heads& heads = connection.entry->heads();
  const size_t body_bytes = connection.entry->body().size();
  const size_t head_bytes = heads.answer.size();
  connection.body_sent = 0;
  if (body_bytes > options_.copied_bytes_max && !ClaimBytes(connection, body_bytes)) {
    GoBack(connection, Why::kBytes);
    return;
  }
  if (scratch_.size() < head_bytes + options_.copied_bytes_max)
    scratch_.resize(head_bytes + options_.copied_bytes_max);
  values_.WriteHead(heads, scratch_.data());
  connection.request_id.assign(scratch_.data() + heads.id_at, shelf::kRequestIdBytes);
  if (body_bytes <= options_.copied_bytes_max) {
    SendCopied(connection, head_bytes);
  } else {
    connection.head_left.assign(scratch_.data(), head_bytes);
    connection.state = Connection::State::kSending;
    SendOn(connection);
  }
}

void Lane::SendCopied(Connection& connection, size_t head_bytes) {
  const std::span<const std::byte> body = connection.entry->body();
  std::copy_n(MutableChars(body), body.size(), scratch_.data() + head_bytes);
  const size_t all = head_bytes + body.size();
  const ssize_t sent = send(connection.fd, scratch_.data(), all, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (static_cast<size_t>(std::max<ssize_t>(sent, 0)) == all) {
    Sent(connection);
    return;
  }
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    GoBack(connection, Why::kBroken);
    return;
  }
  const size_t done = static_cast<size_t>(std::max<ssize_t>(sent, 0));
  connection.state = Connection::State::kSending;
  connection.head_left.assign(scratch_.data() + std::min(done, head_bytes),
                              head_bytes - std::min(done, head_bytes));
  connection.body_sent = done - std::min(done, head_bytes);
  // An edge may have come and gone since the socket was full.
  GoOnNextTurn(connection);
}

void Lane::SendOn(Connection& connection) {
  const std::span<const std::byte> body = connection.entry->body();
  size_t sent_now = 0;
  while (!connection.head_left.empty() || connection.body_sent < body.size()) {
    if (sent_now >= kBytesPerTurn) {
      GoOnNextTurn(connection);
      return;
    }
    const std::span<const std::byte> rest =
        body.subspan(connection.body_sent)
            .first(std::min(body.size() - connection.body_sent, kBytesPerTurn));
    std::array<iovec, 2> parts = {
        iovec{.iov_base = connection.head_left.data(), .iov_len = connection.head_left.size()},
        iovec{.iov_base = MutableChars(rest), .iov_len = rest.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = sendmsg(connection.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      if (errno != EAGAIN) GoBack(connection, Why::kBroken);
      return;
    }
    const size_t done = static_cast<size_t>(sent);
    const size_t of_head = std::min(done, connection.head_left.size());
    connection.head_left.erase(0, of_head);
    connection.body_sent += done - of_head;
    sent_now += done;
    Moved(connection);
  }
  Sent(connection);
}

void Lane::Sent(Connection& connection) {
  EndClaim(connection);
  Count(connection, protocol::NowNs());
  ++connection.answered;
  connection.unread.erase(0, connection.head_bytes);
  connection.entry.Reset();
  Rest(connection);
}

void Lane::Count(const Connection& connection, uint64_t now_ns) {
  const shelf::Entry& entry = *connection.entry;
  const uint64_t bytes = entry.body().size();
  const uint64_t took_ns = now_ns - connection.begun_ns;
  const std::lock_guard lock(tally_mutex_);
  ++tally_.requests;
  tally_.bytes += bytes;
  tally_.durations.Observe(options_.duration_bounds, took_ns);
  if (connection.waited_ns > 0) {
    ++tally_.validated;
    tally_.waits.Observe(options_.wait_bounds, connection.waited_ns);
  }
  Cell& cell = tally_.cells[{connection.peer, entry.agent(), entry.volume().id()}];
  ++cell.requests;
  cell.bytes += bytes;
  if (--until_sample_ == 0) Look(connection, took_ns);
}

/// Under the tally's lock.
void Lane::Look(const Connection& connection, uint64_t took_ns) {
  const uint32_t weight = sample_weight_;
  sample_weight_ = limits_->sample_every.load(std::memory_order_relaxed);
  // By chance: traffic that repeats itself must not be met in step.
  until_sample_ = 1 + values_.Random() % (2 * sample_weight_ - 1);
  if (tally_.samples.size() >= options_.samples_max) {
    ++tally_.samples_dropped;
    return;
  }
  const shelf::Entry& entry = *connection.entry;
  tally_.samples.push_back({.heads = entry.shared_heads(),
                            .entry = entry.id(),
                            .peer = connection.peer,
                            .weight = weight,
                            .duration_ns = took_ns,
                            .bytes = entry.body().size(),
                            .client_id = connection.client_id,
                            .request_id = connection.request_id});
}

/// False: more than clients may be reading at a time.
bool Lane::ClaimBytes(Connection& connection, size_t bytes) {
  const uint64_t before = limits_->bytes_in_flight.fetch_add(bytes, std::memory_order_relaxed);
  connection.bytes_in_flight = bytes;
  if (before + bytes <= limits_->bytes_in_flight_max.load(std::memory_order_relaxed)) return true;
  EndClaim(connection);
  return false;
}

void Lane::EndClaim(Connection& connection) {
  if (connection.bytes_in_flight == 0) return;
  limits_->bytes_in_flight.fetch_sub(connection.bytes_in_flight, std::memory_order_relaxed);
  connection.bytes_in_flight = 0;
}

}  // namespace lane
