#pragma once

#include "fabric/link.h"
#include "ucx/handles.h"

namespace ucx {

/// Lists go eagerly, a lease as UCX chooses (`memory` is its registration, or null). Finishes
/// `send` from within the call, or from Worker::Progress().
void Post(fabric::Send& send, Endpoint& endpoint, ucp_mem_h memory);

/// A link over an endpoint of UCX.
class UcxLink final : public fabric::Link {
 public:
  UcxLink(Endpoint endpoint, ucp_mem_h memory) : endpoint_(std::move(endpoint)), memory_(memory) {}

  void Post(fabric::Send& send) override { ucx::Post(send, endpoint_, memory_); }
  [[nodiscard]] std::string Transport() const override;

  [[nodiscard]] ucp_ep_h handle() const { return endpoint_.handle(); }

 private:
  Endpoint endpoint_;
  ucp_mem_h memory_;
};

}  // namespace ucx
