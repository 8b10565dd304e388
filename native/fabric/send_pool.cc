#include "fabric/send_pool.h"

namespace fabric {
namespace {

constexpr size_t kIdleListBytesMax = 64 << 10;  // a longer list's memory is given back

}  // namespace

std::span<const std::byte> Send::data() const {
  if (lease) return lease.bytes().subspan(lease_offset, lease_bytes);
  return shared_list ? std::span<const std::byte>(*shared_list) : list;
}

void Send::Begin() {
  in_flight_ = true;
  ++pool_->in_flight_;
}

void Send::Finish(bool is_sent) { pool_->Finish(*this, is_sent); }

void SendPool::Overdue(uint64_t now_ns, std::vector<uint64_t>& owners) const {
  if (in_flight_ == 0) return;
  for (const Send& send : sends_) {
    if (send.in_flight_ && send.deadline_ns < now_ns) owners.push_back(send.owner);
  }
}

Send& SendPool::TakeIdle() {
  if (idle_.empty()) {
    Send& send = sends_.emplace_back();
    send.pool_ = this;
    send.index_ = static_cast<uint32_t>(sends_.size() - 1);
    return send;
  }
  Send& send = sends_[idle_.back()];
  idle_.pop_back();
  send.tag = 0;
  return send;
}

void SendPool::Finish(Send& send, bool is_sent) {
  send.in_flight_ = false;
  --in_flight_;
  listener_.OnSent(send, is_sent);
  send.list.clear();
  if (send.list.capacity() > kIdleListBytesMax) send.list.shrink_to_fit();
  send.shared_list.reset();
  send.lease.Reset();
  idle_.push_back(send.index_);
}

}  // namespace fabric
