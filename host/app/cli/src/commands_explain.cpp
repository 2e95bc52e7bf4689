#include "commands.hpp"
#include "failure.hpp"
#include "files.hpp"
#include <fmt/format.h>

#include "sureflash/update/explain_log.hpp"

namespace sureflash::cli {

int explain(const Options& options, Output& output) {
  auto file = read_file(options.file);
  if (!file) return report(output, file.error());
  const auto reading =
      update::explain_log({reinterpret_cast<const char*>(file->data()), file->size()});
  Json story = Json::array();
  for (const update::LoggedEvent& event : reading.story) {
    output.line(fmt::format("line {:<4} {}\n          {}", event.line, event.text, event.words));
    story.push_back({{"line", event.line}, {"text", event.text}, {"words", event.words}});
  }
  if (story.empty()) output.line("nothing in this log is known");
  Json findings = Json::array();
  for (const update::Finding& f : reading.findings) {
    output.show(f);
    findings.push_back(to_json(f));
  }
  output.result("explain", {{"program", reading.program},
                            {"story", std::move(story)},
                            {"findings", std::move(findings)}});
  return 0;
}

}  // namespace sureflash::cli
