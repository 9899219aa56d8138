/* TLS and static authentication. */
#include "certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECURE_TEST(name) Test(rpc_secure, name, .init = loopback_init, .fini = loopback_done)

SECURE_TEST(tls_with_and_without_trust)
{
    make_authority("ca");
    make_authority("other");
    make_certificate("server", "ca");
    serve_tls("server", NULL, false);
    assert_ok(ping_with(NULL, "ca"));
    assert_error(ping_with(NULL, "other"), ERROR_UNAVAILABLE, "");
    assert_error(ping_with(NULL, NULL), ERROR_UNAVAILABLE, ""); /* plaintext */
}

SECURE_TEST(client_certificate_is_required)
{
    make_authority("ca");
    make_authority("other");
    make_certificate("server", "ca");
    make_certificate("client", "ca");
    make_certificate("stranger", "other");
    serve_tls("server", "ca", true);
    assert_ok(ping_with("client", "ca"));
    assert_error(ping_with(NULL, "ca"), ERROR_UNAVAILABLE, "");
    assert_error(ping_with("stranger", "ca"), ERROR_UNAVAILABLE, "");
}

SECURE_TEST(client_certificate_may_be_left_out)
{
    make_authority("ca");
    make_certificate("server", "ca");
    make_certificate("client", "ca");
    serve_tls("server", "ca", false);
    assert_ok(ping_with("client", "ca"));
    assert_ok(ping_with(NULL, "ca"));
}

static void
rename_in_folder(const char *from, const char *to)
{
    char *source = in_folder(from), *target = in_folder(to);
    cr_assert_eq(rename(source, target), 0);
    free(source);
    free(target);
}

SECURE_TEST(new_certificate_is_served_without_restart)
{
    make_authority("ca");
    make_authority("next");
    make_certificate("server", "ca");
    make_certificate("fresh", "next");
    serve_tls("server", NULL, false);
    assert_ok(ping_with(NULL, "ca"));
    rename_in_folder("fresh.key", "server.key"); /* half of the change: the old pair stays */
    assert_ok(ping_with(NULL, "ca"));
    rename_in_folder("fresh.crt", "server.crt");
    assert_ok(ping_with(NULL, "next"));
    assert_error(ping_with(NULL, "ca"), ERROR_UNAVAILABLE, "");
}

SECURE_TEST(client_follows_its_files)
{
    make_authority("ca");
    make_authority("other");
    make_certificate("server", "ca");
    serve_tls("server", NULL, false);
    struct rpc_tls tls = tls_files(NULL, "other");
    struct rpc_channel *channel = loopback_connect((struct rpc_channel_options){.tls = tls});
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    assert_error(call_ping(channel, "x", cancel, NULL), ERROR_UNAVAILABLE, "");
    rename_in_folder("ca.crt", "other.crt");
    assert_ok(call_ping(channel, "x", cancel, NULL));
    rpc_channel_free(channel);
    tls_files_done(&tls);
}

SECURE_TEST(bad_files_are_named)
{
    make_authority("ca");
    make_authority("other");
    assert_error(start_with(tls_files("missing", NULL)), ERROR_NOT_FOUND, "missing.crt");
    struct rpc_tls mixed = tls_files("ca", NULL);
    free(mixed.key_file);
    mixed.key_file = in_folder("other.key");
    assert_error(start_with(mixed), ERROR_INVALID_ARGUMENT, "is not that of");
    struct rpc_tls swapped = tls_files("ca", NULL);
    free(swapped.key_file);
    swapped.key_file = in_folder("ca.crt");
    assert_error(start_with(swapped), ERROR_INVALID_ARGUMENT, "no PEM key");
    struct rpc_tls half = tls_files("ca", NULL);
    free(half.key_file);
    half.key_file = NULL;
    assert_error(start_with(half), ERROR_INVALID_ARGUMENT, "certificate and its key");
    struct rpc_tls lax = tls_files("ca", NULL);
    lax.requires_client_certificate = true;
    assert_error(start_with(lax), ERROR_INVALID_ARGUMENT, "authorities");
}

/* ---- Static authentication ---- */
static struct error *
ping_as(const char *credentials)
{
    char *path = in_folder("client.json");
    if (credentials != NULL)
        write_file(path, credentials);
    struct rpc_channel *channel = loopback_connect(
        (struct rpc_channel_options){.auth = {.client_file = credentials != NULL ? path : NULL}});
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    struct error *error = call_ping(channel, "x", cancel, NULL);
    rpc_channel_free(channel);
    free(path);
    return error;
}

#define ANN "{\"Username\": \"ann\", \"Password\": \"secret\"}"
#define BOB "{\"Username\": \"bob\", \"Password\": \"other\"}"

static char *
serve_users(void)
{
    char *path = in_folder("users.json");
    write_file(path, "[" ANN "]");
    loopback_serve((struct rpc_server_options){.auth = {.users_file = path}});
    return path;
}

SECURE_TEST(static_auth)
{
    CLEANUP(freep) char *users = serve_users();
    assert_ok(ping_as(ANN));
    assert_error(ping_as(NULL), ERROR_UNAUTHENTICATED, "username and password must be provided");
    assert_error(ping_as(BOB), ERROR_PERMISSION_DENIED, "caller \"bob\"");
    assert_error(ping_as("{\"Username\": \"ann\", \"Password\": \"secre\"}"),
                 ERROR_PERMISSION_DENIED, "invalid credentials");
}

SECURE_TEST(static_auth_users_are_read_again)
{
    CLEANUP(freep) char *users = serve_users();
    assert_error(ping_as(BOB), ERROR_PERMISSION_DENIED, "bob");
    write_file(users, "[" ANN ", " BOB "]");
    assert_ok(ping_as(BOB));
    write_file(users, "not json"); /* what was read before stays */
    assert_ok(ping_as(BOB));
    write_file(users, "[" BOB "]");
    assert_error(ping_as(ANN), ERROR_PERMISSION_DENIED, "ann");
}

SECURE_TEST(bad_credential_files_are_refused)
{
    static const char *const ADDRESSES[] = {"127.0.0.1:0", NULL};
    CLEANUP(freep) char *path = in_folder("bad.json");
    struct rpc_server_options options = {.addresses = ADDRESSES, .auth = {.users_file = path}};
    struct rpc_server *server = NULL;
    assert_error(rpc_server_start(loopback.pump, &options, &server), ERROR_NOT_FOUND, "bad.json");
    write_file(path, "{}");
    assert_error(rpc_server_start(loopback.pump, &options, &server), ERROR_INVALID_ARGUMENT,
                 "list of users");
    write_file(path, "[{\"Username\": 1}]");
    assert_error(rpc_server_start(loopback.pump, &options, &server), ERROR_INVALID_ARGUMENT,
                 "Password");
    struct rpc_channel *channel = NULL;
    struct rpc_channel_options client = {.target = "127.0.0.1:1", .auth = {.client_file = path}};
    write_file(path, "{\"Username\": \"a\\nb\", \"Password\": \"p\"}");
    assert_error(rpc_channel_new(loopback.pump, &client, &channel), ERROR_INVALID_ARGUMENT,
                 "cannot send");
}
