#!/bin/bash
# lay-out.sh BOLT BINARY OUTPUT LOAD…: lays the code of BINARY out as it runs under a load, into OUTPUT.
#
# What runs stands together then, most likely way first, and what never runs is in pages that are never read: fewer jumps are
# taken, and less of the program is resident. LOAD is a command that takes a gateway as its last argument and loads it. BINARY
# must have been linked with --emit-relocs. Without BOLT (llvm-bolt) OUTPUT is BINARY as it is.
set -euo pipefail

bolt=$1 binary=$2 output=$3
shift 3

if [ ! -x "$bolt" ] || [ ! -e "${bolt%/bin/*}/lib/libbolt_rt_instr.a" ]; then
    echo "no llvm-bolt (Debian: bolt-16 and libbolt-16-dev): the release stays as it was compiled"
    install "$binary" "$output"
    exit
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Rust's own functions and the allocator's: C and hand-written assembly stay where they are and as they are.
ours='^(_ZN|_R|_?mi_)'

"$bolt" "$binary" -o "$folder/counting" -instrument -funcs="_ZN.*,_R.*,_?mi_.*" \
    --instrumentation-file="$folder/counts" --instrumentation-file-append-pid >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
"$@" "$folder/counting" >/dev/null
"${bolt%/*}/merge-fdata" "$folder"/counts.* >"$folder/merged" 2>/dev/null

# Those that ran. Were all moved, those that did not would be in the file twice.
awk '{ print $2; print $5 }' "$folder/merged" | grep -E "$ours" | sort -u >"$folder/ran"
# (Not with -use-old-text: it writes over what stays.)
"$bolt" "$binary" -o "$folder/laid-out" -data="$folder/merged" -funcs-file-no-regex="$folder/ran" \
    -reorder-blocks=ext-tsp -reorder-functions=hfsort+ -split-functions -split-all-cold -split-eh -peepholes=all -plt=hot \
    -use-gnu-stack --no-huge-pages >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
strip --strip-unneeded "$folder/laid-out"
"$folder/laid-out" version >/dev/null
install "$folder/laid-out" "$output"
echo "laid out by what $(wc -l <"$folder/ran") functions did under load"
