#include "certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/child.h"

char *
in_folder(const char *name)
{
    return xasprintf("%s/%s", loopback.directory, name);
}

void
openssl(const char *arguments)
{
    struct strv words = {.items = NULL};
    strv_add(&words, "openssl");
    strv_split(&words, arguments, ' ');
    struct child_options options = child_options_default();
    options.argv = (const char *const *)words.items;
    options.working_directory = loopback.directory;
    struct buffer output = BUFFER_INIT, complaints = BUFFER_INIT;
    struct child_status status = {.exit_code = -1};
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    assert_ok(child_run(&options, NULL, 65536, cancel, &status, &output, &complaints));
    if (status.exit_code != 0)
        fprintf(stderr, "openssl %s: %s\n", arguments, buffer_text(&complaints));
    cr_assert_eq(status.exit_code, 0);
    buffer_done(&output);
    buffer_done(&complaints);
    strv_done(&words);
}

void
make_authority(const char *name)
{
    char text[512];
    snprintf(text, sizeof(text),
             "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=%s -keyout %s.key -out %s.crt",
             name, name, name);
    openssl(text);
}

void
make_certificate(const char *name, const char *authority)
{
    char text[512];
    snprintf(text, sizeof(text),
             "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=%s "
             "-addext subjectAltName=DNS:tablet.example -keyout %s.key -out %s.csr",
             name, name, name);
    openssl(text);
    snprintf(text, sizeof(text),
             "x509 -req -in %s.csr -CA %s.crt -CAkey %s.key -CAcreateserial -days 2 "
             "-copy_extensions copy -out %s.crt",
             name, authority, authority, name);
    openssl(text);
}

struct rpc_tls
tls_files(const char *name, const char *authority)
{
    static char server_name[] = "tablet.example";
    struct rpc_tls tls = {.server_name = server_name};
    char text[64];
    if (name != NULL) {
        snprintf(text, sizeof(text), "%s.crt", name);
        tls.certificate_file = in_folder(text);
        snprintf(text, sizeof(text), "%s.key", name);
        tls.key_file = in_folder(text);
    }
    if (authority != NULL) {
        snprintf(text, sizeof(text), "%s.crt", authority);
        tls.ca_file = in_folder(text);
    }
    return tls;
}

void
tls_files_done(struct rpc_tls *tls)
{
    free(tls->certificate_file);
    free(tls->key_file);
    free(tls->ca_file);
    free(tls->crl_file);
}

void
serve_tls(const char *name, const char *authority, bool requires_client_certificate)
{
    struct rpc_tls tls = tls_files(name, authority);
    tls.requires_client_certificate = requires_client_certificate;
    loopback_serve((struct rpc_server_options){.tls = tls});
    tls_files_done(&tls);
}

struct error *
ping_with(const char *name, const char *authority)
{
    struct rpc_tls tls = tls_files(name, authority);
    if (authority == NULL)
        tls.server_name = NULL;
    struct rpc_channel *channel = loopback_connect((struct rpc_channel_options){.tls = tls});
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    struct error *error = call_ping(channel, "x", cancel, NULL);
    rpc_channel_free(channel);
    tls_files_done(&tls);
    return error;
}

struct error *
start_with(struct rpc_tls tls)
{
    static const char *const ADDRESSES[] = {"127.0.0.1:0", NULL};
    struct rpc_server_options options = {.addresses = ADDRESSES, .tls = tls};
    struct rpc_server *server = NULL;
    struct error *error = rpc_server_start(loopback.pump, &options, &server);
    rpc_server_stop(server, 0);
    tls_files_done(&tls);
    return error;
}
