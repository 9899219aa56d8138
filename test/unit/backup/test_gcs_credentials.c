/* Who we are: each kind of credentials, right and wrong. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "backup/gcs/gcs_credentials.h"
#include "backup/gcs/gcs_token.h"
#include "gcs_fixture.h"

static char *
make_key(void)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    long size = BIO_get_mem_data(bio, &data);
    CLEANUP(freep) char *text = xstrndup(data, (size_t)size);
    struct buffer escaped = BUFFER_INIT;
    buffer_append_json_string(&escaped, text);
    BIO_free(bio);
    EVP_PKEY_free(key);
    return buffer_take(&escaped);
}

/* The service account's file, with this member in place of the one that has its name. */
static void
use_key_file(const char *key, const char *uri)
{
    CLEANUP(freep)
    char *text =
        xasprintf("{\"type\":\"service_account\",\"client_email\":\"a@b\",\"private_key_id\""
                  ":\"k1\",\"private_key\":%s,\"token_uri\":\"%s/token\"}",
                  key, uri);
    CLEANUP(freep) char *path = fixture_path("key.json");
    fixture_write("key.json", text);
    setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1);
}

static struct error *
try_list(void)
{
    struct storage *storage = NULL;
    struct strv names = {.items = NULL};
    const struct storage_gcs_options options = {.bucket = "bucket",
                                                .root = "",
                                                .endpoint = gcs_server_url(gcs_server),
                                                .patience_ms = 500,
                                                .first_pause_ms = 5};
    TRY(storage_gcs_new(&options, &storage));
    struct error *error = storage->interface->list(storage, NULL, "ks/0", &names);
    strv_done(&names);
    storage_freep(&storage);
    return error;
}

Test(gcs_credentials, a_key_file_gives_a_token, .init = gcs_open, .fini = gcs_close)
{
    CLEANUP(freep) char *key = make_key();
    CLEANUP(buffer_done) struct buffer form = BUFFER_INIT;
    struct gcs_server_settings settings = {.token = "secret-1"};
    gcs_server_set(gcs_server, &settings);
    use_key_file(key, gcs_server_url(gcs_server));
    cr_assert_null(try_list());
    gcs_server_last_form(gcs_server, &form);
    cr_assert(str_starts_with(buffer_text(&form), "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-"
                                                  "type%3Ajwt-bearer&assertion=eyJ"));
    /* The account was deleted, the clock is an hour off. */
    settings.refuses_grant = true;
    gcs_server_set(gcs_server, &settings);
    fixture_expect(try_list(), ERROR_UNAUTHENTICATED, "deleted or disabled");
    settings.clock_ahead_s = 3600;
    gcs_server_set(gcs_server, &settings);
    fixture_expect(try_list(), ERROR_FAILED_PRECONDITION, "s behind of it; set the clock");
}

Test(gcs_credentials, wrong_files_say_what_is_wrong, .init = gcs_open, .fini = gcs_close)
{
    static const struct {
        const char *text, *problem;
    } rows[] = {
        {"not json", "are not JSON"},
        {"[1]", "are not JSON"},
        {"{}", "have no 'type'"},
        {"{\"type\":\"other\"}", "unknown type"},
        {"{\"type\":\"service_account\"}", "no 'client_email'"},
        {"{\"type\":\"service_account\",\"client_email\":\"a\",\"private_key\":\"-----BEGIN\"}",
         "not an RSA key in PEM"},
        {"{\"type\":\"authorized_user\",\"client_id\":\"a\"}", "no 'client_secret'"},
        {"{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"b\","
         "\"token_url\":\"http://example.org/\"}",
         "must be https"},
        {"{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"b\","
         "\"token_url\":\"https://example.org/\",\"credential_source\":{}}",
         "neither 'file' nor 'url'"},
    };
    CLEANUP(freep) char *path = fixture_path("key.json");
    setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1);
    fixture_expect(try_list(), ERROR_FAILED_PRECONDITION, "key.json");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        fixture_write("key.json", rows[i].text);
        fixture_expect(try_list(), ERROR_FAILED_PRECONDITION, rows[i].problem);
    }
    CLEANUP(freep) char *key = make_key();
    use_key_file(key, "http://127.0.0.1.example.org");
    fixture_expect(try_list(), ERROR_FAILED_PRECONDITION, "must be https");
}

