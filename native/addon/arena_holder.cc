#include "addon/arena_holder.h"

#include <utility>

namespace addon {

Napi::ArrayBuffer ArenaBuffer(Napi::Env env, std::shared_ptr<ArenaHolder> holder) {
  const std::span<std::byte> span = holder->arena->span();
  const auto let_go = [](Napi::BasicEnv, void*, std::shared_ptr<ArenaHolder>* held) {
    delete held;
  };
  return Napi::ArrayBuffer::New(env, static_cast<void*>(span.data()), span.size(), let_go,
                                new std::shared_ptr<ArenaHolder>(std::move(holder)));
}

}  // namespace addon
