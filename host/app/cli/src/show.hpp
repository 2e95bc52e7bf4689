#pragma once

#include "output.hpp"

#include "sureflash/image/image.hpp"
#include "sureflash/update/plan.hpp"
#include "sureflash/update/program.hpp"
#include "sureflash/update/target.hpp"

/// Facts as text and as JSON, side by side, so that both say the same.
namespace sureflash::cli {

void show_device(Output& output, const std::string& label, const update::Target& target);
Json to_json(const update::Target& target);

/// All: the sizes of block that were weighed as well, for a dry run.
enum class PlanDetail : std::uint8_t { Usual, All };
void show_plan(Output& output, const update::Plan& plan, PlanDetail detail);
Json to_json(const update::Plan& plan);

void show_image(Output& output, const std::string& file, image::Format format,
                const image::Image& image);
Json to_json(const image::Image& image);

Json to_json(const update::Outcome& outcome);

/// Upper-case hex digits, in the order of memory.
std::string digits(ByteView bytes);

/// "5 sectors", "1 sector".
std::string count(std::uint64_t n, std::string_view thing);

}  // namespace sureflash::cli
