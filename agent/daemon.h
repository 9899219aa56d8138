/* The `vtagent tablet` face, also started as `vttablet`: makes the server beside it a tablet. */
#ifndef VTAGENT_DAEMON_H
#define VTAGENT_DAEMON_H

/* argv[1..] are the flags. Returns the exit code: 0 after a clean stop, 1 when the tablet cannot
 * run (another agent runs, a port is taken, the shard is another), 2 for flags that make no sense.
 * The last two after one line on stderr. */
int tablet_main(int argc, char **argv);
/* `vtagent doctor`: looks at storage, data and server with the same flags, changes nothing, and
 * says what to do. Exit code: 0 all is well, 1 warnings, 2 something failed, or wrong flags. */
int doctor_main(int argc, char **argv);

#endif
