#include <criterion/criterion.h>

#include "backup/mount.h"

static const char text[] =
    "21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro\n"
    "30 21 0:40 / /backups rw,noatime - nfs4 nas:/export "
    "rw,vers=4.2,soft,acdirmax=30,nolock,addr=10.0.0.9\n"
    "31 30 0:41 / /backups/with\\040blank ro shared:7 master:3 - cifs //nas/x rw\n"
    "32 21 0:42 / /b2 rw - fuse.sshfs me@x:/y rw,noac\n"
    "33 21 0:43 / /b3 rw - nfs nas:/z rw,actimeo=7\n"
    "34 21 0:44 / /backups rw - ext4 /dev/vdb rw\n"
    "broken line\n";

static void
expect(const char *path, const char *folder, const char *type, int64_t cache_ms)
{
    struct mount mount;
    cr_assert_null(mount_find_in(text, path, &mount));
    cr_assert_str_eq(mount.folder, folder);
    cr_assert_str_eq(mount.type, type);
    cr_assert_eq(mount_cache_ms(&mount), cache_ms);
    mount_done(&mount);
}

Test(mount, the_deepest_and_last_mount_holds_a_path)
{
    expect("/etc/passwd", "/", "ext4", 0);
    expect("/backupsx", "/", "ext4", 0);
    expect("/backups", "/backups", "ext4", 0);
    expect("/backups/with blank/x", "/backups/with blank", "cifs", 60000);
    expect("/b2/ks", "/b2", "fuse.sshfs", 0);
    expect("/b3", "/b3", "nfs", 7000);
}

Test(mount, options_are_words_and_not_parts_of_words)
{
    struct mount mount = {.type = xstrdup("nfs4"),
                          .options = xstrdup("rw,softreval,acdirmax=30,nolock,timeo=600")};
    cr_assert(!mount_has_option(&mount, "soft"));
    cr_assert(!mount_has_option(&mount, "lock"));
    cr_assert(mount_has_option(&mount, "nolock"));
    cr_assert(mount_has_option(&mount, "timeo"));
    cr_assert_null(mount_option(&mount, "nolock"));
    char *value = mount_option(&mount, "timeo");
    cr_assert_str_eq(value, "600");
    freep(&value);
    cr_assert_eq(mount_cache_ms(&mount), 30000);
    cr_assert(mount_is_network(&mount));
    mount_done(&mount);
}

Test(mount, the_machine_has_one_for_each_path)
{
    struct mount mount;
    cr_assert_null(mount_find("/proc/self", &mount));
    cr_assert_str_eq(mount.type, "proc");
    mount_done(&mount);
}
