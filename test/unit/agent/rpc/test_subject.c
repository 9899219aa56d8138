/* Expected texts are what Go 1.26's pkix.Name.String() prints for the same names. */
#include "agent/rpc/subject.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "agent/base/memory.h"

#define MOST_PARTS 10

static void
check(const char *expected, const char *const parts[][2])
{
    X509 *certificate = X509_new();
    for (size_t i = 0; i < MOST_PARTS && parts[i][0] != NULL; i++)
        cr_assert_eq(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), parts[i][0],
                                                MBSTRING_UTF8, (const unsigned char *)parts[i][1],
                                                -1, -1, 0),
                     1);
    CLEANUP(freep) char *text = subject_text(certificate);
    X509_free(certificate);
    cr_assert_str_eq(text, expected);
}

Test(rpc_subject, plain)
{
    check("CN=tablet", (const char *const[MOST_PARTS][2]){{"CN", "tablet"}});
    check("", (const char *const[MOST_PARTS][2]){{NULL, NULL}});
}

Test(rpc_subject, order_is_fixed_and_values_are_escaped)
{
    check("CN=a b\\ ,OU=db+OU=ops,O=Acme\\, Inc.,L=Mitte,ST=Berlin,C=DE",
          (const char *const[MOST_PARTS][2]){{"C", "DE"},
                                             {"ST", "Berlin"},
                                             {"L", "Mitte"},
                                             {"O", "Acme, Inc."},
                                             {"OU", "db"},
                                             {"OU", "ops"},
                                             {"CN", "a b "}});
    check("CN=\\ lead,OU=b,O=a",
          (const char *const[MOST_PARTS][2]){{"O", "a"}, {"OU", "b"}, {"CN", " lead"}});
}

Test(rpc_subject, last_common_name_counts)
{
    check(
        "CN=\\#second,O=Ünï\\\"q\\\",2.5.4.12=#13024472,0.9.2342.19200300.100.1.1=#13023432",
        (const char *const[MOST_PARTS][2]){
            {"CN", "first"}, {"CN", "#second"}, {"O", "Ünï\"q\""}, {"UID", "42"}, {"title", "Dr"}});
}

Test(rpc_subject, other_attributes_stand_last_as_their_encoding)
{
    check("SERIALNUMBER=7,CN=x,POSTALCODE=10115,0.9.2342.19200300.100.1.25=#13076578616d706c65,"
          "1.2.840.113549.1.9.1=#0c0b6140622e6578616d706c65",
          (const char *const[MOST_PARTS][2]){{"serialNumber", "7"},
                                             {"emailAddress", "a@b.example"},
                                             {"CN", "x"},
                                             {"DC", "example"},
                                             {"postalCode", "10115"}});
}
