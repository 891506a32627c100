#!/bin/sh
# Runs on the host while mmdebstrap builds an image: $1 is the new root. What makes one device itself (ssh host key,
# machine id, people) is never in an image: see lab-boot, which takes it over at the first start.
set -eu
root=$1
rm -f "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id"
: > "$root/etc/machine-id"
install -d -m 2755 "$root/var/log/journal"
install -d -m 755 "$root/etc/apt/keyrings"
cat > "$root/etc/ssh/sshd_config.d/lab.conf" <<'SSHD'
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
PermitRootLogin prohibit-password
UseDNS no
MaxStartups 100:30:200
SSHD
cat > "$root/etc/systemd/system/lab-boot.service" <<'UNIT'
[Unit]
Description=Take over the identity the lab gave this device; count the starts
DefaultDependencies=no
After=local-fs.target
Before=sysinit.target ssh.service ssh.socket
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-boot
[Install]
WantedBy=sysinit.target
UNIT
chroot "$root" useradd --create-home --shell /bin/bash --groups sudo tech
chroot "$root" systemctl --quiet enable lab-boot.service ssh.service
# Foreign auto-update is off as it comes, so that a test may switch it on and see it found.
chroot "$root" systemctl --quiet disable apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer
# Under control groups of version 1 nobody tells a container that a group is empty: a user manager would hold up every restart
# for two minutes. Logins are sessions of logind without one.
chroot "$root" systemctl --quiet mask user@.service
install -d "$root/etc/systemd/system.conf.d"
printf '[Manager]\nDefaultTimeoutStopSec=10s\n' > "$root/etc/systemd/system.conf.d/lab.conf"
chroot "$root" systemctl --quiet mask getty@tty1.service console-getty.service systemd-networkd-wait-online.service systemd-machine-id-commit.service
rm -rf "$root"/usr/share/man/* "$root"/usr/share/info/*
: > "$root/etc/default/locale"
