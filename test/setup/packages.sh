#!/bin/bash
# Installs the Debian 12 packages that the build and the tests need and that are missing.
# Does nothing, and needs neither network nor root, when all are there. Starts no service.
set -euo pipefail

packages=(
    # compiler and libraries of the program
    build-essential pkg-config libgrpc-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler
    libevent-dev libmariadb-dev libmariadb-dev-compat zlib1g-dev libisal-dev libzstd-dev
    liblz4-dev libjansson-dev libcurl4-openssl-dev libssl-dev
    # unit tests, sanitizers, fuzzing, lint
    libcriterion-dev clang clang-format libclang-rt-14-dev universal-ctags
    # servers and tools of the integration tests
    mariadb-server mariadb-backup etcd-server etcd-client patchelf procps openssl util-linux xfsprogs iproute2 iptables sudo
    chromium chromium-driver python3-selenium fonts-liberation
    python3 python3-grpcio python3-pytest python3-protobuf python3-grpc-tools
)

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "packages: all ${#packages[@]} are installed"
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "packages: missing: ${missing[*]}" >&2
        echo "packages: run this script as root, or install sudo" >&2
        exit 1
    }
    as_root=(sudo)
fi

# Exit code 101 of policy-rc.d tells the packages' scripts not to start their services.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi

echo "packages: installing ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300
    -o Acquire::Retries=3 -o Dpkg::Use-Pty=0)
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends "${missing[@]}"
