#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/memory.h"
#include "agent/supervisor/death.h"

static struct death_facts
killed_by(int signal_number)
{
    return (struct death_facts){.pid = 12,
                                .has_status = true,
                                .status = {.is_signaled = true, .exit_code = signal_number},
                                .data_directory = "/vt/data"};
}

Test(death, a_signal_is_named)
{
    struct death_facts facts = killed_by(SIGSEGV);
    CLEANUP(freep) char *text = death_explain(&facts);
    cr_assert_str_eq(text, "mysqld (pid 12) was killed by signal 11 (Segmentation fault)");
}

Test(death, lack_of_memory_says_what_to_do)
{
    struct death_facts facts = killed_by(SIGKILL);
    facts.has_memory_kill = true;
    CLEANUP(freep) char *text = death_explain(&facts);
    cr_assert_not_null(strstr(text, "out of memory in its control group"));
    cr_assert_not_null(strstr(text, "raise the memory limit"));
}

Test(death, a_plain_kill_is_not_called_lack_of_memory)
{
    struct death_facts facts = killed_by(SIGKILL);
    facts.log_text = "[Note] ready for connections\n";
    CLEANUP(freep) char *text = death_explain(&facts);
    cr_assert_not_null(strstr(text, "by somebody's hand"));
    cr_assert_null(strstr(text, "ready for connections"));
}

Test(death, a_full_disk_is_named)
{
    struct death_facts facts = {.pid = 3,
                                .has_status = true,
                                .status = {.exit_code = 1},
                                .is_disk_full = true,
                                .data_directory = "/vt/data"};
    CLEANUP(freep) char *text = death_explain(&facts);
    cr_assert_str_eq(text, "mysqld (pid 3) exited with 1: the disk is full at /vt/data");
}

Test(death, the_exit_of_an_adopted_server_is_unknown)
{
    struct death_facts facts = {.pid = 3, .log_text = "a\n[ERROR] boom\nb\n"};
    CLEANUP(freep) char *text = death_explain(&facts);
    cr_assert_str_eq(text, "mysqld (pid 3) ended (its exit status is not known here); its log "
                           "says: [ERROR] boom");
}

Test(death, the_line_with_the_error_tells_most)
{
    static const char log[] = "x [Note] start\nx [ERROR] unknown variable 'y'\nx [ERROR] Aborting\n"
                              "x [Note] end\n\n";
    CLEANUP(freep) char *line = death_telling_line(log, true);
    cr_assert_str_eq(line, "x [ERROR] unknown variable 'y'");
    CLEANUP(freep) char *last = death_telling_line("one\ntwo\n\n", true);
    cr_assert_str_eq(last, "two");
    CLEANUP(freep) char *nothing = death_telling_line("one\ntwo\n", false);
    cr_assert_str_eq(nothing, "");
    CLEANUP(freep) char *empty = death_telling_line(NULL, true);
    cr_assert_str_eq(empty, "");
}

Test(death, memory_kills_are_read_from_both_versions)
{
    cr_assert_eq(death_parse_memory_kills("low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\n"
                                          "oom_group_kill 5\n"),
                 4);
    cr_assert_eq(death_parse_memory_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"), 7);
    cr_assert_eq(death_parse_memory_kills("oom_kill_disable 1\n"), 0);
    cr_assert_eq(death_parse_memory_kills(""), 0);
    cr_assert_geq(death_memory_kills(), 0);
}

Test(death, full_disks_are_known_by_the_log)
{
    cr_assert(death_is_disk_full("/nonexistent", "x: No space left on device"));
    cr_assert(death_is_disk_full("/nonexistent", "(OS errno 28 - x)"));
    cr_assert(!death_is_disk_full("/nonexistent", "all is well"));
    cr_assert(!death_is_disk_full("/nonexistent", NULL));
}

Test(death, only_what_was_logged_since_is_read)
{
    char path[] = "/tmp/vtagent-death-XXXXXX";
    int descriptor = mkstemp(path);
    cr_assert_null(file_write_all(descriptor, "old\n", 4, path));
    int64_t offset = death_log_size(path);
    cr_assert_null(file_write_all(descriptor, "new\n", 4, path));
    CLEANUP(freep) char *text = death_log_since(path, offset);
    cr_assert_str_eq(text, "new\n");
    CLEANUP(freep) char *rotated = death_log_since(path, 1000);
    cr_assert_str_eq(rotated, "old\nnew\n");
    close(descriptor);
    unlink(path);
    cr_assert_eq(death_log_size(path), 0);
    CLEANUP(freep) char *missing = death_log_since(path, 0);
    cr_assert_str_eq(missing, "");
    cr_assert_eq(death_log_size("/dev/null"), 0);
}
