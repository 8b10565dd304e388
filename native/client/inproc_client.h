#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "client/client.h"
#include "engine/engine.h"
#include "memory/arena.h"

// The Client without UCX: the target's engine in this process, on the caller's thread. Answers pass
// the same checks as those from the wire. Every target that is added is this one engine.
namespace client {

struct InprocClientOptions {
  engine::EngineOptions engine;
  uint64_t simulated_latency_ns =
      0;                         // an answer is held back until this long after it was asked for
  uint32_t requests_max = 4096;  // in flight, at most 65535; more complete with overload
};

/// Makes the engine; only tests give another than engine::Engine::Create.
using EngineFactory = std::function<std::unique_ptr<engine::Engine>(
    memory::Arena& arena, engine::ReadSink& sink, std::string& error)>;

class InprocClient : public Client {
 public:
  /// Nothing when the engine cannot be had; `error` says why. The arena must outlive the client.
  [[nodiscard]] static std::unique_ptr<InprocClient> Create(const InprocClientOptions& options,
                                                            memory::Arena& arena,
                                                            std::string& error);
  [[nodiscard]] static std::unique_ptr<InprocClient> Create(const InprocClientOptions& options,
                                                            const EngineFactory& engine,
                                                            memory::Arena& arena,
                                                            std::string& error);

  /// See engine::Engine::Confirm.
  virtual void Confirm(uint64_t started_ns, std::span<const engine::ServedVolume> served) = 0;
  [[nodiscard]] virtual engine::EngineStats engine_stats() const = 0;
};

}  // namespace client
