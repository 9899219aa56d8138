#!/bin/bash
# Builds Vitess v24.0.1's own programs for the interoperability tests and side-by-side figures,
# once, into the cache: vitess-0.24.1/bin and vitess-0.24.1/src (its config/ and examples/).
# Needs Go 1.26 and the Go module proxy. Without them it says so and succeeds: what needs Vitess
# is then left out. Takes about six minutes on two cores the first time; a program that is missing
# later is built alone, beside the others.
set -euo pipefail

version=0.24.1
programs=(vtctldclient vtctld vttablet mysqlctld vtgate vtorc vtbackup)
cache=${VTAGENT_CACHE:-/var/tmp/vtagent-cache}
final=$cache/vitess-$version
top=$(cd "$(dirname "$0")/../.." && pwd)

give_up() {
    echo "vitess: $1; tests that need Vitess's programs are left out"
    exit 0
}

missing() {
    local program
    for program in "${programs[@]}"; do
        [ -x "$final/bin/$program" ] || echo "$program"
    done
}

is_built() {
    [ -d "$final/src/config" ] && [ -z "$(missing)" ]
}

ready() {
    mkdir -p "$top/build"
    ln -sfn "$final" "$top/build/vitess"
    echo "vitess: v$version in $final/bin"
    exit 0
}

has_go() {
    local found major minor
    command -v go >/dev/null || return 1
    found=$(go env GOVERSION 2>/dev/null | sed -n 's/^go\([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    read -r major minor <<<"${found:-0 0}"
    [ "$major" -gt 1 ] || { [ "$major" -eq 1 ] && [ "$minor" -ge 26 ]; }
}

# compile SOURCE BIN PROGRAM...
compile() {
    local source=$1 bin=$2
    shift 2
    (cd "$source" && GOFLAGS=-mod=mod timeout 3600 go build -o "$bin/" "${@/#/./go/cmd/}")
}

build() {
    local area=$1 source
    source=$(cd "$area" && timeout 900 go mod download -json "vitess.io/vitess@v$version" |
        sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
    [ -d "$source" ] || return 1
    cp -r "$source" "$area/src"
    chmod -R u+w,a+rX "$area/src"
    mkdir "$area/bin"
    compile "$area/src" "$area/bin" "${programs[@]}"
}

# Programs that joined the list since the others were built.
add_missing() {
    local area=$1
    mkdir "$area/bin"
    # shellcheck disable=SC2046
    compile "$final/src" "$area/bin" $(missing) && mv "$area/bin/"* "$final/bin/"
}

is_built && ready
has_go || give_up "Go 1.26 or newer is not here"
umask 022
mkdir -p "$cache" 2>/dev/null || give_up "cannot create '$cache' (VTAGENT_CACHE chooses another)"
[ -w "$cache" ] || give_up "cannot write to '$cache' (VTAGENT_CACHE chooses another)"
exec 9>"$cache/.vitess.lock"
flock -w 3600 9 || give_up "another run holds '$cache/.vitess.lock'"
is_built && ready

area=$(mktemp -d "$cache/.vitess-XXXXXX")
trap 'chmod -R u+w "$area" 2>/dev/null; rm -rf "$area"' EXIT
chmod 755 "$area"
if [ -d "$final/src/config" ]; then
    echo "vitess: building" $(missing)
    step=add_missing
else
    echo "vitess: building v$version (some minutes)"
    step=build
fi
"$step" "$area" >"$area/log" 2>&1 || {
    tail -n 5 "$area/log"
    give_up "the build failed"
}
[ "$step" = build ] || ready
rm -rf "$final"
mkdir "$final.new.$$"
mv "$area/bin" "$area/src" "$final.new.$$/"
mv -T "$final.new.$$" "$final"
ready
