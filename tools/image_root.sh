#!/bin/sh
# Gathers the root file system of the container image: the executable, the shared libraries it and its FFI load, iptables for
# `weft proxy-init`, CA certificates and one user. No shell, no package manager. Run in the Dockerfile, by `deno task image` and
# by .ci/image_smoke.
#
#   sh tools/image_root.sh dist/weft DIRECTORY
set -eu
weft=$1
root=$2

mkdir -p "$root/usr/local/bin" "$root/usr/sbin" "$root/etc/ssl/certs" "$root/tmp" "$root/etc/weft"
chmod 1777 "$root/tmp"
cp "$weft" "$root/usr/local/bin/weft"
chmod 755 "$root/usr/local/bin/weft"

# libssl is opened at run time, so `ldd` of the executable does not name it.
ssl=$(ldconfig -p | sed -n 's/.*=> \(.*libssl\.so\.3\)$/\1/p' | head -n 1)
[ -n "$ssl" ] || { echo "libssl.so.3 is not installed" >&2; exit 1; }

# Two programs play all roles of iptables, by the name they are called by; matches and targets are libraries that they open.
nft=$(command -v xtables-nft-multi) legacy=$(command -v xtables-legacy-multi) ||
  { echo "iptables is not installed" >&2; exit 1; }
extensions=$(find /usr/lib/*/xtables /usr/lib/xtables -maxdepth 0 -type d 2>/dev/null | head -n 1)
[ -n "$extensions" ] || { echo "The extensions of iptables are not installed" >&2; exit 1; }
cp -L "$nft" "$legacy" "$root/usr/sbin/"
for version in iptables ip6tables; do
  for name in "$version" "$version-restore" "$version-nft" "$version-nft-restore"; do
    ln -sf xtables-nft-multi "$root/usr/sbin/$name"
  done
  for name in "$version-legacy" "$version-legacy-restore"; do
    ln -sf xtables-legacy-multi "$root/usr/sbin/$name"
  done
done
mkdir -p "$root$extensions"
cp -L "$extensions"/lib*.so "$root$extensions/"

{
  echo "$ssl"
  ldd "$weft" "$ssl" "$nft" "$legacy" "$extensions"/lib*.so | sed -n -e 's/.*=> \(\/[^ ]*\).*/\1/p' -e 's/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\).*/\1/p'
  # Names are resolved by plug-ins of libc.
  dirname "$ssl" | sed -e 's|$|/libnss_dns.so.2|' -e 'p' -e 's|dns|files|'
} | sort -u | while read -r library; do
  [ -e "$library" ] || continue
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'weft:x:1500:1500:weft:/tmp:/usr/local/bin/weft' >"$root/etc/passwd"
echo 'weft:x:1500:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
