#!/usr/bin/env bash
# The main job, shown: a firmware for the STM32F105, from its ELF file into a (virtual) chip, with proof.
# Run by `./dev demo`, which builds what is used here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command=build/sureflash
firmware=build/examples/vbus-dfu/vbus-dfu.elf
chip=build/demo/chip.bin
device=sim:stm32f105,clock=real,state=$chip

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
run() {
  printf '%s$ %s%s\n' "$bold" "$*" "$plain"
  "$@"
}

mkdir -p "$(dirname "$chip")"
cat <<TEXT

This programs a small application into an STM32F105 over USB DFU. The firmware is real, built just now
with arm-none-eabi-gcc from examples/vbus-dfu. The chip is a virtual one, in its ROM bootloader, that
takes as long for each erase and each half-word as the data sheet says. It is kept in $chip
between runs.
TEXT

say "1. What is inside the firmware?"
run "$command" image info "$firmware"

say "2. Program it: plan, erase, write, read back, start."
run "$command" program "$firmware" --device "$device" --run --yes

say "3. What does the chip hold now?"
run "$command" verify "$firmware" --device "$device"
run "$command" map --device "$device"

say "Done. Remove $chip for a factory-new chip; \`$command --help\` shows what else there is."
