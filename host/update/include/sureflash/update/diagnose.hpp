#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sureflash/base/task.hpp"
#include "sureflash/update/evidence.hpp"

/// Names the cause of a failure, shows the evidence, says what to do.
namespace sureflash::update {

/// What to do about an error when nothing more is known than the error. Every Errc has an entry.
struct Remedy {
  /// One sentence; "none known" where there is none.
  std::string_view hint;
  /// Page under docs/, or empty.
  std::string_view page;
};
Remedy remedy(const Error& error);

enum class Certainty : std::uint8_t { Possible, Likely, Certain };
std::string_view name(Certainty certainty);

enum class Severity : std::uint8_t {
  Note,     ///< worth knowing; nothing is wrong
  Problem,  ///< in the way of an update
};
std::string_view name(Severity severity);

/// One cause that explains what was seen.
struct Finding {
  std::string_view id;  ///< stable: "cubemx-skeleton"
  Certainty certainty = Certainty::Possible;
  std::string headline;
  std::vector<std::string> evidence;
  std::vector<std::string> what_to_do;
  std::string_view page;  ///< under docs/
  Severity severity = Severity::Problem;
};

/// One cause that can be named: one file in src/causes.
struct Cause {
  std::string_view id;
  std::string_view page;
  /// Argues from the evidence alone. nullopt: this cause does not explain what was seen.
  std::optional<Finding> (*look)(const Evidence&);
};
std::span<const Cause* const> causes();

/// All causes that explain the evidence: problems before notes, surest first.
std::vector<Finding> find_causes(const Evidence& evidence);

/// Gathers evidence after a failure and names the causes; notes are left out. Only reads from the
/// device, and only if it is still there. Never fails: what cannot be read is not evidence.
Task<std::vector<Finding>> diagnose(const Target& target, const Error& error,
                                    const Observations& observations);

}  // namespace sureflash::update
