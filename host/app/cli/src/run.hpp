#pragma once

#include <string>
#include <vector>

#include "output.hpp"

namespace sureflash::cli {

/// The whole command, without a process around it. `arguments` without the program's name.
/// Returns the exit code.
int run(const std::vector<std::string>& arguments, const Streams& streams);

/// run() with the streams of this process; installs the handler for Ctrl-C.
int main(int argc, char** argv);

}  // namespace sureflash::cli
