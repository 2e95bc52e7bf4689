#pragma once

#include "files.hpp"
#include "options.hpp"
#include "output.hpp"

namespace sureflash::cli {

/// Whether the command line asks for what one unit after the other does not need: several devices,
/// a record, a table of units.
bool concerns_many(const Options& options);

/// `program --all`, `--watch`, several --device, --record, --units. Returns the exit code: 0 if
/// every unit was proven; else that of the failures, if they all have the same, or 8; 130 if a unit
/// was interrupted. Ctrl-C ends --watch; that alone is no failure.
int program_many(const Options& options, Output& output, const Result<LoadedImage>& loaded);

}  // namespace sureflash::cli
