#include "ucx/ucx_link.h"

#include "ucx/transport.h"

namespace ucx {
namespace {

void OnSent(void* request, ucs_status_t status, void* user_data) {
  ucp_request_free(request);
  static_cast<fabric::Send*>(user_data)->Finish(status == UCS_OK);
}

}  // namespace

void Post(fabric::Send& send, Endpoint& endpoint, ucp_mem_h memory) {
  Message message{
      .id = send.id(),
      .header = send.header(),
      .data = send.data(),
      .on_sent = OnSent,
      .user_data = &send,
  };
  // Receivers take lists and bare headers from the callback alone, never by rendezvous.
  if (send.lease) {
    message.memory = memory;
  } else {
    message.flags |= UCP_AM_SEND_FLAG_EAGER;
  }
  send.Begin();
  const ucs_status_ptr_t request = endpoint.Send(message);
  if (!UCS_PTR_IS_PTR(request)) send.Finish(UCS_PTR_STATUS(request) == UCS_OK);
}

std::string UcxLink::Transport() const { return MessageTransport(endpoint_); }

}  // namespace ucx
