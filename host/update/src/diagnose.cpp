#include "sureflash/update/diagnose.hpp"

#include <algorithm>

namespace sureflash::update {

std::vector<Finding> find_causes(const Evidence& evidence) {
  std::vector<Finding> findings;
  for (const Cause* cause : causes()) {
    auto finding = cause->look(evidence);
    if (!finding) continue;
    finding->id = cause->id;
    finding->page = cause->page;
    findings.push_back(*std::move(finding));
  }
  std::ranges::stable_sort(findings, [](const Finding& a, const Finding& b) {
    return std::pair(a.severity, a.certainty) > std::pair(b.severity, b.certainty);
  });
  return findings;
}

Task<std::vector<Finding>> diagnose(const Target& target, const Error& error,
                                    const Observations& observations) {
  const Evidence evidence = co_await gather(target, &error, observations);
  std::vector<Finding> findings = find_causes(evidence);
  std::erase_if(findings, [](const Finding& f) { return f.severity == Severity::Note; });
  co_return findings;
}

}  // namespace sureflash::update
