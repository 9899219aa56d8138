/* Revocation lists, and names in client certificates. */
#include "certificates.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/base/file.h"

#define REVOKED_TEST(name) Test(rpc_revoked, name, .init = loopback_init, .fini = loopback_done)

static void
openssl_ca(const char *authority, const char *arguments)
{
    char text[512];
    snprintf(text, sizeof(text), "ca -config %s.cnf -name ca -batch %s", authority, arguments);
    openssl(text);
}

/* An empty list, in AUTHORITY.crl. */
static void
make_list(const char *authority)
{
    CLEANUP(freep) char *config = xasprintf("%s.cnf", authority);
    CLEANUP(freep) char *index = xasprintf("%s.index", authority);
    CLEANUP(freep) char *config_path = in_folder(config);
    CLEANUP(freep) char *index_path = in_folder(index);
    CLEANUP(freep)
    char *text = xasprintf("[ca]\ndatabase = %s\ndefault_md = sha256\n"
                           "private_key = %s.key\ncertificate = %s.crt\n",
                           index, authority, authority);
    write_file(config_path, text);
    write_file(index_path, "");
    CLEANUP(freep) char *arguments = xasprintf("-gencrl -crldays 1 -out %s.crl", authority);
    openssl_ca(authority, arguments);
}

static void
revoke(const char *name, const char *authority, const char *life)
{
    CLEANUP(freep) char *revocation = xasprintf("-revoke %s.crt", name);
    openssl_ca(authority, revocation);
    CLEANUP(freep) char *list = xasprintf("-gencrl %s -out %s.crl", life, authority);
    openssl_ca(authority, list);
}

static void
serve_with_list(const char *list)
{
    struct rpc_tls tls = tls_files("server", "ca");
    tls.requires_client_certificate = true;
    tls.crl_file = in_folder(list);
    loopback_serve((struct rpc_server_options){.tls = tls});
    tls_files_done(&tls);
}

REVOKED_TEST(revoked_client_is_refused_without_restart)
{
    make_authority("ca");
    make_certificate("server", "ca");
    make_certificate("client", "ca");
    make_certificate("other", "ca");
    make_list("ca");
    serve_with_list("ca.crl");
    struct rpc_tls tls = tls_files("client", "ca");
    struct rpc_channel *kept = loopback_connect((struct rpc_channel_options){.tls = tls});
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    assert_ok(call_ping(kept, "x", cancel, NULL));
    revoke("client", "ca", "-crldays 1");
    assert_error(call_ping(kept, "x", cancel, NULL), ERROR_UNAUTHENTICATED,
                 "certificate revoked: 'CN=client'"); /* on the same connection */
    assert_error(ping_with("client", "ca"), ERROR_UNAUTHENTICATED, "revoked");
    assert_ok(ping_with("other", "ca"));
    CLEANUP(freep) char *list = in_folder("ca.crl");
    write_file(list, "-----BEGIN X509 CRL-----\nxx\n"); /* what was read before stays */
    assert_error(ping_with("client", "ca"), ERROR_UNAUTHENTICATED, "revoked");
    assert_ok(ping_with("other", "ca"));
    rpc_channel_free(kept);
    tls_files_done(&tls);
}

REVOKED_TEST(list_past_its_date_counts)
{
    make_authority("ca");
    make_certificate("server", "ca");
    make_certificate("client", "ca");
    make_certificate("other", "ca");
    make_list("ca");
    revoke("client", "ca", "-crl_lastupdate 20200101000000Z -crl_nextupdate 20200102000000Z");
    serve_with_list("ca.crl");
    assert_error(ping_with("client", "ca"), ERROR_UNAUTHENTICATED, "revoked");
    assert_ok(ping_with("other", "ca"));
}

/* Both authorities are called the same, and so are the numbers of what they signed. */
REVOKED_TEST(list_of_another_authority_does_not_count)
{
    make_authority("ca");
    make_certificate("server", "ca");
    make_certificate("client", "ca");
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ca "
        "-keyout twin.key -out twin.crt");
    make_list("twin");
    revoke("client", "twin", "-crldays 1");
    serve_with_list("twin.crl");
    assert_ok(ping_with("client", "ca"));
}

static struct error *
ping_knowing(const char *list)
{
    struct rpc_tls tls = tls_files("client", "ca");
    tls.crl_file = in_folder(list);
    struct rpc_channel *channel = loopback_connect((struct rpc_channel_options){.tls = tls});
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    struct error *error = call_ping(channel, "x", cancel, NULL);
    rpc_channel_free(channel);
    tls_files_done(&tls);
    return error;
}

REVOKED_TEST(revoked_server_is_not_called)
{
    make_authority("ca");
    make_certificate("server", "ca");
    make_certificate("client", "ca");
    make_list("ca");
    serve_tls("server", "ca", true);
    assert_ok(ping_knowing("ca.crl"));
    revoke("server", "ca", "-crldays 1");
    assert_error(ping_knowing("ca.crl"), ERROR_UNAVAILABLE, "certificate revoked: 'CN=server'");
}

