#!/usr/bin/env bash
# Goal: sureflash.exe does on Windows what sureflash does here. Method: under wine, the screens that need no file are
# compared word for word with the golden files of tests/cli; then a chip that is kept in a file is programmed, verified,
# read and locked by two processes at once; units with records and a table, read back by Python and by sha256sum; and
# what is said of USB with and without libusb-1.0.dll.
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
server=$(dirname "$(realpath "$wine")")/wineserver64
finish() {
  "$server" -k 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
# It stays: a program that starts while the server of the last one is about to end may fail.
mkdir "$work/here" "$WINEPREFIX"
"$server" -p
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
# Many devices, with a record and data of each unit.
printf 'serial;mac\r\nSN0001;02005E000001\r\nSN0002;02005E000002\r\nSN0003;02005E000003\r\n' >units.csv
units=(program app.bin --base 0x08000000 --units units.csv --patch 0x08001000=serial:text8 --patch 0x08001008=mac:hex)
printf torn >log.jsonl
our 0 "${units[@]}" -d sim:stm32f105,seed=10,state=one -d sim:stm32f105,seed=20,state=two \
  --record log.jsonl --record log.csv --trace run.trace
our 0 read serial.bin --address 0x08001000 --size 14 -d sim:stm32f105,state=two
printf 'SN0002\0\0\2\0\x5E\0\0\2' | cmp - serial.bin
our 0 trace show run-sim-2.trace
grep -q "Get Commands -> Get Commands, Set Address Pointer, Erase" out || fail "the trace of the second unit says something else"
our 7 "${units[@]}" -d sim:stm32f105,seed=30,rdp=1 --record log.jsonl --record log.csv  # its row is free again
# Two processes at once, with one table and one record. The first is in real time, and begun before the second looks.
"$wine" "$program" "${units[@]}" -d sim:stm32f105,seed=40,clock=real --record log.jsonl --record log.csv >first.log 2>&1 </dev/null &
first=$!
for ((i = 0; i < 200; ++i)); do [[ $(grep -cs '"begun"' units.csv.used) == 3 ]] && break; sleep 0.05; done
our 6 "${units[@]}" -d sim:stm32f105,seed=50 --record log.jsonl --record log.csv
grep -q "2 of 3 rows are used, 1 begun" err || fail "the row that another process works with says something else"
wait "$first" || { cat first.log; fail "the first of two processes with one table"; }
our 6 program app.bin --base 0x08000000 -d sim:stm32f105 --record 'Z:\dev\full'
grep -q "No space left on device" err || fail "a full disk says something else"
our 6 program app.bin --base 0x08000000 -d sim:stm32f105 --record no/such/folder/log.csv
# Who appends waits for the one that does.
$compiler -o hold_lock.exe "$here/hold_lock.c"
"$wine" hold_lock.exe waiting.csv release >held.log </dev/null &
holder=$!
for ((i = 0; i < 200; ++i)); do grep -qs held held.log && break; sleep 0.05; done
"$wine" "$program" program app.bin --base 0x08000000 -d sim:stm32f105 --record waiting.csv >/dev/null 2>&1 </dev/null &
waiting=$!
sleep 3
[[ ! -s waiting.csv ]] || fail "a line was appended while another process held the lock"
touch release
wait "$holder" && wait "$waiting" || fail "the two that append one after the other"
[[ $(head -n 1 waiting.csv) == whole && $(wc -l <waiting.csv) == 2 ]] || fail "two lines, and no header"
# Several processes append at once: no line is lost, none is torn.
appending=()
for seed in 1 2 3 4; do
  "$wine" "$program" program app.bin --base 0x08000000 --record together.csv \
    -d sim:stm32f105,seed=${seed}0 -d sim:stm32f105,seed=${seed}1 -d sim:stm32f105,seed=${seed}2 >"appending$seed.log" 2>&1 </dev/null &
  appending+=($!)
done
for process in "${appending[@]}"; do
  wait "$process" || { code=$?; cat appending?.log; fail "one of several that append: exit code $code"; }
done
python3 "$here/../cli/same_records.py" log.csv <(tail -n +2 log.jsonl) >/dev/null || fail "CSV and JSON lines differ"
python3 "$here/records.py" "$(sha256sum <app.bin | cut -d ' ' -f 1)" || fail "the records"

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
