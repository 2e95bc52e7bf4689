#!/usr/bin/env bash
# Full stack test. Goal: a real Linux kernel (USB core, xHCI, usbfs, vhci) and an unmodified dfu-util accept our virtual
# devices, and sureflash works on a real kernel: enumerate, unplug in mid-write, program, read back, by usbredir and by
# USB/IP; and its driver of serial ports uses their bulk and interrupt endpoints. Method: Debian's kernel with a ramdisk of busybox, dfu-util, usbip and sureflash in QEMU, emulated (TCG): never
# KVM, which exists and hangs on some machines. Usage: run.sh VM_SERVER SUREFLASH. The kernel package is kept in
# ${XDG_CACHE_HOME:-~/.cache}/sureflash-vm; nothing is installed. Exit status 77: this machine has not got the packages.
set -euo pipefail
server=$(realpath "$1")
sureflash=$(realpath "$2")
here=$(dirname "$(realpath "$0")")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sureflash-vm
seconds_max=240
redir_cut=755
usbip_cut=560

for program in qemu-system-x86_64 cpio dfu-util busybox python3; do
  command -v "$program" >/dev/null || { echo "error: $program is missing (see tools/packages.txt, group vm)" >&2; exit 77; }
done

work=$(mktemp -d /tmp/sf-vm-XXXXXX)
children=()
finish() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# get_kernel: unpacks the current generic kernel; the cloud kernel has no USB. The uncompressed image starts
# by PVH, 2.5 s sooner than the compressed one.
get_kernel() {
  local package
  package=$(apt-cache depends linux-image-amd64 | awk '/Depends:/ { print $2; exit }')
  kernel=$cache/$package
  [[ -f $kernel/vmlinux ]] && return
  mkdir -p "$kernel.new"
  (cd "$kernel.new" && apt-get download "$package" && dpkg -x "$package"_*.deb tree)
  python3 - "$kernel.new"/tree/boot/vmlinuz-* "$kernel.new/vmlinux" <<'EOF'
import lzma, sys
image = open(sys.argv[1], "rb").read()
start = image.index(b"\xfd7zXZ\x00")
open(sys.argv[2], "wb").write(lzma.LZMADecompressor().decompress(image[start:]))
EOF
  rm -rf "$kernel"
  mv "$kernel.new" "$kernel"
}

# add_program PATH: with every library that it needs.
add_program() {
  install -D "$1" "$work/guest/usr/bin/$(basename "$1")"
  ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
    install -D "$library" "$work/guest$library"
  done
}

make_ramdisk() {
  local module
  mkdir -p "$work/guest"/{bin,dev,proc,sys,modules,usr/bin,var/run}
  install "$(command -v busybox)" "$work/guest/bin/busybox"
  "$work/guest/bin/busybox" --list | grep -vx busybox | while read -r applet; do ln -sf busybox "$work/guest/bin/$applet"; done
  for module in usb-common usbcore xhci-hcd xhci-pci cdc-acm e1000 usbip-core vhci-hcd; do
    find "$kernel/tree/lib/modules" -name "$module.ko" -exec cp {} "$work/guest/modules/" \;
  done
  add_program "$(command -v dfu-util)"
  add_program /usr/sbin/usbip
  strip -o "$work/sureflash" "$sureflash"
  add_program "$work/sureflash"
  install -m 755 "$here/init.sh" "$work/guest/init"
  sed -i "s/^export PATH.*/&\nUSBIP_PORT=$tcp_port/" "$work/guest/init"
  for seed in 1 2; do
    python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(int(sys.argv[1])).randbytes(65536))' \
      "$seed" >"$work/guest/fw$seed.bin"
  done
  (cd "$work/guest" && find . | cpio --quiet -o -H newc) | gzip -1 >"$work/ramdisk"
}

tcp_port=$((20000 + RANDOM % 20000))
get_kernel
make_ramdisk
# The plug comes out in mid-write of a dfu-util, and of the first two programs that sureflash writes: the numbers
# are those of transfers; the guest finds out if the plug does not come out while flash is changed.
"$server" "stm32f105,poll=0,fault=disconnect@150+disconnect@$redir_cut" "$work/redir" \
  "stm32f105,poll=0,fault=disconnect@$usbip_cut" "$tcp_port" >"$work/server.log" &
children+=($!)
until grep -qs serving "$work/server.log"; do kill -0 "${children[0]}"; sleep 0.05; done

timeout "$seconds_max" qemu-system-x86_64 -M q35 -accel tcg -m 256 -nographic -nodefaults -no-reboot \
  -serial stdio -kernel "$kernel/vmlinux" -initrd "$work/ramdisk" \
  -append "console=ttyS0 quiet panic=-1 tsc=reliable nokaslr mitigations=off" \
  -device qemu-xhci,id=x -chardev "socket,id=r,path=$work/redir" -device usb-redir,chardev=r,bus=x.0 \
  -chardev "socket,id=s,path=$work/redir.serial" -device usb-redir,chardev=s,bus=x.0 \
  -netdev user,id=n -device e1000,netdev=n,romfile= </dev/null | tee "$work/console"
grep -q '^PASS' "$work/console"
