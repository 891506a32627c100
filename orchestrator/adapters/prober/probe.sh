# One read-only round trip: everything the planner wants to know about a device, as name=value lines. POSIX sh; nothing is written.
# SLUG is set by the caller: the occurrence as it stands in names of guard records, empty for none.
LC_ALL=C
export LC_ALL
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
umask 077
D=/var/lib/dpkg S=/var/lib/deskside
echo v=1
echo "uid=$(id -u)"
echo "clock=$(date +%s)"
read -r up _ </proc/uptime && echo "uptime=$up"
read -r boot </proc/sys/kernel/random/boot_id
stat1=$(cat /proc/1/stat) && set -- ${stat1##*) } && shift 19 && echo "boot=$boot.$1"
echo "python=$(command -v python3)"
[ -r /etc/os-release ] && (. /etc/os-release; echo "os=$ID $VERSION_ID")
stat -f -c 'disk=%n %a %S %d' / /var /boot 2>/dev/null
who 2>/dev/null | while read -r name one two _; do # Debian 13 puts the service first: ada sshd pts/0; a login without a terminal is nobody
  for line in "$one" "$two"; do
    case "$line" in pts/* | tty* | :* | seat* | console) echo "person=$name $line"; break ;; esac
  done
done
if [ -e /run/reboot-required ]; then
  echo reboot=required
  [ -r /run/reboot-required.pkgs ] && sort -u /run/reboot-required.pkgs | while read -r name; do echo "reboot_package=$name"; done
else
  echo reboot=no
fi
if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
  units=$(systemctl list-units --no-legend --plain --all --state=active,activating,deactivating,reloading 'deskside-*.service') || units='? systemd-does-not-answer'
  echo "$units" | while read -r name _; do [ -n "$name" ] && echo "unit=$name"; done
  a=0
  for t in apt-daily apt-daily-upgrade; do [ -e /etc/systemd/system/timers.target.wants/$t.timer ] && a=$((a + 1)); done
  echo "timers=$a"
fi
if [ -n "$SLUG" ]; then
  for f in "$S/guard/$SLUG".*.json; do [ -e "$f" ] && echo "guard=$(base64 -w 0 <"$f")"; done
fi
if [ -r $D/status ]; then
  # mawk, gawk and busybox agree on this; a half-done state is anything but a finished one
  bad=$(grep -c -E '^Status: [a-z]+ [a-z]+ (half-installed|unpacked|half-configured|triggers-awaited|triggers-pending|config-failed)$|^Status: [a-z]+ reinstreq ' $D/status)
  set -- $D/updates/[0-9]*
  [ -e "$1" ] && bad=$((bad + $#))
  echo "dpkg=$bad"
  ino=$(stat -c '%i' $D/lock-frontend $D/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock 2>/dev/null | tr '\n' '|')
  echo "locked=$(grep -c -E ":(${ino%|}) " /proc/locks)"
  [ -e /usr/bin/unattended-upgrade ] && echo "unattended=$(cat /etc/apt/apt.conf.d/20auto-upgrades 2>/dev/null | grep -c 'Unattended-Upgrade "1"')" || echo unattended=absent
  key=$(stat -L -c '%n %i %s %.9Y %.9Z' /var/lib/dpkg/status /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/preferences /etc/apt/preferences.d/* \
    /etc/apt/apt.conf /etc/apt/apt.conf.d/* /var/lib/apt/extended_states /var/lib/apt/lists/*_* 2>/dev/null | cksum)
  echo "key=$key"
  if [ -r $S/os_update.key ] && [ -r $S/os_update.scan ] && read -r stored <$S/os_update.key && [ "$stored" = "$key" ]; then
    echo scan=cached
    cat $S/os_update.scan
  else
    echo scan=needed
  fi
  [ -e $S/os_update.refreshed ] && stat -c 'refreshed=%Y' $S/os_update.refreshed
  newer=$(find /etc/apt/sources.list /etc/apt/sources.list.d -newer $S/os_update.refreshed 2>/dev/null | wc -l)
  echo "sources_newer=$newer"
fi
echo end=1
