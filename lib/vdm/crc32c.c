/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C: the remainder of a polynomial over GF(2) by that of Castagnoli, bits reflected.
 *
 * The CPU's instruction adds eight bytes and takes three cycles for it, but starts one each cycle:
 * so three parts of a block are summed at once and put together. For that, and to put sums of
 * slices together that threads have made, a sum is moved past n zero bytes: it is multiplied by
 * x^8n. Without the instruction eight tables add eight bytes at a time.
 *
 * Own code: the libraries for it would be one more that every program has to load.
 */
#include <string.h>

#include "vdm.h"

#define POLYNOMIAL 0x82f63b78u /* x^31 in bit 0; x^32 left out */
#define ONE	   0x80000000u /* x^0 */
#define PART	   1024u       /* three of them make a block */

static uint32_t powers[64];	   /* x^(2^i) */
static uint32_t past_part[4][256]; /* a byte of a sum, past PART zero bytes */
static uint32_t bytes[8][256];	   /* a byte, past so many zero bytes */

static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (; a; a <<= 1) {
		if (a & ONE)
			product ^= b;
		b = b & 1 ? b >> 1 ^ POLYNOMIAL : b >> 1;
	}
	return product;
}

/* x^8n */
static uint32_t power_of(uint64_t n)
{
	uint32_t power = ONE;

	for (unsigned i = 3; n; i++, n >>= 1)
		if (n & 1)
			power = multiply(powers[i % 64], power);
	return power;
}

void tern__crc32c_prepare(void)
{
	uint32_t past;

	powers[0] = ONE >> 1;
	for (unsigned i = 1; i < 64; i++)
		powers[i] = multiply(powers[i - 1], powers[i - 1]);
	past = power_of(PART);
	for (uint32_t b = 0; b < 256; b++) {
		for (unsigned i = 0; i < 4; i++)
			past_part[i][b] = multiply(past, b << 8 * i);
		bytes[0][b] = multiply(power_of(1), b);
	}
	for (uint32_t b = 0; b < 256; b++)
		for (unsigned i = 1; i < 8; i++)
			bytes[i][b] = bytes[i - 1][b] >> 8 ^ bytes[0][bytes[i - 1][b] & 0xff];
}

/* The sums in here are neither begun with ones nor inverted. */
static uint32_t by_tables(uint32_t sum, const unsigned char *at, size_t n)
{
	for (; n >= 8; n -= 8, at += 8) {
		uint32_t low = sum;

		for (unsigned i = 0; i < 4; i++)
			low ^= (uint32_t)at[i] << 8 * i;
		sum = bytes[3][at[4]] ^ bytes[2][at[5]] ^ bytes[1][at[6]] ^ bytes[0][at[7]];
		for (unsigned i = 0; i < 4; i++)
			sum ^= bytes[7 - i][low >> 8 * i & 0xff];
	}
	for (; n; n--)
		sum = sum >> 8 ^ bytes[0][(sum ^ *at++) & 0xff];
	return sum;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#define SUMS		 __attribute__((target("sse4.2")))
#define add_byte(sum, b) _mm_crc32_u8((sum), (b))
#define add_word(sum, w) ((uint32_t)_mm_crc32_u64((sum), (w)))
#elif defined(__aarch64__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC target("+crc")
#include <arm_acle.h>
#pragma GCC pop_options
#define SUMS		 __attribute__((target("+crc")))
#define add_byte(sum, b) __crc32cb((sum), (b))
#define add_word(sum, w) __crc32cd((sum), (w))
#endif

#ifdef SUMS
static uint64_t load(const unsigned char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static uint32_t skip_part(uint32_t sum)
{
	return past_part[0][sum & 0xff] ^ past_part[1][sum >> 8 & 0xff] ^
	       past_part[2][sum >> 16 & 0xff] ^ past_part[3][sum >> 24];
}

SUMS static uint32_t by_instruction(uint32_t sum, const unsigned char *at, size_t n)
{
	for (; n >= 3 * (size_t)PART; n -= 3 * (size_t)PART, at += 3 * (size_t)PART) {
		uint32_t second = 0, third = 0;

		for (size_t i = 0; i < PART; i += 8) {
			sum = add_word(sum, load(at + i));
			second = add_word(second, load(at + PART + i));
			third = add_word(third, load(at + 2 * (size_t)PART + i));
		}
		sum = skip_part(skip_part(sum) ^ second) ^ third;
	}
	for (; n >= 8; n -= 8, at += 8)
		sum = add_word(sum, load(at));
	for (; n; n--)
		sum = add_byte(sum, *at++);
	return sum;
}
#endif

uint32_t tern__crc32c(uint32_t before, const void *src, size_t n)
{
#ifdef SUMS
	if (tern__vdm_cpu.sums)
		return ~by_instruction(~before, src, n);
#endif
	return ~by_tables(~before, src, n);
}

/* Ones and inversions cancel each other out. */
uint32_t tern__crc32c_join(uint32_t first, uint32_t second, uint64_t n)
{
	return multiply(power_of(n), first) ^ second;
}