Test(gcs_credentials, a_user_and_a_federated_account_get_tokens, .init = gcs_open,
     .fini = gcs_close)
{
    const struct gcs_server_settings settings = {.token = "secret-2"};
    const char *url = gcs_server_url(gcs_server);
    CLEANUP(freep) char *path = fixture_path("key.json");
    CLEANUP(freep) char *subject = fixture_path("subject");
    CLEANUP(buffer_done) struct buffer form = BUFFER_INIT;
    gcs_server_set(gcs_server, &settings);
    setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1);
    CLEANUP(freep)
    char *user = xasprintf("{\"type\":\"authorized_user\",\"client_id\":\"i d\",\"client_secret\":"
                           "\"s\",\"refresh_token\":\"r\",\"token_uri\":\"%s/token\"}",
                           url);
    fixture_write("key.json", user);
    cr_assert_null(try_list());
    gcs_server_last_form(gcs_server, &form);
    cr_assert_str_eq(buffer_text(&form), "grant_type=refresh_token&client_id=i%20d&client_secret=s"
                                         "&refresh_token=r");
    CLEANUP(freep)
    char *by_file = xasprintf(
        "{\"type\":\"external_account\",\"audience\":\"//iam\",\"subject_token_type\":\"jwt\","
        "\"token_url\":\"%s/sts\",\"credential_source\":{\"file\":\"%s\"}}",
        url, subject);
    fixture_write("key.json", by_file);
    fixture_expect(try_list(), ERROR_FAILED_PRECONDITION, "the subject's token");
    fixture_write("subject", "their-token\n");
    cr_assert_null(try_list());
    buffer_clear(&form);
    gcs_server_last_form(gcs_server, &form);
    cr_assert_not_null(strstr(buffer_text(&form), "subject_token=their-token"));
    cr_assert_not_null(strstr(buffer_text(&form), "devstorage.read_write"));
    CLEANUP(freep)
    char *by_url = xasprintf(
        "{\"type\":\"external_account\",\"audience\":\"//iam\",\"subject_token_type\":\"jwt\","
        "\"token_url\":\"%s/sts\",\"service_account_impersonation_url\":\"%s/impersonate\","
        "\"credential_source\":{\"url\":\"%s/subject\",\"headers\":{\"a\":\"b\"},\"format\":"
        "{\"type\":\"json\",\"subject_token_field_name\":\"access_token\"}}}",
        url, url, url);
    fixture_write("key.json", by_url);
    cr_assert_null(try_list());
    cr_assert_geq(gcs_server_requests(gcs_server, GCS_OP_TOKEN), 5);
}

Test(gcs_credentials, a_token_is_renewed_before_it_ends_and_after_it_was_revoked, .init = gcs_open,
     .fini = gcs_close)
{
    struct gcs_server_settings settings = {.token = "one", .token_lifetime_s = 3600};
    const struct storage_interface *interface = gcs_storage->interface;
    struct strv names = {.items = NULL};
    gcs_server_set(gcs_server, &settings);
    cr_assert_null(interface->list(gcs_storage, NULL, "ks/0", &names));
    cr_assert_null(interface->list(gcs_storage, NULL, "ks/0", &names));
    cr_assert_eq(gcs_server_requests(gcs_server, GCS_OP_TOKEN), 1);
    settings.token = "two";
    settings.token_lifetime_s = 1;
    gcs_server_set(gcs_server, &settings);
    cr_assert_null(interface->list(gcs_storage, NULL, "ks/0", &names));
    cr_assert_eq(gcs_server_requests(gcs_server, GCS_OP_TOKEN), 2);
    cr_assert_null(cancel_sleep_ms(NULL, 600));
    cr_assert_null(interface->list(gcs_storage, NULL, "ks/0", &names));
    cr_assert_eq(gcs_server_requests(gcs_server, GCS_OP_TOKEN), 3);
    settings.token = "three";
    settings.refuses_grant = true;
    gcs_server_set(gcs_server, &settings);
    fixture_expect(interface->list(gcs_storage, NULL, "ks/0", &names), ERROR_UNAUTHENTICATED,
                   "gives no token");
}

