#pragma once

#include <cstdio>
#include <cstdlib>

/// Always on. For memory safety and thread ownership: a failure means that continuing would read or
/// write another owner's bytes. Never for what comes from a network or a disk.
#define CHECK(condition)                                                                 \
  do {                                                                                   \
    if (!(condition)) [[unlikely]] {                                                     \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)
