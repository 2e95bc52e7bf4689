// The reader of recorded sessions: what it accepts can be explained, written and read again alike.

#include <string_view>

#include "fuzz.hpp"

#include "sureflash/transport/trace/explain.hpp"
#include "sureflash/transport/trace/trace.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sureflash;
  namespace trace = transport::trace;
  const auto read = trace::parse({reinterpret_cast<const char*>(data), size});
  if (!read) return 0;
  trace::Explainer explainer;
  std::string text(trace::kHeader);
  for (const trace::Entry& entry : read->entries) {
    fuzz::require(!explainer.explain(entry).empty(), "every step can be explained");
    text += trace::format(entry);
  }
  const auto again = trace::parse(text);
  fuzz::require(again.has_value(), "what was written can be read");
  fuzz::require(again->entries == read->entries, "and is the same");
  return 0;
}
