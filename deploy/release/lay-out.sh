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

# Hand-written assembly is moved as it is: it may do what no compiler does.
assembly='aws_lc_.*,bn_.*,.*edwards25519.*,.*curve25519.*,ZSTD_.*'

"$bolt" "$binary" -o "$folder/counting" -instrument --skip-funcs="$assembly" \
    --instrumentation-file="$folder/counts" --instrumentation-file-append-pid >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
"$@" "$folder/counting" >/dev/null
"${bolt%/*}/merge-fdata" "$folder"/counts.* >"$folder/merged" 2>/dev/null

"$bolt" "$binary" -o "$folder/laid-out" -data="$folder/merged" --skip-funcs="$assembly" \
    -reorder-blocks=ext-tsp -reorder-functions=hfsort+ -split-functions -split-all-cold -split-eh -peepholes=all -plt=hot \
    -use-old-text -use-gnu-stack --no-huge-pages >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
strip --strip-unneeded "$folder/laid-out"
"$folder/laid-out" version >/dev/null
install "$folder/laid-out" "$output"
echo "laid out by what $(grep -o '[0-9]* out of [0-9]* functions' "$folder/log") did under load"
