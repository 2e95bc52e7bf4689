#pragma once

#include "sureflash/sim/model/profiles.hpp"

/// What profiles there are and which keys they take: the help of `sureflash sim list`, and what a
/// device specification is checked against.
namespace sureflash::sim {

inline constexpr KeyHelp kCommonKeys[] = {
    {"state", "FILE", "", "keep the chip in FILE between runs"},
    {"clock", "virtual|real", "virtual", "whether waits take wall time"},
    {"seed", "N", "0", "unique id, noise, and whatever is left to chance"},
    {"times", "min|typ|max|none", "typ",
     "which data sheet times the flash has; none: faster than any silicon"},
    {"fill", "blank|app|noise|interrupted", "", "what a new chip's flash holds"},
    {"flash", "KIB", "", "KiB of flash (default: the largest member)"},
    {"wrp", "SECTORS", "", "write-protected sectors, as in 0-3;8"},
    {"rdp", "0|1", "0", "read protection"},
    {"fault", "FAULTS", "", "as in stall@12+cut-during@100; see README"},
    {"leave", "answer|vanish|error", "answer",
     "whether the last GETSTATUS is answered; error (ROMs): with one, and the program starts all "
     "the same"},
    {"option-bytes", "HEX", "", "all of them, complements included, as somebody left them"},
};
inline constexpr KeyHelp kRomKeys[] = {
    {"app", "stays|returns|resets", "stays",
     "what the application does: runs, jumps back to the ROM at once, or is reset soon"},
    {"enter", "boot0|jump|empty|loader", "boot0",
     "what brings the ROM's protocol up: the pin, code of the application, the empty check, a "
     "loader in flash"},
    {"checked", "BYTES", "0",
     "jump, loader: so much of the application, with its CRC-32 in the last 4 bytes, must be "
     "whole; "
     "0: a plausible vector table will do"},
    {"rom", "1.0|2.0|2.1|2.2", "2.2", "version of the boot loader"},
    {"boot0", "0|1", "1", "the BOOT0 pin; 0 starts the application (default with runtime=1)"},
    {"runtime", "0|1", "0", "an application at 0x08000000 that offers DFU_DETACH"},
    {"detach", "will|reset", "will", "DETACH: leaves by itself, or waits for a bus reset"},
    {"poll", "version|datasheet|N", "version", "bwPollTimeout in ms (100, 0, …)"},
    {"held", "0|1|strict|later", "1",
     "GETSTATUS while busy: NAKed (1), answered (0), refused before (strict) or after (later) the "
     "poll time"},
    {"mass-erase", "rom|works|refused|ignored|half", "rom", "what a mass erase does"},
    {"block-address", "wtransfersize|wlength", "wtransfersize", "what block numbers count in"},
    {"rdp-at", "access|set-address", "access", "where read protection refuses"},
    {"rom-read", "0|1", "1", "whether UPLOAD reads system memory"},
    {"end", "stall|short", "stall", "UPLOAD across the end of a memory"},
    {"pointer", "keep|reset", "keep", "the address pointer at SET_INTERFACE"},
    {"poison", "0|1", "1", "one misaligned write spoils the following"},
    {"functional", "last|each", "last",
     "after which interface descriptors the functional one stands"},
    {"found", "idle|error|dnbusy|upload-idle", "idle", "the state that another program left"},
    {"layout", "TEXT", "", "layout of the flash as the device states it; ';' stands for ','"},
    {"usb-id", "VID:PID", "", "as of a clone: 28e9:0189 (GD32), 2e3c:df11 (AT32)"},
    {"transfer-size", "N", "", "wTransferSize, instead of the ROM's own"},
};
inline constexpr KeyHelp kChipKeys[] = {
    {"app", "stays|returns|resets", "stays",
     "what the application does: runs, jumps back to the ROM at once, or is reset soon"},
    {"enter", "boot0|jump|empty|loader", "boot0",
     "what brings the ROM's protocol up: the pin, code of the application, the empty check, a "
     "loader in flash"},
    {"checked", "BYTES", "0",
     "jump, loader: so much of the application, with its CRC-32 in the last 4 bytes, must be "
     "whole; "
     "0: a plausible vector table will do"},
    {"boot0", "0|1", "1", "the BOOT0 pin; 0 starts the application (default with runtime=1)"},
    {"runtime", "0|1", "0", "an application at 0x08000000 that offers DFU_DETACH"},
    {"detach", "will|reset", "will", "DETACH: leaves by itself, or waits for a bus reset"},
    {"poll", "rom|datasheet|N", "rom", "bwPollTimeout in ms (100, 0, …)"},
    {"held", "rom|0|1|strict|later", "rom",
     "GETSTATUS while busy: NAKed (1), answered (0), refused before (strict) or after (later) the "
     "poll time"},
    {"block-address", "wtransfersize|wlength", "wtransfersize", "what block numbers count in"},
    {"rdp-at", "access|set-address", "access", "where read protection refuses"},
    {"rom-read", "0|1", "1", "whether UPLOAD reads system memory"},
    {"end", "stall|short", "stall", "UPLOAD across the end of a memory"},
    {"pointer", "keep|reset", "keep", "the address pointer at SET_INTERFACE"},
    {"poison", "0|1", "1", "one misaligned write spoils the following"},
    {"functional", "last|each", "last",
     "after which interface descriptors the functional one stands"},
    {"mass-erase", "rom|works|refused|ignored|half", "rom", "what a mass erase does"},
    {"rom-id", "N", "", "which of its ROM identifiers (0, 1)"},
    {"layout", "TEXT", "", "layout of the flash as the device states it; ';' stands for ','"},
    {"usb-id", "VID:PID", "", "as of a clone: 28e9:0189 (GD32), 2e3c:df11 (AT32)"},
    {"banks", "usual|other", "usual",
     "how its flash is divided, where option bytes can change that"},
    {"without", "QUIRKS", "", "the ROM without some of its quirks (docs/chips.md), joined by +"},
    {"clr-status", "rom|stalls|idle", "rom",
     "CLRSTATUS in an idle state: stalled, or leads to dfuIDLE"},
    {"ob-read", "0|1", "1", "whether UPLOAD reads the option bytes"},
    {"sfsa", "PAGE", "", "STM32WB: first page of the wireless stack (default: the FUS alone)"},
    {"secure-read", "zeros|refused|content", "zeros", "STM32WB: UPLOAD of the wireless stack"},
    {"variant", "0|1", "0", "gd32vf103: loader with bcdDevice 1000, or the one with 0100"},
    {"found", "rom|idle", "rom", "gd32vf103: the state it is found in, dfuERROR or dfuIDLE"},
    {"unprotect", "rom|idle-resets", "rom",
     "AT32: Read Unprotect, answered dfuDNLOAD-IDLE, also resets"},
    {"transfer-size", "N", "", "wTransferSize, instead of the ROM's own"},
};
inline constexpr KeyHelp kCubeKeys[] = {
    {"middleware", "2.5.3|2.11.3", "2.5.3", "release of ST's USB device library"},
    {"layout", "TEXT", "no. 34", "the interface string; media = \"DFU MEDIA\"; ';' stands for ','"},
    {"product", "TEXT", "", "the product string, as a maker may have set it"},
    {"found", "idle|state-15", "idle", "the state that another program left"},
};
inline constexpr KeyHelp kExampleKeys[] = {
    {"found", "idle|state-15", "idle", "the state that another program left"},
    {"middleware", "2.5.3|2.11.3", "2.5.3", "release of ST's USB device library"},
    {"button", "0|1", "1", "the key that holds it in DFU mode at power-on"},
};
inline constexpr KeyHelp kPlainKeys[] = {
    {"runtime", "0|1", "0", "starts as application with a DFU run-time interface"},
    {"detach", "will|reset", "will", "DETACH: leaves by itself, or waits for a bus reset"},
    {"tolerant", "0|1", "0", "bitManifestationTolerant"},
    {"held", "0|1", "0", "GETSTATUS while busy: NAKed, or an error"},
    {"poll", "exact|N", "exact", "bwPollTimeout in ms"},
};
inline constexpr ProfileHelp kProfiles[] = {
    {"stm32f105", "STM32F105 in its ROM boot loader (DfuSe)", kRomKeys},
    {"cubemx-skeleton", "CubeMX USB DFU code without flash functions: stores nothing", kCubeKeys},
    {"st-f107-example", "ST's F107 DFU_Standalone: every erase erases everything", kExampleKeys},
    {"dfu11", "a DFU 1.1 device by the book, without DfuSe", kPlainKeys},
};

}  // namespace sureflash::sim
