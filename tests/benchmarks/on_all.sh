#!/bin/sh
# on_all.sh SSH_CONFIG SCRIPT DIRECTORY AT_ONCE DEVICE...: run SCRIPT on every device, one file of output per device.
config=$1 script=$2 directory=$3 at_once=$4
shift 4
printf '%s\n' "$@" | xargs -P "$at_once" -I{} \
  sh -c 'exec ssh -F "$1" -T -o BatchMode=yes -o StrictHostKeyChecking=yes "$4" sh -s <"$2" >"$3/$4" 2>&1' on_all "$config" "$script" "$directory" {}
