#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

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
    TakePipe(connection);
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
  const size_t body_bytes = connection.entry->body().size();
  size_t sent_now = 0;
  while (!connection.head_left.empty() || connection.body_sent < body_bytes) {
    if (sent_now >= kBytesPerTurn) {
      GoOnNextTurn(connection);
      return;
    }
    const bool is_spliced = connection.head_left.empty() && connection.pipe != nullptr;
    const ssize_t sent = is_spliced ? SpliceSome(connection) : SendSome(connection);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      if (errno != EAGAIN) GoBack(connection, Why::kBroken);
      return;
    }
    sent_now += static_cast<size_t>(sent);
    Moved(connection);
  }
  Sent(connection);
}

/// Copies. With a pipe the body is left to it.
ssize_t Lane::SendSome(Connection& connection) {
  const std::span<const std::byte> body = connection.entry->body().subspan(connection.body_sent);
  const size_t rest = connection.pipe != nullptr ? 0 : std::min(body.size(), kBytesPerTurn);
  std::array<iovec, 2> parts = {
      iovec{.iov_base = connection.head_left.data(), .iov_len = connection.head_left.size()},
      iovec{.iov_base = MutableChars(body), .iov_len = rest}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  const int more = connection.pipe != nullptr ? MSG_MORE : 0;
  const ssize_t sent = sendmsg(connection.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT | more);
  if (sent < 0) return sent;
  const size_t of_head = std::min(static_cast<size_t>(sent), connection.head_left.size());
  connection.head_left.erase(0, of_head);
  connection.body_sent += static_cast<size_t>(sent) - of_head;
  return sent;
}

ssize_t Lane::SpliceSome(Connection& connection) {
  const std::span<const std::byte> body = connection.entry->body().subspan(connection.body_sent);
  const Pipe& pipe = *connection.pipe;
  if (connection.in_pipe == 0) {
    const size_t wanted = std::min(body.size(), kBytesPerTurn);
    const iovec part{.iov_base = MutableChars(body), .iov_len = wanted};
    const ssize_t filled = vmsplice(pipe.write_end.get(), &part, 1, SPLICE_F_NONBLOCK);
    if (filled <= 0) {
      // Nothing of the body is in the pipe: it is copied from here on.
      ReturnPipe(connection);
      return 0;
    }
    connection.in_pipe = static_cast<size_t>(filled);
  }
  const unsigned more = connection.in_pipe < body.size() ? SPLICE_F_MORE : 0;
  const ssize_t sent = splice(pipe.read_end.get(), nullptr, connection.fd, nullptr,
                              connection.in_pipe, SPLICE_F_NONBLOCK | more);
  if (sent <= 0) return sent;
  connection.in_pipe -= static_cast<size_t>(sent);
  connection.body_sent += static_cast<size_t>(sent);
  return sent;
}

void Lane::TakePipe(Connection& connection) {
  if (!connection.entry->is_by_reference()) return;
  if (idle_pipes_.empty()) {
    connection.pipe = Pipe::Create();
    return;
  }
  connection.pipe = std::move(idle_pipes_.back());
  idle_pipes_.pop_back();
}

void Lane::ReturnPipe(Connection& connection) {
  std::unique_ptr<Pipe> pipe = std::move(connection.pipe);
  // With bytes of an answer in it, it is of no use for another one.
  const bool is_empty = std::exchange(connection.in_pipe, 0) == 0;
  if (pipe != nullptr && is_empty && idle_pipes_.size() < options_.idle_pipes_max)
    idle_pipes_.push_back(std::move(pipe));
}

void Lane::Sent(Connection& connection) {
  EndClaim(connection);
  ReturnPipe(connection);
  Count(connection, protocol::NowNs());
  ++connection.answered;
  connection.unread.erase(0, connection.head_bytes);
  connection.entry.Reset();
  Moved(connection);
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
