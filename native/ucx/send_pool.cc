#include "ucx/send_pool.h"

namespace ucx {
namespace {

constexpr size_t kIdleListBytesMax = 64 << 10;  // a longer list's memory is given back

}  // namespace

void SendPool::Post(Send& send, Endpoint& endpoint, ucp_mem_h memory) {
  Message message{
      .id = send.id,
      .header = std::span(send.header).first(send.header_bytes_),
      .on_sent = &SendPool::OnSent,
      .user_data = &send,
  };
  if (send.lease) {
    message.data = send.lease.bytes().subspan(send.lease_offset, send.lease_bytes);
    message.memory = memory;
  } else {
    // Receivers take lists and bare headers from the callback alone, never by rendezvous.
    message.data = send.shared_list ? std::span<const std::byte>(*send.shared_list) : send.list;
    message.flags |= UCP_AM_SEND_FLAG_EAGER;
  }
  send.in_flight = true;
  ++in_flight_;
  const ucs_status_ptr_t request = endpoint.Send(message);
  if (!UCS_PTR_IS_PTR(request)) Finish(send, UCS_PTR_STATUS(request));
}

void SendPool::Overdue(uint64_t now_ns, std::vector<uint64_t>& owners) const {
  if (in_flight_ == 0) return;
  for (const Send& send : sends_) {
    if (send.in_flight && send.deadline_ns < now_ns) owners.push_back(send.owner);
  }
}

Send& SendPool::TakeIdle() {
  if (idle_.empty()) {
    Send& send = sends_.emplace_back();
    send.pool = this;
    send.index = static_cast<uint32_t>(sends_.size() - 1);
    return send;
  }
  Send& send = sends_[idle_.back()];
  idle_.pop_back();
  send.tag = 0;
  return send;
}

void SendPool::Finish(Send& send, ucs_status_t status) {
  send.in_flight = false;
  --in_flight_;
  listener_.OnSent(send, status);
  send.list.clear();
  if (send.list.capacity() > kIdleListBytesMax) send.list.shrink_to_fit();
  send.shared_list.reset();
  send.lease.Reset();
  idle_.push_back(send.index);
}

void SendPool::OnSent(void* request, ucs_status_t status, void* user_data) {
  ucp_request_free(request);
  Send& send = *static_cast<Send*>(user_data);
  send.pool->Finish(send, status);
}

}  // namespace ucx
