#include "commands.hpp"
#include "failure.hpp"
#include "files.hpp"
#include <fmt/format.h>

#include "sureflash/transport/trace/explain.hpp"

namespace sureflash::cli {

int trace_show(const Options& options, Output& output) {
  auto file = read_file(options.file);
  if (!file) return report(output, file.error());
  auto trace = transport::trace::parse({reinterpret_cast<const char*>(file->data()), file->size()});
  if (!trace) return report(output, trace.error());
  for (const std::string& comment : trace->comments) output.line("# " + comment);
  transport::trace::Explainer explainer;
  for (const transport::trace::Entry& entry : trace->entries) {
    const std::string text = explainer.explain(entry);
    const double seconds = std::chrono::duration<double>(entry.answer.time).count();
    output.line(fmt::format("{:>11.6f}  {}", seconds, text));
    output.event("step", {{"line", entry.line}, {"time_s", seconds}, {"text", text}});
  }
  output.result("trace show", {{"steps", trace->entries.size()}});
  return 0;
}

}  // namespace sureflash::cli
