#!/bin/bash
# prepare.sh DIR: makes in DIR what starts a virtual machine whose root is this machine's: a Debian kernel that has rdma_rxe, a RoCE device in software, and
# an initramfs. `npm run setup` runs it. Needs apt-get, dpkg, kmod, cpio and busybox.
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
mkdir -p "$1"
cd "$1"

package=$(apt-cache depends linux-image-amd64 | awk '/Depends/ { print $2; exit }')
release=${package#linux-image-}
[ -n "$release" ] || { echo "apt knows no linux-image-amd64" >&2; exit 1; }
rm -rf kernel root
apt-get download -qq "$package"
dpkg -x "$package"_*.deb kernel
rm -f "$package"_*.deb
depmod -b kernel "$release"
cp "kernel/boot/vmlinuz-$release" vmlinuz

mkdir -p root/bin root/modules root/proc root/sys root/dev
cp "$(command -v busybox)" root/bin/
cp "$here/init" root/init
chmod +x root/init
for module in virtio_pci 9pnet_virtio 9p overlay rdma_rxe rdma_cm rdma_ucm ib_uverbs veth nf_tables sch_netem crc32_generic; do
  modprobe -S "$release" -d "$PWD/kernel" --show-depends "$module" | awk '/^insmod/ { print $2 }'
done | awk '!seen[$0]++' | while read -r file; do
  cp "$file" root/modules/
  basename "$file" >> root/modules/order
done
(cd root && find . | cpio -o -H newc 2>/dev/null | gzip -1) > initramfs
rm -rf kernel root
