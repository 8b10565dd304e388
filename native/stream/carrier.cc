#include "stream/carrier.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "stream/stream_link.h"

namespace stream {
namespace {

constexpr int kEventsMax = 64;
constexpr size_t kBufferBytes = 128 << 10;
/// Bytes of long messages that all links together write before the next messages are read: the
/// turn of one link. Measured: 1 MiB had short messages wait 0.5 ms, and sent no more in a second.
constexpr size_t kWriteBytesPerRound = 256 << 10;

}  // namespace

std::unique_ptr<Carrier> Carrier::Create(fabric::Receiver& receiver, const Limits& limits,
                                         std::string& error) {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd >= 0) return std::unique_ptr<Carrier>(new Carrier(receiver, limits, fd));
  error = std::string("epoll_create1: ") + strerror(errno);
  return nullptr;
}

Carrier::Carrier(fabric::Receiver& receiver, const Limits& limits, int epoll_fd)
    : receiver_(receiver), limits_(limits), epoll_fd_(epoll_fd), buffer_(kBufferBytes) {}

Carrier::~Carrier() {
  FinishAbandoned();
  close(epoll_fd_);
}

std::unique_ptr<fabric::Link> Carrier::Adopt(int fd, const Security& security, void* peer,
                                             std::string& error) {
  auto channel = OpenChannel(fd, security, error);
  if (!channel) return nullptr;
  auto link = std::make_unique<StreamLink>(*this, std::move(channel), peer);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = link.get();
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0) return link;
  error = std::string("epoll_ctl: ") + strerror(errno);
  return nullptr;
}

bool Carrier::Progress() {
  const bool has_abandoned = !abandoned_.empty() || !unlanded_.empty();
  if (has_abandoned) FinishAbandoned();
  TakeEvents();
  if (due_.empty()) return has_abandoned;
  std::swap(due_, round_);
  for (size_t i = 0; i < round_.size(); ++i) {
    if (round_[i] != nullptr) round_[i]->Read();
  }
  // Answers to what was read just now leave together, those of other links as well.
  round_.insert(round_.end(), due_.begin(), due_.end());
  due_.clear();
  WriteRound();
  return true;
}

/// Links with short messages alone write first, then the others until the round is full: their next
/// turn is in the order of the last one.
void Carrier::WriteRound() {
  for (StreamLink*& link : round_) {
    if (link == nullptr || link->has_long_output()) continue;
    (void)std::exchange(link, nullptr)->Write();
  }
  std::erase(round_, nullptr);
  size_t bytes = 0;
  size_t served = 0;
  while (served < round_.size() && bytes < kWriteBytesPerRound) bytes += round_[served++]->Write();
  due_.insert(due_.begin(), round_.begin() + static_cast<ptrdiff_t>(served), round_.end());
  round_.clear();
}

void Carrier::TakeEvents() {
  std::array<epoll_event, kEventsMax> events;
  const int count = epoll_wait(epoll_fd_, events.data(), kEventsMax, 0);
  for (int i = 0; i < count; ++i) {
    const uint32_t happened = events[static_cast<size_t>(i)].events;
    auto& link = *static_cast<StreamLink*>(events[static_cast<size_t>(i)].data.ptr);
    // An error shows itself to the read that follows.
    link.OnReady((happened & ~uint32_t{EPOLLOUT}) != 0, (happened & EPOLLOUT) != 0,
                 (happened & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
  }
}

void Carrier::MakeDue(StreamLink& link) { due_.push_back(&link); }

void Carrier::Forget(StreamLink& link) {
  std::erase(due_, &link);
  std::ranges::replace(round_, &link, static_cast<StreamLink*>(nullptr));
}

void Carrier::FinishAbandoned() {
  for (fabric::Send* const send : std::exchange(abandoned_, {})) send->Finish(false);
  for (void* const context : std::exchange(unlanded_, {})) receiver_.OnLanded(context, false);
}

}  // namespace stream
