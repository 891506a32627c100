"""Wake-on-LAN through a device that stands in the sleeping devices' network."""

from __future__ import annotations

import re

_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}([:-]?))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}\Z")

# One packet per address and broadcast network of the waker, three times: nobody acknowledges it.
_PYTHON = """
import socket, sys, time
macs, nets = sys.argv[1].split(","), sys.argv[2].split(",")
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for turn in range(3):
    for mac in macs:
        for net in nets:
            s.sendto(b"\\xff" * 6 + bytes.fromhex(mac) * 16, (net, 9))
    time.sleep(0.1)
"""
_PERL = """
use Socket; my ($m, $n) = @ARGV; socket(my $s, PF_INET, SOCK_DGRAM, 17) or die; setsockopt($s, SOL_SOCKET, SO_BROADCAST, 1) or die;
for (1..3) { for my $mac (split /,/, $m) { for my $net (split /,/, $n) {
  send($s, "\\xff" x 6 . pack("H12", $mac) x 16, 0, sockaddr_in(9, inet_aton($net))) or die; } } }
"""


def normal(mac: str) -> str | None:
    """Twelve hexadecimal digits, ``None`` when it is no hardware address."""
    return re.sub(r"[:-]", "", mac).lower() if _MAC.match(mac) else None


def script(macs: list[str]) -> str:
    """POSIX sh that sends the packets; fails when the waker has no broadcast network or no interpreter."""
    return f"""
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
nets=$(ip -o -4 address show up | sed -n 's/.* brd \\([0-9.]*\\) .*/\\1/p' | sort -u | tr '\\n' ',')
[ -n "$nets" ] || {{ echo "it has no broadcast network" >&2; exit 3; }}
if command -v python3 >/dev/null; then exec python3 -c '{_PYTHON}' {",".join(macs)} "${{nets%,}}"; fi
if command -v perl >/dev/null; then exec perl -e '{_PERL}' {",".join(macs)} "${{nets%,}}"; fi
echo "it has neither python3 nor perl" >&2
exit 4
"""
