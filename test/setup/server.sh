#!/bin/bash
# server.sh mysql | mariadb-11: unpacks MySQL 9.7 below build/mysql, or MariaDB 11.8 below
# build/mariadb-11, for the tests that want them beside Debian 12's own MariaDB.
#
# Newer Debians have them, for a newer C library. So their packages are unpacked with their own C
# library and the programs are pointed at it; nothing is installed. The result lives in a cache
# outside the tree, by version, and the link in build/ leads to it. Without a network it says so and
# succeeds: the tests then run with the servers that there are.
set -euo pipefail

name=${1:-}
case $name in
mysql)
    suite=sid program=mysqld
    packages=(mysql-server-core mysql-client-core)
    programs=(sbin/mysqld bin/mysql bin/mysqladmin bin/mysqldump bin/mysqlbinlog bin/my_print_defaults
        bin/mysql_upgrade bin/mysql_config_editor)
    ;;
mariadb-11)
    suite=trixie program=mariadbd
    packages=(mariadb-server-core mariadb-client-core)
    programs=(sbin/mariadbd bin/mariadb bin/mariadb-admin bin/mariadb-binlog bin/my_print_defaults
        bin/mariadb-upgrade bin/mariadb-check)
    ;;
*)
    echo "usage: server.sh mysql | mariadb-11" >&2
    exit 2
    ;;
esac
top=$(cd "$(dirname "$0")/../.." && pwd)
link=$top/build/$name
cache=${VTAGENT_CACHE:-/var/tmp/vtagent-cache}

give_up() {
    echo "$name: $1; the tests go without it"
    exit 0
}

is_usable() {
    [ -x "$1/usr/sbin/$program" ] && "$1/usr/sbin/$program" --no-defaults --version >/dev/null 2>&1
}

use() {
    mkdir -p "$top/build"
    ln -sfn "$1" "$link"
    echo "$name: $("$link/usr/sbin/$program" --no-defaults --version | sed 's/.*Ver /version /')"
    exit 0
}

# The mirror of the machine's own suite, whatever form its source lists have.
mirror() {
    local codename
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
    apt-get --print-uris update 2>/dev/null |
        sed -n "s,^'\([^']*\)/dists/$codename/InRelease'.*,\1,p" | head -n 1
}

# A private apt in $1: reads the other suite, knows no installed package, touches nothing else.
download() {
    local area=$1 source_line=$2
    mkdir -p "$area"/{lists/partial,archives/partial,parts}
    : >"$area/status"
    echo "$source_line" >"$area/sources.list"
    local apt=(timeout 900 apt-get -q -o Debug::NoLocking=1
        -o Dir::State::Lists="$area/lists" -o Dir::State::status="$area/status"
        -o Dir::State="$area" -o Dir::Cache="$area" -o Dir::Cache::archives="$area/archives"
        -o Dir::Etc::SourceList="$area/sources.list" -o Dir::Etc::SourceParts="$area/parts"
        -o Dir::Etc::PreferencesParts="$area/parts" -o Dir::Etc::Preferences=/dev/null
        -o APT::Architectures="$(dpkg --print-architecture)" -o APT::Sandbox::User=""
        -o Acquire::Languages=none -o Acquire::Retries=3 -o Acquire::http::Timeout=30
        -o Dpkg::Use-Pty=0)
    "${apt[@]}" update || return 1
    "${apt[@]}" install -y --download-only --no-install-recommends "${packages[@]}" || return 1
    compgen -G "$area/archives/${packages[0]}_*.deb" >/dev/null
}

unpack() {
    local area=$1 root=$2 package
    mkdir -p "$root"
    for package in "$area"/archives/*.deb; do
        dpkg -x "$package" "$root" || return 1
    done
    # Suites without merged /usr leave files in /lib*; the paths below expect them in /usr.
    for folder in lib lib64 bin sbin; do
        if [ -d "$root/$folder" ] && [ ! -L "$root/$folder" ]; then
            mkdir -p "$root/usr/$folder"
            cp -a "$root/$folder/." "$root/usr/$folder/" && rm -rf "${root:?}/$folder"
        fi
    done
    rm -rf "$root"/usr/share/{doc,man,locale,lintian,bug} "$root"/{etc,var,tmp}
    chmod -R u+w,a+rX "$root"
}

# The programs must find the unpacked C library first, and so must libraries that they load:
# DT_RPATH is inherited by those, DT_RUNPATH is not.
point_at() {
    local root=$1 final=$2 multiarch loader program
    multiarch=$(cd "$root/usr/lib" && compgen -G '*-linux-gnu' | head -n 1)
    loader=$(cd "$root/usr/lib/$multiarch" && compgen -G 'ld-linux*.so.*' | head -n 1)
    for program in "${programs[@]}"; do
        [ -f "$root/usr/$program" ] && [ ! -L "$root/usr/$program" ] || continue
        patchelf --force-rpath \
            --set-rpath "$final/usr/lib/$multiarch:$final/usr/lib/mysql/private:$final/usr/lib/mysql" \
            --set-interpreter "$final/usr/lib/$multiarch/$loader" "$root/usr/$program" || return 1
    done
}

is_usable "$link" && use "$(readlink -f "$link")"
umask 022
mkdir -p "$cache" 2>/dev/null || give_up "cannot create '$cache' (VTAGENT_CACHE chooses another)"
cached=$(compgen -G "$cache/$name-[0-9]*" | sort -V | tail -n 1 || true)
[ -n "$cached" ] && is_usable "$cached" && use "$cached"

[ -w "$cache" ] || give_up "cannot write to '$cache' (VTAGENT_CACHE chooses another)"
for tool in apt-get dpkg patchelf flock; do
    command -v "$tool" >/dev/null || give_up "'$tool' is not here"
done
exec 9>"$cache/.$name.lock"
flock -w 900 9 || give_up "another run holds '$cache/.$name.lock'"
cached=$(compgen -G "$cache/$name-[0-9]*" | sort -V | tail -n 1 || true)
[ -n "$cached" ] && is_usable "$cached" && use "$cached"

address=$(mirror)
[ -n "$address" ] || give_up "no Debian mirror in this machine's apt sources"
area=$(mktemp -d "$cache/.$name-XXXXXX")
trap 'rm -rf "$area"' EXIT
chmod 755 "$area"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
signed=
[ -r "$keyring" ] && signed="[signed-by=$keyring] "
download "$area/apt" "deb ${signed}$address $suite main" >"$area/log" 2>&1 || {
    tail -n 5 "$area/log"
    give_up "cannot download the packages"
}
version=$(cd "$area/apt/archives" && compgen -G "${packages[0]}_*.deb" | head -n 1 |
    sed 's/^[^_]*_//; s/_[^_]*$//; s/%3a/:/; s/^[0-9]*://; s/-.*//')
final=$cache/$name-$version
rm -rf "$final"
unpack "$area/apt" "$area/root" || give_up "cannot unpack the packages"
point_at "$area/root" "$final" || give_up "cannot patch the programs"
mv -T "$area/root" "$final"
is_usable "$final" || {
    "$final/usr/sbin/$program" --no-defaults --version 2>&1 | tail -n 3 || true
    rm -rf "$final"
    give_up "the unpacked server does not run on this machine"
}
rm -rf "$area"
use "$final"
