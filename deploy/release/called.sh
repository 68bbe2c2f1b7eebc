#!/bin/bash
# called.sh PROFDATA PROFILE…: prints the functions that have a count in these profiles, each once: those of the first profile
# first, of each profile those that were called most often first. For the linker's --symbol-ordering-file.
set -euo pipefail

profdata=$1
shift

for profile in "$@"; do
    # A function of one unit of code alone is named with the unit in front: `unit;function`.
    "$profdata" show --all-functions --counts "$profile" | awk '
        /^  [^ ].*:$/ { name = $0; sub(/:$/, "", name); sub(/^ *([^;]*;)*/, "", name) }
        /^    Block counts:/ {
            most = 0; gsub(/[^0-9 ]/, "")
            for (n = split($0, counts, " "); n > 0; n--) if (counts[n] + 0 > most) most = counts[n] + 0
            if (most > 0) print most, name
        }' | sort -rn
done | awk '!seen[$2]++ { print $2 }'
