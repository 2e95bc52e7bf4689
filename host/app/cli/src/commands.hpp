#pragma once

#include "options.hpp"

/// One function for each subcommand; each returns the exit code.
namespace sureflash::cli {

int list(const Options& options, Output& output);
int info(const Options& options, Output& output);
int map(const Options& options, Output& output);
int read(const Options& options, Output& output);
int erase(const Options& options, Output& output);
int program(const Options& options, Output& output);
int verify(const Options& options, Output& output);
int run_program(const Options& options, Output& output);
int explain(const Options& options, Output& output);
int doctor(const Options& options, Output& output);
int options_show(const Options& options, Output& output);
int options_set(const Options& options, Output& output);
int unprotect_write(const Options& options, Output& output);
int unprotect_read(const Options& options, Output& output);
int image_info(const Options& options, Output& output);
int image_convert(const Options& options, Output& output);
int setup(const Options& options, Output& output);
int trace_show(const Options& options, Output& output);
int sim_serve(const Options& options, Output& output);
int sim_run(const Options& options, Output& output);
int sim_list(const Options& options, Output& output);

}  // namespace sureflash::cli
