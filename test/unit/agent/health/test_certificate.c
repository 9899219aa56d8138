#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/memory.h"
#include "agent/health/certificate.h"

/* notAfter=Jan  1 00:00:00 2030 GMT */
static const char pem[] = "-----BEGIN CERTIFICATE-----\n"
                          "MIH/MIGmAgEBMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMMAXgwHhcNMjAwMTAxMDAw\n"
                          "MDAwWhcNMzAwMTAxMDAwMDAwWjAMMQowCAYDVQQDDAF4MFkwEwYHKoZIzj0CAQYI\n"
                          "KoZIzj0DAQcDQgAEpN+fsAl2hqvFOZCyE6UAsznQGvoAvCa4rsck980Z6a4x7uin\n"
                          "+QiM106D/lmCqo7nCAFGODLYbZ+1idAmOyOL5TAKBggqhkjOPQQDAgNIADBFAiA9\n"
                          "tGUsdLHkYk3XTo4a9cdtNPx4U+TXB6hqJMJvkaXAZQIhAJmbKzRUXQQDRcmqNPhZ\n"
                          "015yOlMRECK+qtSMkAxSwRnF\n"
                          "-----END CERTIFICATE-----\n";

Test(certificate, its_end_is_read)
{
    int64_t expires_ns = 0;
    cr_assert_null(certificate_expiry(pem, strlen(pem), &expires_ns));
    cr_assert_eq(expires_ns, 1893456000000000000);
}

Test(certificate, something_else_is_an_error)
{
    int64_t expires_ns = 7;
    struct error *error = certificate_expiry("hello", 5, &expires_ns);
    cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
    cr_assert_eq(expires_ns, 7);
    error_free(error);
}

Test(certificate, a_file_is_read_again_when_it_changed)
{
    char path[] = "/tmp/vtagent-certificate-XXXXXX";
    int descriptor = mkstemp(path);
    cr_assert_geq(descriptor, 0);
    close(descriptor);
    struct certificate_file file = {.path = path};
    certificate_file_look(&file);
    cr_assert_neq(file.error[0], '\0');
    cr_assert_null(file_write_safely(path, pem, strlen(pem), 0600));
    certificate_file_look(&file);
    cr_assert_eq(file.error[0], '\0');
    cr_assert_eq(file.expires_ns, 1893456000000000000);
    unlink(path);
    certificate_file_look(&file);
    cr_assert_not_null(strstr(file.error, path));
}
