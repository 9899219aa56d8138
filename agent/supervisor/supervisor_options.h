/* The supervisor's flags: mysqlctld's names. Those without a meaning here are accepted. */
#ifndef VTAGENT_SUPERVISOR_OPTIONS_H
#define VTAGENT_SUPERVISOR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/error.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"

struct supervisor_options {
    int64_t tablet_uid, mysql_port;
    int64_t wait_time_ms, shutdown_wait_time_ms;
    char *socket_file, *mysql_socket, *init_db_sql_file, *tablet_dir, *mycnf_template;
    char *dba_user, *dba_password, *old_dba_user;
    int64_t grpc_port;
    char *grpc_bind_address, *grpc_cert, *grpc_key, *grpc_ca, *grpc_crl;
    char *grpc_auth_mode, *grpc_users_file, *grpc_allowed_subjects;
    char *pid_file, *log_level, *log_format;
    bool wants_help, wants_version;
};

/* Parses and validates. Names of flags given without effect go to ret_ignored. */
struct error *supervisor_options_parse(int argc, char *const *argv,
                                       struct supervisor_options *options,
                                       struct strv *ret_ignored) ERROR_MUST_CHECK;
void supervisor_options_print_help(void);
void supervisor_options_done(struct supervisor_options *options);
struct error *supervisor_options_log_format(const struct supervisor_options *options,
                                            enum log_format *ret_format) ERROR_MUST_CHECK;

#endif
