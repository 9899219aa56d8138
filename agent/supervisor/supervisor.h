/* The `vtagent mysqld` face, also started as `mysqlctld`: keeps one mysqld for one tablet.
 *
 * Lays out the tablet's folder as Vitess does, initialises an empty one, starts mysqld, starts it
 * again when it dies, stops it on SIGTERM, and serves mysqlctl.MysqlCtl and vtagent.Supervisor on a
 * unix socket. Fit to be PID 1 of a database container. mysqld outlives a killed supervisor; the
 * next one adopts it. */
#ifndef VTAGENT_SUPERVISOR_SUPERVISOR_H
#define VTAGENT_SUPERVISOR_SUPERVISOR_H

/* argv[1..] are the flags. Returns the exit code: 0 after a clean stop, 1 after an error, 2 for
 * wrong flags (printed in one line). */
int supervisor_main(int argc, char **argv);

#endif