/* Who waits for the connection is told at the deadline why there was none. */
REVOKED_TEST(a_call_that_waits_is_told_the_cause)
{
    make_authority("ca");
    make_certificate("server", "ca");
    make_certificate("client", "ca");
    make_list("ca");
    revoke("server", "ca", "-crldays 1");
    serve_tls("server", "ca", true);
    struct rpc_tls tls = tls_files("client", "ca");
    tls.crl_file = in_folder("ca.crl");
    struct rpc_channel *channel =
        loopback_connect((struct rpc_channel_options){.tls = tls, .waits_for_ready = true});
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new_child(NULL, 1000);
    assert_error(call_ping(channel, "x", cancel, NULL), ERROR_DEADLINE_EXCEEDED,
                 "certificate revoked: 'CN=server'");
    rpc_channel_free(channel);
    tls_files_done(&tls);
}

REVOKED_TEST(list_does_not_replace_the_check_of_the_name)
{
    make_authority("ca");
    make_certificate("server", "ca");
    make_certificate("client", "ca");
    make_list("ca");
    serve_tls("server", "ca", true);
    struct rpc_tls tls = tls_files("client", "ca");
    static char elsewhere[] = "elsewhere.example";
    tls.server_name = elsewhere;
    tls.crl_file = in_folder("ca.crl");
    struct rpc_channel *channel = loopback_connect((struct rpc_channel_options){.tls = tls});
    CLEANUP(cancel_unrefp) struct cancel *cancel = test_cancel();
    assert_error(call_ping(channel, "x", cancel, NULL), ERROR_UNAVAILABLE, "");
    rpc_channel_free(channel);
    tls_files_done(&tls);
}

/* The list of an authority in between, whose certificate only the client sends. */
REVOKED_TEST(revoked_authority_in_between_is_refused)
{
    make_authority("ca");
    make_certificate("server", "ca");
    openssl("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=middle -addext "
            "basicConstraints=critical,CA:TRUE -keyout middle.key -out middle.csr");
    openssl("x509 -req -in middle.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 "
            "-copy_extensions copy -out middle.crt");
    make_certificate("client", "middle");
    CLEANUP(freep) char *leaf = in_folder("client.crt");
    CLEANUP(freep) char *middle = in_folder("middle.crt");
    CLEANUP(buffer_done) struct buffer both = BUFFER_INIT;
    assert_ok(file_read(leaf, 65536, &both));
    assert_ok(file_read(middle, 65536, &both));
    write_file(leaf, buffer_text(&both));
    make_list("ca");
    serve_with_list("ca.crl");
    assert_ok(ping_with("client", "ca"));
    revoke("middle", "ca", "-crldays 1");
    assert_error(ping_with("client", "ca"), ERROR_UNAUTHENTICATED, "revoked: 'CN=middle'");
}

REVOKED_TEST(bad_lists_are_named)
{
    make_authority("ca");
    make_list("ca");
    struct rpc_tls tls = tls_files("ca", "ca");
    tls.crl_file = in_folder("gone.crl");
    assert_error(start_with(tls), ERROR_NOT_FOUND, "gone.crl");
    CLEANUP(freep) char *path = in_folder("gone.crl");
    write_file(path, "nothing");
    tls = tls_files("ca", "ca");
    tls.crl_file = in_folder("gone.crl");
    assert_error(start_with(tls), ERROR_INVALID_ARGUMENT, "no revocation list in");
    tls = tls_files("ca", "ca");
    tls.crl_file = in_folder("ca.crt");
    assert_error(start_with(tls), ERROR_INVALID_ARGUMENT, "no revocation list in");
    tls = tls_files("ca", NULL);
    tls.crl_file = in_folder("ca.crl");
    assert_error(start_with(tls), ERROR_INVALID_ARGUMENT, "authorities");
}

/* ---- Names in client certificates ---- */
static void
serve_subjects(const char *allowed)
{
    struct rpc_tls tls = tls_files("server", "ca");
    tls.requires_client_certificate = true;
    loopback_serve((struct rpc_server_options){.tls = tls, .allowed_subjects = allowed});
    tls_files_done(&tls);
}

REVOKED_TEST(only_known_names_may_call)
{
    make_authority("ca");
    make_certificate("server", "ca");
    make_certificate("vtctld", "ca");
    make_certificate("intruder", "ca");
    serve_subjects("CN=vtorc:CN=vtctld");
    assert_ok(ping_with("vtctld", "ca"));
    assert_error(ping_with("intruder", "ca"), ERROR_UNAUTHENTICATED,
                 "client certificate not authorized");
}

REVOKED_TEST(empty_text_lets_all_certificates_in)
{
    make_authority("ca");
    make_certificate("server", "ca");
    make_certificate("any", "ca");
    serve_subjects("CN=vtorc:");
    assert_ok(ping_with("any", "ca"));
}
