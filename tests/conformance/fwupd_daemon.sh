#!/usr/bin/env bash
# Starts a message bus and fwupd of its own, makes a cabinet of firmware.bin and installs it with fwupdmgr.
# Usage: fwupd_daemon.sh FOLDER, with fwupd's folders in the environment. Everything it starts it also ends.
set -euo pipefail
cd "$1"

cat >bus.conf <<'EOF'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=bus.sock</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
EOF
cat >firmware.metainfo.xml <<'EOF'
<?xml version="1.0" encoding="UTF-8"?>
<component type="firmware">
  <id>org.example.sureflash.firmware</id>
  <name>Virtual STM32F105</name>
  <summary>Firmware of a conformance test</summary>
  <description><p>Test</p></description>
  <provides><firmware type="flashed">5aea1200-2286-5819-93e6-3b5548b6c88a</firmware></provides>
  <url type="homepage">https://example.org/</url>
  <metadata_license>CC0-1.0</metadata_license>
  <project_license>MIT</project_license>
  <releases>
    <release version="22.0" date="2024-01-01"><description><p>Test</p></description></release>
  </releases>
  <custom>
    <value key="LVFS::UpdateProtocol">com.st.dfuse</value>
    <value key="LVFS::VersionFormat">bcd</value>
  </custom>
</component>
EOF
fwupdtool build-cabinet firmware.cab firmware.bin firmware.metainfo.xml

children=()
finish() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  wait
}
trap finish EXIT

dbus-daemon --config-file=bus.conf --nofork --address="unix:path=$PWD/bus.sock" &
children+=($!)
export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$PWD/bus.sock"
until [[ -S bus.sock ]]; do sleep 0.05; done

/usr/libexec/fwupd/fwupd --verbose >fwupd.log 2>&1 &
children+=($!)
until grep -q "ready for requests" fwupd.log; do
  kill -0 "${children[1]}" || { cat fwupd.log; exit 1; }
  sleep 0.05
done

fwupdmgr get-devices --json --no-unreported-check --no-metadata-check
fwupdmgr local-install firmware.cab --allow-older --allow-reinstall --no-reboot-check \
  --no-device-prompt --no-unreported-check --no-metadata-check -y ||
  { tail -n 50 fwupd.log; exit 1; }
