#pragma once

#include <cstdint>

/// The registers this application uses, spelled as in their manuals.
/// RM0008: STM32F101xx … STM32F107xx reference manual. PM0056: STM32F10xxx Cortex-M3 programming
/// manual.
namespace stm32f105 {

using Register = volatile std::uint32_t;

/// Reset and clock control of connectivity line devices. Source: RM0008, section 8.3.
struct Rcc {
  Register CR;        ///< 0x00, 8.3.1
  Register CFGR;      ///< 0x04, 8.3.2
  Register CIR;       ///< 0x08, 8.3.3
  Register APB2RSTR;  ///< 0x0C, 8.3.4
  Register APB1RSTR;  ///< 0x10, 8.3.5
  Register AHBENR;    ///< 0x14, 8.3.6
  Register APB2ENR;   ///< 0x18, 8.3.7
  Register APB1ENR;   ///< 0x1C, 8.3.8
  Register BDCR;      ///< 0x20, 8.3.9
  Register CSR;       ///< 0x24, 8.3.10
};

inline constexpr std::uint32_t kRccCrHsiOn = 1U << 0;
inline constexpr std::uint32_t kRccCrHsiReady = 1U << 1;
inline constexpr std::uint32_t kRccCrHseOn = 1U << 16;
inline constexpr std::uint32_t kRccCrCssOn = 1U << 19;
inline constexpr std::uint32_t kRccCrPllOn = 1U << 24;
inline constexpr std::uint32_t kRccCrPll2On = 1U << 26;
inline constexpr std::uint32_t kRccCrPll3On = 1U << 28;

inline constexpr std::uint32_t kRccCfgrSwsMask = 3U << 2;

inline constexpr std::uint32_t kRccApb2IoPortA = 1U << 2;
inline constexpr std::uint32_t kRccApb2IoPortC = 1U << 4;

inline constexpr std::uint32_t kRccCsrRmvf = 1U << 24;      ///< clears the flags below
inline constexpr std::uint32_t kRccCsrPinRstF = 1U << 26;   ///< NRST pin; set by every reset
inline constexpr std::uint32_t kRccCsrPorRstF = 1U << 27;   ///< power on or power down
inline constexpr std::uint32_t kRccCsrSftRstF = 1U << 28;   ///< software
inline constexpr std::uint32_t kRccCsrIwdgRstF = 1U << 29;  ///< independent watchdog
inline constexpr std::uint32_t kRccCsrWwdgRstF = 1U << 30;  ///< window watchdog
inline constexpr std::uint32_t kRccCsrLpwrRstF = 1U << 31;  ///< low-power management

/// General-purpose I/O port. Source: RM0008, section 9.2.
struct Gpio {
  Register CRL;   ///< 0x00, 9.2.1: pins 0 … 7, 4 bits each: CNF[1:0] MODE[1:0]
  Register CRH;   ///< 0x04, 9.2.2: pins 8 … 15
  Register IDR;   ///< 0x08, 9.2.3
  Register ODR;   ///< 0x0C, 9.2.4
  Register BSRR;  ///< 0x10, 9.2.5
  Register BRR;   ///< 0x14, 9.2.6
  Register LCKR;  ///< 0x18, 9.2.7
};

/// CNF and MODE of one pin. Source: RM0008, tables 20 and 21.
inline constexpr std::uint32_t kGpioFloatingInput = 0b0100;
inline constexpr std::uint32_t kGpioPushPullOutput2MHz = 0b0010;

/// System timer. Source: PM0056, section 4.5.
struct SysTick {
  Register CTRL;   ///< 0x00, 4.5.1
  Register LOAD;   ///< 0x04, 4.5.2
  Register VAL;    ///< 0x08, 4.5.3: any write clears it and COUNTFLAG
  Register CALIB;  ///< 0x0C, 4.5.4
};

inline constexpr std::uint32_t kSysTickEnable = 1U << 0;
inline constexpr std::uint32_t kSysTickTickInt = 1U << 1;
inline constexpr std::uint32_t kSysTickProcessorClock = 1U << 2;
inline constexpr std::uint32_t kSysTickCountFlag = 1U << 16;

/// Nested vectored interrupt controller: one bit per interrupt line. Source: PM0056, section 4.3.
struct InterruptLines {
  Register words[3];  ///< lines 0 … 67
};

/// Interrupt control and state register. Source: PM0056, section 4.4.3.
inline constexpr std::uint32_t kIcsrAddress = 0xE000ED04;
inline constexpr std::uint32_t kIcsrPendStClr = 1U << 25;

/// Vector table offset register. Source: PM0056, section 4.4.4. Also named in rom_bootloader.cpp,
/// in assembler.
inline constexpr std::uint32_t kVtorAddress = 0xE000ED08;

template <class T>
T& at(std::uint32_t address) {
  return *reinterpret_cast<T*>(address);
}

/// Source: RM0008, section 3.3, table 3.
inline Rcc& rcc() {
  return at<Rcc>(0x40021000);
}
inline Gpio& gpio_a() {
  return at<Gpio>(0x40010800);
}
inline Gpio& gpio_c() {
  return at<Gpio>(0x40011000);
}
/// ICER disables, ICPR forgets what is pending. Source: PM0056, sections 4.3.3 and 4.3.5.
inline InterruptLines& nvic_icer() {
  return at<InterruptLines>(0xE000E180);
}
inline InterruptLines& nvic_icpr() {
  return at<InterruptLines>(0xE000E280);
}
/// Source: PM0056, section 4.5.
inline SysTick& systick() {
  return at<SysTick>(0xE000E010);
}

}  // namespace stm32f105
