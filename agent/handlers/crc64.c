#include "agent/handlers/crc64.h"

#define REVERSED_POLYNOMIAL 0xd800000000000000ull

/* Bit by bit: passwords are short. */
uint64_t
crc64_iso(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t crc = ~0ull;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? (crc >> 1) ^ REVERSED_POLYNOMIAL : crc >> 1;
    }
    return ~crc;
}
