#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a command where ranks of one machine meet over TCP on a link as slow as a cable, in a network of its own:
#     bench/slow_link.sh 1gbit mpirun -n 2 build/bin/shard_bench training
# All ranks share the link, both ways. Wants root, iproute2, and a kernel with tc's tbf.
set -eu
if [ $# -lt 2 ]; then
  echo "usage: bench/slow_link.sh RATE COMMAND...   (RATE as tc has it: 1gbit, 200mbit)" >&2
  exit 2
fi
rate=$1
shift
export OMPI_MCA_btl=self,tcp OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_pml=ob1
# shellcheck disable=SC2016  # The inner shell is to expand them.
exec unshare -n sh -c 'ip link set lo up mtu 9000 && tc qdisc add dev lo root tbf rate "$0" burst 1m latency 200ms &&
  exec "$@"' "$rate" "$@"
