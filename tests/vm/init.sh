#!/bin/sh
# The whole system of the guest. Every step says what it proves; the last line is PASS or FAIL.
export PATH=/bin:/usr/bin:/sbin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
trap 'echo "FAIL: init ended"; poweroff -f' EXIT

fail() {
  echo "FAIL: $*"
  dmesg | tail -n 40
  trap - EXIT
  poweroff -f
}
modules() { for m in "$@"; do insmod "/modules/$m.ko" || fail "module $m"; done; }
# Waits until N bootloaders are there, at most 60 s.
wait_for() {
  tries=0
  while [ "$(grep -l df11 /sys/bus/usb/devices/*/idProduct 2>/dev/null | wc -l)" != "$1" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "no device"
    usleep 100000
  done
}
# Programs the device at a port with dfu-util, reads it back, compares.
program() {
  dfu-util -p "$1" -a 0 -s 0x08000000 -D /fw1.bin >/down.log 2>&1 || { cat /down.log; fail "download at $1"; }
  rm -f /back.bin
  dfu-util -p "$1" -a 0 -s "0x08000000:$(stat -c %s /fw1.bin)" -U /back.bin >/up.log 2>&1 ||
    { cat /up.log; fail "upload at $1"; }
  cmp /fw1.bin /back.bin || fail "what was read at $1 is something else"
}
# our STATUS ARGUMENTS: sureflash must end with this status.
our() {
  wanted=$1
  shift
  sureflash "$@" >/our.log 2>&1
  status=$?
  [ "$status" = "$wanted" ] || { cat /our.log; fail "sureflash $*: exit code $status, not $wanted"; }
}
# The same with sureflash, by another file; the plug comes out of the first attempt.
our_cut() {
  our 8 program /fw2.bin --base 0x08000000 --data -d "$1"
  grep -q "the device left the bus" /our.log || { cat /our.log; fail "sureflash says something else"; }
  grep -q "^erasing" /our.log || { cat /our.log; fail "this was too early"; }
  if grep -q "^verifying" /our.log; then cat /our.log; fail "this was too late"; fi
}
our_program() {
  our 0 program /fw2.bin --base 0x08000000 --data -d "$1"
  our 0 verify /fw2.bin --base 0x08000000 -d "$1"
  rm -f /back.bin
  our 0 read /back.bin --size "$(stat -c %s /fw2.bin)" -d "$1"
  cmp /fw2.bin /back.bin || fail "what sureflash read at $1 is something else"
}
# The kernel's own driver reads and writes a serial port that echoes.
serial() {
  tries=0
  until [ -c "$1" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "no $1"
    usleep 100000
  done
  stty -F "$1" raw -echo || fail "stty $1"
  rm -f /echo.bin
  cat "$1" >/echo.bin &
  reader=$!
  head -c 20000 /fw1.bin >/sent.bin
  cat /sent.bin >"$1"
  tries=0
  while [ "$(stat -c %s /echo.bin)" -lt 20000 ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || fail "only $(stat -c %s /echo.bin) bytes came back from $1"
    usleep 100000
  done
  kill "$reader"
  cmp /sent.bin /echo.bin || fail "something else came back from $1"
}
port() { grep -l df11 /sys/bus/usb/devices/*/idProduct | head -n 1 | cut -d/ -f6; }

modules usb-common usbcore xhci-hcd xhci-pci
wait_for 1
echo "usbredir: the kernel enumerates the device: $(cat "/sys/bus/usb/devices/$(port)/product")"
# The plug is out in mid-write, and in again a second later.
if dfu-util -p "$(port)" -a 0 -s 0x08000000 -D /fw1.bin >/down.log 2>&1; then fail "the plug was not pulled"; fi
echo "usbredir: unplugged in mid-write: dfu-util fails"
wait_for 0
wait_for 1
program "$(port)"
echo "usbredir: plugged in again, programmed, read back, equal"
our 0 list
grep -q "^$(port) .*0483:df11  DFU mode" /our.log || { cat /our.log; fail "sureflash list"; }
our_cut "$(port)"
echo "usbredir: unplugged while flash is changed: sureflash says so"
wait_for 0
wait_for 1
our_program "$(port)"
echo "usbredir: plugged in again: sureflash programs, verifies, reads"

modules cdc-acm
serial /dev/ttyACM0
echo "usbredir: the kernel's serial driver gets back what it sends"

modules e1000 usbip-core vhci-hcd
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up || fail "network"
# Attaches the device of the server, which may be away for a second; prints nothing.
attach() {
  tries=0
  until usbip --tcp-port "$USBIP_PORT" attach -r 10.0.2.2 -b 1-1 >/usbip.log 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 20 ] || { cat /usbip.log; fail "usbip attach"; }
    sleep 1
  done
  wait_for 2
  remote=$(cd /sys/bus/usb/devices && for d in *; do
    if grep -q df11 "$d/idProduct" 2>/dev/null && readlink -f "$d" | grep -q vhci; then echo "$d"; fi; done)
  [ -n "$remote" ] || fail "not below vhci"
}
attach
echo "usbip: attached as $remote"
program "$remote"
echo "usbip: programmed, read back, equal"
our_cut "$remote"
echo "usbip: unplugged while flash is changed: sureflash says so"
wait_for 1
attach
our_program "$remote"
echo "usbip: attached again: sureflash programs, verifies, reads"
usbip --tcp-port "$USBIP_PORT" attach -r 10.0.2.2 -b 1-2 >/usbip.log 2>&1 || { cat /usbip.log; fail "attach 1-2"; }
serial /dev/ttyACM1
echo "usbip: the kernel's serial driver gets back what it sends"
echo PASS
trap - EXIT
poweroff -f
