#include "ucx/library_calls.h"

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

namespace ucx {
namespace {

/// The parts of a loaded library's dynamic section that are needed here.
struct Dynamic {
  const ElfW(Sym) * symbols = nullptr;
  const char* names = nullptr;
  const ElfW(Rela) * relocations = nullptr;  // of data
  size_t relocation_bytes = 0;
  const ElfW(Rela) * calls = nullptr;  // of functions
  size_t call_bytes = 0;
};

Dynamic ReadDynamic(const dl_phdr_info& library, const ElfW(Phdr) & header) {
  Dynamic dynamic;
  const auto base = library.dlpi_addr;
  // glibc writes addresses there, other loaders leave them relative.
  const auto at = [base](ElfW(Addr) value) { return value < base ? base + value : value; };
  for (const auto* each = reinterpret_cast<const ElfW(Dyn)*>(base + header.p_vaddr);
       each->d_tag != DT_NULL; ++each) {
    switch (each->d_tag) {
      case DT_SYMTAB:
        dynamic.symbols = reinterpret_cast<const ElfW(Sym)*>(at(each->d_un.d_ptr));
        break;
      case DT_STRTAB:
        dynamic.names = reinterpret_cast<const char*>(at(each->d_un.d_ptr));
        break;
      case DT_RELA:
        dynamic.relocations = reinterpret_cast<const ElfW(Rela)*>(at(each->d_un.d_ptr));
        break;
      case DT_RELASZ:
        dynamic.relocation_bytes = each->d_un.d_val;
        break;
      case DT_JMPREL:
        dynamic.calls = reinterpret_cast<const ElfW(Rela)*>(at(each->d_un.d_ptr));
        break;
      case DT_PLTRELSZ:
        dynamic.call_bytes = each->d_un.d_val;
        break;
      default:
        break;
    }
  }
  return dynamic;
}

bool IsWithin(uintptr_t address, uintptr_t start, size_t bytes) {
  return address >= start && address - start < bytes;
}

/// Returns what stood there; nullptr: the page stays read-only.
void* ExchangeSlot(const dl_phdr_info& library, uintptr_t slot, void* function) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  bool is_read_only = false;  // since the library was loaded
  for (size_t i = 0; i < library.dlpi_phnum; ++i) {
    const ElfW(Phdr) & header = library.dlpi_phdr[i];
    is_read_only |= header.p_type == PT_GNU_RELRO &&
                    IsWithin(slot, library.dlpi_addr + header.p_vaddr, header.p_memsz);
  }
  void* const start = reinterpret_cast<void*>(slot & ~(page - 1));
  if (is_read_only && mprotect(start, page, PROT_READ | PROT_WRITE) != 0) return nullptr;
  void* const before =
      __atomic_exchange_n(reinterpret_cast<void**>(slot), function, __ATOMIC_ACQ_REL);
  if (is_read_only) (void)mprotect(start, page, PROT_READ);
  return before;
}

struct Wanted {
  std::string_view library;
  std::string_view function;
  void* replacement;
  void* before = nullptr;
};

void Redirect(const dl_phdr_info& library, const Dynamic& dynamic, const ElfW(Rela) * rows,
              size_t bytes, Wanted& wanted) {
  for (size_t i = 0; rows != nullptr && i < bytes / sizeof(ElfW(Rela)); ++i) {
    const size_t symbol = ELF64_R_SYM(rows[i].r_info);
    if (symbol == 0) continue;
    const char* const name = dynamic.names + dynamic.symbols[symbol].st_name;
    if (name != wanted.function) continue;
    const uintptr_t slot = library.dlpi_addr + rows[i].r_offset;
    wanted.before = ExchangeSlot(library, slot, wanted.replacement);
  }
}

int RedirectIfNamed(dl_phdr_info* library, size_t, void* arg) {
  auto& wanted = *static_cast<Wanted*>(arg);
  const std::string_view path = library->dlpi_name == nullptr ? "" : library->dlpi_name;
  if (path.find(wanted.library) == std::string_view::npos) return 0;
  for (size_t i = 0; i < library->dlpi_phnum; ++i) {
    if (library->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const Dynamic dynamic = ReadDynamic(*library, library->dlpi_phdr[i]);
    if (dynamic.symbols == nullptr || dynamic.names == nullptr) return 0;
    Redirect(*library, dynamic, dynamic.relocations, dynamic.relocation_bytes, wanted);
    Redirect(*library, dynamic, dynamic.calls, dynamic.call_bytes, wanted);
  }
  return 0;
}

}  // namespace

void* RedirectCalls(std::string_view library, std::string_view function, void* replacement) {
  Wanted wanted{.library = library, .function = function, .replacement = replacement};
  dl_iterate_phdr(RedirectIfNamed, &wanted);
  return wanted.before;
}

}  // namespace ucx
