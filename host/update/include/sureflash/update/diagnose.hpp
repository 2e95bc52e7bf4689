#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sureflash/base/task.hpp"
#include "sureflash/update/program.hpp"
#include "sureflash/update/target.hpp"

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

/// One cause that explains what was seen.
struct Finding {
  std::string_view id;  ///< stable: "cubemx-skeleton"
  Certainty certainty = Certainty::Possible;
  std::string headline;
  std::vector<std::string> evidence;
  std::vector<std::string> what_to_do;
  std::string_view page;  ///< under docs/
};

/// Looks for causes after a failure, worst and surest first. Only reads from the device, and only
/// if it is still there. Never fails: what cannot be read is not evidence.
Task<std::vector<Finding>> diagnose(const Target& target, const Error& error,
                                    const Observations& observations);

}  // namespace sureflash::update
