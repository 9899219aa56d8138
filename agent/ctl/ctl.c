#include "agent/ctl/ctl.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/ctl/session.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG_USE = 2, EXIT_INTERRUPTED = 130 };

/* ---- Ctrl-C: the first asks the verb to end (it undoes what it must), the second ends us ---- */

struct interrupter {
    pthread_t thread;
    bool has_thread;
    int signals;
    struct cancel *action, *stop;
};

static void *
watch_signals(void *data)
{
    struct interrupter *interrupter = data;
    bool was_asked = false;
    for (;;) {
        struct pollfd watched[] = {
            {.fd = interrupter->signals, .events = POLLIN},
            {.fd = cancel_descriptor(interrupter->stop), .events = POLLIN},
        };
        if (poll(watched, ARRAY_LENGTH(watched), -1) < 0)
            continue;
        if (watched[1].revents != 0)
            return NULL;
        struct signalfd_siginfo info;
        if (read(interrupter->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
            continue;
        if (was_asked)
            _exit(EXIT_INTERRUPTED);
        was_asked = true;
        fputs("interrupted: ending in good order; once more to end at once\n", stderr);
        cancel_request(interrupter->action);
    }
}

static void
interrupter_start(struct interrupter *interrupter, struct cancel *action)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    interrupter->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    interrupter->action = action;
    interrupter->stop = cancel_new(INT64_MAX);
    interrupter->has_thread =
        pthread_create(&interrupter->thread, NULL, watch_signals, interrupter) == 0;
}

static void
interrupter_stop(struct interrupter *interrupter)
{
    cancel_request(interrupter->stop);
    if (interrupter->has_thread)
        pthread_join(interrupter->thread, NULL);
    if (interrupter->signals >= 0)
        close(interrupter->signals);
    cancel_unref(interrupter->stop);
}

/* ---- The session ---- */

static struct error *
call_tablet(struct ctl *ctl, const Topodata__Tablet *tablet, const char *method,
            const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
            struct cancel *cancel, ProtobufCMessage **ret_response)
{
    return tm_call(ctl->client, tablet, method, request, response, cancel, ret_response);
}

static struct error *
open_topology(struct ctl *ctl)
{
    const struct ctl_options *options = &ctl->options;
    if (str_is_empty(options->topo_address))
        return ctl_wrong_use(ctl, "expected --topo-global-server-address");
    if (options->topo_root == NULL)
        return ctl_wrong_use(ctl, "expected --topo-global-root");
    if (strcmp(options->topo_implementation, "etcd2") != 0)
        return ctl_wrong_use(ctl, "topology '%s' is not supported: expected etcd2",
                             options->topo_implementation);
    struct topo_etcd_options etcd = {
        .addresses = options->topo_address,
        .root = options->topo_root,
        .tls = {.certificate_file = options->topo_tls_cert,
                .key_file = options->topo_tls_key,
                .ca_file = options->topo_tls_ca},
        .lease_ttl_seconds = options->topo_lease_ttl,
    };
    struct error *error = topo_open(ctl->pump, &etcd, &ctl->topo);
    return error_is(error, ERROR_INVALID_ARGUMENT) ? ctl_as_wrong_use(ctl, error) : error;
}

static struct error *
open_session(struct ctl *ctl)
{
    const struct ctl_options *options = &ctl->options;
    TRY(rpc_pump_start(&ctl->pump));
    TRY(open_topology(ctl));
    struct rpc_tls tls = {
        .certificate_file = options->tablet_tls_cert,
        .key_file = options->tablet_tls_key,
        .ca_file = options->tablet_tls_ca,
        .crl_file = options->tablet_tls_crl,
        .server_name = options->tablet_tls_server_name,
    };
    struct rpc_static_auth auth = {.client_file = options->tablet_auth_file};
    ctl->client = tm_client_new(ctl->pump, &tls, &auth);
    ctl->call = call_tablet;
    return NULL;
}

struct error *
ctl_open_topology_if_given(struct ctl *ctl)
{
    return str_is_empty(ctl->options.topo_address) ? NULL : open_session(ctl);
}

struct error *
ctl_run_verb(struct ctl *ctl, const struct ctl_verb *verb)
{
    return verb->run(ctl);
}

static struct error *
run_session(struct ctl *ctl, const struct ctl_verb *verb)
{
    int64_t timeout_ms = ctl->options.action_timeout_ms;
    ctl->cancel = cancel_new_child(NULL, timeout_ms > 0 ? timeout_ms : INT64_MAX);
    struct interrupter interrupter = {.signals = -1};
    interrupter_start(&interrupter, ctl->cancel);
    struct error *error = verb->needs_no_topology ? NULL : open_session(ctl);
    if (error == NULL)
        error = ctl_run_verb(ctl, verb);
    interrupter_stop(&interrupter);
    return error;
}

static void
session_done(struct ctl *ctl)
{
    tm_client_free(ctl->client);
    topo_close(ctl->topo);
    if (ctl->pump != NULL)
        rpc_pump_stop(ctl->pump);
    cancel_unref(ctl->cancel);
    strv_done(&ctl->words);
    ctl_options_done(&ctl->options);
    pthread_mutex_destroy(&ctl->output_mutex);
}

static struct error *
print_help_for(struct ctl *ctl, const struct ctl_verb *verb)
{
    if (ctl->words.count > 0 && !ctl->options.wants_help) {
        verb = ctl_find_verb(ctl->words.items[0]);
        if (verb == NULL)
            return ctl_wrong_use(ctl, "unknown verb '%s': 'vtagent ctl --help' lists them",
                                 ctl->words.items[0]);
    }
    ctl_print_help(verb, ctl->out);
    return NULL;
}

int
ctl_main(int argc, char **argv)
{
    log_init(LOG_LEVEL_WARN, LOG_FORMAT_AUTO);
    struct ctl ctl = {.out = stdout, .err = stderr, .may_have_child = true};
    pthread_mutex_init(&ctl.output_mutex, NULL);
    const struct ctl_verb *verb = NULL;
    struct error *error = ctl_parse(&ctl, argc, argv, &verb);
    if (error == NULL && (ctl.options.wants_help || verb->run == NULL))
        error = print_help_for(&ctl, verb);
    else if (error == NULL)
        error = run_session(&ctl, verb);
    if (error == NULL && fflush(stdout) != 0)
        error = error_new(ERROR_UNKNOWN, "the output could not be written");
    int code = error == NULL ? EXIT_DONE : ctl.is_wrong_use ? EXIT_WRONG_USE : EXIT_FAILED;
    if (error != NULL)
        fprintf(stderr, "vtagent ctl%s%s: %s\n", verb == NULL ? "" : " ",
                verb == NULL ? "" : verb->name, error->message);
    error_free(error);
    session_done(&ctl);
    return code;
}
