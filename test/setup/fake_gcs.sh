#!/bin/bash
# Builds fake-gcs-server, somebody else's emulator of Google Cloud Storage, once, into the cache:
# fake-gcs-1.56.1/bin. Needs Go and the Go module proxy. Without them it says so and succeeds: the
# tests that need it are then left out.
set -euo pipefail

version=1.56.1
cache=${VTAGENT_CACHE:-/var/tmp/vtagent-cache}
final=$cache/fake-gcs-$version
top=$(cd "$(dirname "$0")/../.." && pwd)

give_up() {
    echo "fake-gcs-server: $1; tests that need it are left out"
    exit 0
}

ready() {
    mkdir -p "$top/build"
    ln -sfn "$final" "$top/build/fake-gcs"
    echo "fake-gcs-server: v$version in $final/bin"
    exit 0
}

[ -x "$final/bin/fake-gcs-server" ] && ready
command -v go >/dev/null || give_up "Go is not here"
umask 022
mkdir -p "$cache" 2>/dev/null || give_up "cannot create '$cache' (VTAGENT_CACHE chooses another)"
[ -w "$cache" ] || give_up "cannot write to '$cache' (VTAGENT_CACHE chooses another)"
exec 9>"$cache/.fake-gcs.lock"
flock -w 900 9 || give_up "another run holds '$cache/.fake-gcs.lock'"
[ -x "$final/bin/fake-gcs-server" ] && ready

area=$(mktemp -d "$cache/.fake-gcs-XXXXXX")
trap 'rm -rf "$area"' EXIT
chmod 755 "$area"
echo "fake-gcs-server: building v$version (a minute)"
GOBIN="$area/bin" timeout 900 go install "github.com/fsouza/fake-gcs-server@v$version" \
    >"$area/log" 2>&1 || {
    tail -n 5 "$area/log"
    give_up "the build failed"
}
rm -f "$area/log"
rm -rf "$final"
mv -T "$area" "$final"
ready