static void
expect_count(size_t expected)
{
    struct strv names = {.items = NULL};
    gcs_server_names(gcs_server, &names);
    cr_assert_eq(names.count, expected);
    strv_done(&names);
}

Test(gcs_credentials, a_token_that_is_revoked_during_an_upload_is_replaced_or_ends_it,
     .init = gcs_open, .fini = gcs_close)
{
    struct gcs_server_settings settings = {.token = "one"};
    const struct storage_interface *interface = gcs_storage->interface;
    static uint8_t bytes[20 * GCS_TEST_PART_BYTES];
    CLEANUP(buffer_done) struct buffer found = BUFFER_INIT;
    struct storage_writer *writer;
    gcs_server_set(gcs_server, &settings);
    cr_assert_null(interface->start(gcs_storage, NULL, "ks/0", "a"));
    cr_assert_null(interface->open_write(gcs_storage, NULL, "ks/0", "a", "0", &writer));
    cr_assert_null(interface->write(writer, bytes, sizeof(bytes) / 2));
    settings.token = "two";
    gcs_server_set(gcs_server, &settings);
    cr_assert_null(interface->write(writer, bytes, sizeof(bytes) / 2));
    cr_assert_null(interface->close_write(writer));
    cr_assert_null(gcs_read_object(gcs_storage, "a", "0", 0, UINT64_MAX, &found));
    cr_assert_eq(found.length_bytes, sizeof(bytes));
    /* And no new one is given: neither object nor MANIFEST; what is there goes later. */
    cr_assert_null(interface->open_write(gcs_storage, NULL, "ks/0", "a", "1", &writer));
    cr_assert_null(interface->write(writer, bytes, sizeof(bytes) / 2));
    settings.token = "three";
    settings.refuses_grant = true;
    gcs_server_set(gcs_server, &settings);
    struct error *error = interface->write(writer, bytes, sizeof(bytes) / 2);
    if (error == NULL)
        error = interface->close_write(writer);
    else
        interface->abort_write(writer);
    fixture_expect(error, ERROR_UNAUTHENTICATED, "deleted or disabled");
    fixture_expect(interface->put(gcs_storage, NULL, "ks/0", "a", "MANIFEST", "{}", 2),
                   ERROR_UNAUTHENTICATED, "gives no token");
    settings.refuses_grant = false;
    gcs_server_set(gcs_server, &settings);
    uint64_t size;
    fixture_expect(interface->size(gcs_storage, NULL, "ks/0", "a", "MANIFEST", &size),
                   ERROR_NOT_FOUND, "");
    fixture_expect(interface->size(gcs_storage, NULL, "ks/0", "a", "1", &size), ERROR_NOT_FOUND,
                   "");
    cr_assert_null(interface->remove(gcs_storage, NULL, "ks/0", "a"));
    expect_count(0);
}

Test(gcs_credentials, no_secret_is_in_a_message, .init = gcs_open, .fini = gcs_close)
{
    CLEANUP(freep) char *key = make_key();
    const struct gcs_server_settings settings = {.token = "secret-3"};
    const struct gcs_fault faults[] = {{GCS_OP_LIST, 0, 1000, GCS_FAULT_STATUS, 503},
                                       {GCS_OP_LIST, 0, 1000, GCS_FAULT_STATUS, 401}};
    use_key_file(key, gcs_server_url(gcs_server));
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        gcs_server_reset(gcs_server);
        gcs_server_set(gcs_server, &settings);
        gcs_server_add_fault(gcs_server, &faults[i]);
        struct error *error = try_list();
        cr_assert_not_null(error);
        cr_assert_null(strstr(error->message, "secret-3"));
        cr_assert_null(strstr(error->message, "eyJ"));
        error_free(error);
    }
}
