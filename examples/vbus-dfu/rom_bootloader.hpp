#pragma once

/// The way into the USB bootloader that ST put into the system memory of every STM32F105 and F107.
namespace rom_bootloader {

/// To be called first thing after reset, before .data and .bss are there. Returns when the
/// application shall run. Otherwise the ROM has the chip, in the state in which a reset leaves it,
/// but for VTOR.
///
/// The ROM is entered when all of this is so:
/// - A person reset the chip or powered it on (RCC_CSR). The ROM's own ways out, leaving DFU by a
/// jump
///   and giving up by a system reset when there is power on the cable but no host, lead into the
///   application, though the cable is still in.
/// - VBUS is on PA9 for 5 ms. Without it the ROM would not even start its USB (AN2606,
/// section 4.3).
/// - There is a ROM where it should be.
void enter_when_cable_present();

}  // namespace rom_bootloader
