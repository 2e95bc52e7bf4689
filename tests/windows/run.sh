#!/usr/bin/env bash
# Goal: sureflash.exe does on Windows what sureflash does here. Method: under wine, the screens that need no file are
# compared word for word with the golden files of tests/cli; then a chip that is kept in a file is programmed, verified,
# read and locked by two processes at once; and what is said of USB with and without libusb-1.0.dll.
# Usage: run.sh SOURCE BUILD; builds first. Exit code 77: the packages are missing.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
golden=$here/../golden/cli
compiler=x86_64-w64-mingw32-gcc-posix
wine=$(command -v wine64 || command -v wine || echo /usr/lib/wine/wine64)
if [[ ! -x $wine ]] || ! command -v $compiler >/dev/null; then
  echo "error: wine64 or mingw-w64 is missing (see tools/packages.txt, group windows)" >&2
  exit 77
fi
(cd "$1" && cmake --preset windows -B "$2" >/dev/null)
cmake --build "$2" -- sureflash
program=$(realpath "$2/sureflash.exe")

work=$(mktemp -d /tmp/sf-win-XXXXXX)
export WINEPREFIX=$work/prefix WINEDEBUG=-all DISPLAY=
finish() {
  "$(dirname "$(realpath "$wine")")/wineserver64" -k 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
mkdir "$work/here"
cd "$work/here"

checks=0
fail() {
  echo "FAIL: $*" >&2
  exit 1
}
# our STATUS ARGUMENTS: runs it; out and err have no carriage returns afterwards.
our() {
  local wanted=$1 status=0
  shift
  timeout 60 "$wine" "$program" "$@" >out.crlf 2>err.crlf </dev/null || status=$?
  tr -d '\r' <out.crlf >out
  tr -d '\r' <err.crlf >err
  [[ $status == "$wanted" ]] || { cat out err; fail "sureflash $*: exit code $status, not $wanted"; }
  checks=$((checks + 1))
}

our 0 --version  # the first run makes wine's own files, and says so
grep -q '^sureflash [0-9]' out || fail "--version says something else"

for name in help info info-wrp info-rdp map options-show sim-list usage-chip usage-key usage-none usage-unknown; do
  read -ra words < <(sed -n '1s/^\$ sureflash //p' "$golden/$name.txt")
  our "$(sed -n 's/^--- exit //p' "$golden/$name.txt")" "${words[@]}"
  { head -n 1 "$golden/$name.txt"; echo '--- stdout'; cat out; echo '--- stderr'; cat err; tail -n 1 "$golden/$name.txt"; } >screen
  diff -u "$golden/$name.txt" screen || fail "$name looks different"
done

# Bytes that a text mode would change: 0x0A, 0x0D, 0x1A.
python3 -c 'import sys; sys.stdout.buffer.write(bytes([0, 0, 1, 0x20, 9, 1, 0, 8]) + bytes(range(256)) * 20)' >app.bin
chip=sim:stm32f105,state=chip
our 0 program app.bin --base 0x08000000 -d $chip
our 0 verify app.bin --base 0x08000000 -d $chip
our 0 read back.bin --size "$(stat -c %s app.bin)" -d $chip
cmp app.bin back.bin
our 0 read - --size "$(stat -c %s app.bin)" -d $chip
cmp app.bin out.crlf || fail "standard output changes bytes"
our 0 image convert app.bin app.hex --base 0x08000000
our 0 verify app.hex -d $chip
printf x | dd of=app.bin bs=1 seek=3000 conv=notrunc status=none
our 9 verify app.bin --base 0x08000000 -d $chip
our 6 verify nothing.bin --base 0x08000000 -d $chip
our 5 list
grep -q "libusb-1.0.dll cannot be loaded" err || fail "list says something else"
our 5 program app.bin --base 0x08000000
# What lies in the current folder is not taken for the library.
$compiler -shared -o libusb-1.0.dll "$here/stand_in_libusb.c"
our 5 list
mkdir with_library
mv libusb-1.0.dll with_library
cp "$program" with_library
without_library=$program
program=$PWD/with_library/$(basename "$program")
our 3 list
grep -q "no device found" err || fail "with a libusb-1.0.dll list says something else"
program=$without_library
our 1 sim serve stm32f105 --usbip
our 1 setup

# A run in real time, of more than seven seconds, holds the chip file.
head -c 262144 /dev/zero >big.bin
"$wine" "$program" program big.bin --base 0x08000000 --data -d "$chip,clock=real" >first.log 2>&1 </dev/null &
first=$!
for ((i = 0; i < 100; ++i)); do grep -qs '^erasing' first.log && break; sleep 0.05; done
our 5 info -d $chip
grep -q "another process uses this chip file" err || fail "the second says something else"
wait "$first" || { cat first.log; fail "the first run"; }

echo "PASS: $checks runs of $(basename "$program") under $("$wine" --version)"
