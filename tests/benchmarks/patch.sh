# The script a technician would write: refresh when the lists are an hour old, say what is pending, bring it up to date, say
# whether a restart is due.
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
stamp=/var/lib/apt/periodic/update-success-stamp
if [ -z "$(find $stamp -mmin -60 2>/dev/null)" ]; then
  apt-get -q update || exit 1
  mkdir -p "${stamp%/*}" && touch $stamp
fi
apt list --upgradable 2>/dev/null
apt-get -q -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold upgrade --with-new-pkgs || exit 1
[ ! -e /run/reboot-required ] || echo reboot-required
echo finished
