#!/bin/sh
# measure-fabric.sh CONFIG FID...: measures the ways from this host to the needles of a volume server, and makes one file to send back: what the machine has (doctor,
# capabilities), and latency and bandwidth over HTTP, the proxy, TCP and RDMA for several sizes and depths. Needs a running target and proxy, and their proxy.toml.
# It reads needles, of 4 MiB or more at best, and writes nothing but its folder.
#
# SEAWEED_RDMA names the program, SIZES, DEPTHS and ITERATIONS what is measured, TRANSPORTS the ways to the target, OUT the folder.
set -eu
config=${1:?usage: measure-fabric.sh CONFIG FID...}
shift
[ $# -gt 0 ] || { echo "usage: measure-fabric.sh CONFIG FID...: needles to read, such as 3,01637037d6" >&2; exit 2; }
folder=${OUT:-seaweed-rdma-fabric-$(uname -n)-$(date +%Y%m%d-%H%M%S)}
program=${SEAWEED_RDMA:-seaweed-rdma}
mkdir -p "$folder"

"$program" capabilities --json > "$folder/capabilities.json"
# Exit code 1: a check failed, which is what there is to see.
"$program" doctor --config "$config" --json > "$folder/doctor.json" || [ $? -eq 1 ]
for size in ${SIZES:-4KiB 64KiB 1MiB 4MiB}; do
  for depth in ${DEPTHS:-1 16}; do
    echo "$size, $depth at once" >&2
    "$program" bench "$@" --config "$config" --transports "${TRANSPORTS:-tcp,rdma}" --size "$size" --depth "$depth" \
      --iterations "${ITERATIONS:-2000}" --json > "$folder/bench-$size-$depth.json" 2> "$folder/bench-$size-$depth.log" ||
      echo "  failed: $folder/bench-$size-$depth.log says why" >&2
  done
done
tar -czf "$folder.tar.gz" -C "$(dirname "$folder")" "$(basename "$folder")"
echo "$folder.tar.gz"
