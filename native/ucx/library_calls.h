#pragma once

#include <string_view>

namespace ucx {

/// Makes the calls of a loaded library to a function of another one go to `replacement`, which has
/// the same signature. Returns what they went to; nullptr: the library is not loaded, or calls it
/// in a way that is not known.
/// @param library a part of its file's name
void* RedirectCalls(std::string_view library, std::string_view function, void* replacement);

}  // namespace ucx
