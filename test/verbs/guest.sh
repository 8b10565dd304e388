#!/bin/bash
# Runs inside the virtual machine: makes a RoCE device, and runs vitest with it. /mnt/out/files: what to run.
cd "$(dirname "$0")/../.."
ip link set lo up
ip link add v0 type veth peer name v1
ip addr add 10.9.0.1/24 dev v0
ip link set v0 up
ip link set v1 up
# Another network, without an RDMA device.
ip link add w0 type veth peer name w1
ip addr add 10.8.0.1/24 dev w0
ip link set w0 up
ip link set w1 up
rdma link add rxe0 type rxe netdev v0
ulimit -l unlimited
export SEAWEED_RDMA_VERBS_ADDRESS=10.9.0.1 SEAWEED_RDMA_VERBS_DEVICE=rxe0
# /mnt/out/files may have patterns for vitest.
set -f
export NODE_OPTIONS=--import=$PWD/test/verbs/liftoff.mjs
exec node_modules/node/bin/node node_modules/vitest/vitest.mjs run --config test/verbs/vitest.config.ts \
  --reporter=verbose --reporter=json --outputFile=/mnt/out/report.json $(cat /mnt/out/files)
