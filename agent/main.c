/* One binary, four faces: who is meant is in argv[0] or in the first word. */
#include <stdio.h>
#include <string.h>

#include "agent/base/memory.h"
#include "agent/ctl/ctl.h"
#include "agent/daemon.h"
#include "agent/job/job.h"
#include "agent/supervisor/freeze.h"
#include "agent/supervisor/supervisor.h"
#include "agent/tablet/states.h"

#ifndef VTAGENT_VERSION
#define VTAGENT_VERSION "unknown"
#endif

static const char usage[] =
    "usage: vtagent tablet FLAGS    the agent beside a server (flags of vttablet)\n"
    "       vtagent mysqld FLAGS    keeps mysqld running (flags of mysqlctld)\n"
    "       vtagent ctl VERB ...    commands of an operator (vtagent ctl help)\n"
    "       vtagent doctor FLAGS    can backups be taken and kept? (flags of the agent, --json)\n"
    "       vtagent states          the tablet's states as a diagram\n"
    "       vtagent version | help\n"
    "'vtagent tablet --help' and 'vtagent mysqld --help' list the flags.\n";

static int
version_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("vtagent %s\n", VTAGENT_VERSION);
    return 0;
}

static int
help_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    fputs(usage, stdout);
    return 0;
}

static int
states_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    states_print_diagram(stdout);
    return 0;
}

struct face {
    const char *name;
    int (*main)(int argc, char **argv);
};

static const struct face words[] = {
    {"tablet", tablet_main},   {"mysqld", supervisor_main}, {"job", job_main},
    {"ctl", ctl_main},         {"doctor", doctor_main},     {"states", states_main},
    {"version", version_main}, {"help", help_main},         {"guard", guard_main},
};
/* The names of the programs that we stand in for. */
static const struct face programs[] = {
    {"vttablet", tablet_main},
    {"mysqlctld", supervisor_main},
};

static const struct face *
find_face(const struct face *faces, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(faces[i].name, name))
            return &faces[i];
    }
    return NULL;
}

int
main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *program = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";
    const struct face *face = find_face(programs, ARRAY_LENGTH(programs), program);
    if (face != NULL)
        return face->main(argc, argv);
    if (argc < 2) {
        fputs(usage, stderr);
        return 2;
    }
    face = find_face(words, ARRAY_LENGTH(words), argv[1]);
    if (face != NULL)
        return face->main(argc - 1, argv + 1);
    if (str_equal(argv[1], "--help") || str_equal(argv[1], "-h"))
        return help_main(argc, argv);
    if (str_equal(argv[1], "--version"))
        return version_main(argc, argv);
    if (argv[1][0] == '-')
        return tablet_main(argc, argv);
    fprintf(
        stderr,
        "vtagent: '%s' is no command: use tablet, mysqld, ctl, doctor, states, version or help\n",
        argv[1]);
    return 2;
}
