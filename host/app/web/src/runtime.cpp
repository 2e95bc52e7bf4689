// What libc++ and the compiler want from an operating system that is not there. Their own versions
// of these functions print through stdio first, which would need imports and 15 KB.

#include <cstdint>
#include <cstdlib>
#include <new>

// No memory: the module traps, and JavaScript gets a RuntimeError.
void* operator new(std::size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) __builtin_trap();
  return memory;
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

// A broken precondition inside libc++.
_LIBCPP_BEGIN_NAMESPACE_STD
[[noreturn]] void __libcpp_verbose_abort(const char*, ...) {
  __builtin_trap();
}
_LIBCPP_END_NAMESPACE_STD

extern "C" {

[[noreturn]] void __cxa_pure_virtual();
// A pure virtual function was called.
[[noreturn]] void __cxa_pure_virtual() {
  __builtin_trap();
}

// Debian's compiler-rt is built with stack protection, its wasi-libc is not and lacks these two.
extern const std::uintptr_t __stack_chk_guard;
const std::uintptr_t __stack_chk_guard = 0x5AFEC0DE;
[[noreturn]] void __stack_chk_fail();
void __stack_chk_fail() {
  __builtin_trap();
}

}  // extern "C"
