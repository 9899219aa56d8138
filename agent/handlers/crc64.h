/* CRC-64 with ISO 3309's polynomial, as Go's hash/crc64 ISO table computes it. Pure. */
#ifndef VTAGENT_HANDLERS_CRC64_H
#define VTAGENT_HANDLERS_CRC64_H

#include <stddef.h>
#include <stdint.h>

uint64_t crc64_iso(const void *data, size_t size);

#endif
