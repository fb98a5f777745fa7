// The two checksums of the SD bus, without tables: long divisions that take 32 bits, or a whole word of each, at a time.
//
// Why it is right: over GF(2) a polynomial of x^8 is zero modulo the generator g(x) whenever the same polynomial of x is, for
// g(x^8) = g(x)^8. So the division by g(x^8) may be done first; it never mixes bits of a byte, so four bytes go through it at once.

/** CRC-7 (x^7 + x^3 + 1) of a command byte whose own CRC-7 is `seed`, and its argument. */
export function crc7(seed: number, argument: number): number {
    // quotient of 32 bits: 1 / (1 + x^-4 + x^-7), as a product of its first powers of two
    let x = (seed << 25) ^ argument
    x = x ^ (x >>> 16) ^ (x >>> 28)
    x = x ^ (x >>> 8) ^ (x >>> 14)
    x = x ^ (x >>> 4) ^ (x >>> 7)
    return (x ^ (x << 3)) & 0x7f
}

const words = Buffer.alloc(16)

/** CRC-16 (x^16 + x^12 + x^5 + 1, from 0) of a block: the 256 bytes from offset 4 of `buffer`, then 256 zeros. */
export function crc16OfBlock(buffer: Buffer): number {
    // division by x^128 + x^96 + x^40 + 1: a byte of the quotient is the data's, and those 4, 11 and 16 before it
    let a = 0
    let b = 0
    let c = 0
    let d = 0
    for (let i = 4; i < 260; i += 16) {
        a = buffer.getAt(i, "i32") ^ a ^ d ^ (b >>> 8) ^ (c << 24)
        b = buffer.getAt(i + 4, "i32") ^ b ^ a ^ (c >>> 8) ^ (d << 24)
        c = buffer.getAt(i + 8, "i32") ^ c ^ b ^ (d >>> 8) ^ (a << 24)
        d = buffer.getAt(i + 12, "i32") ^ d ^ c ^ (a >>> 8) ^ (b << 24)
    }
    // the remainder: what the first 16 of the zeros come to
    words.setAt(0, "i32", a ^ d ^ (b >>> 8) ^ (c << 24))
    words.setAt(4, "i32", b ^ (c >>> 8) ^ (d << 24))
    words.setAt(8, "i32", c ^ (d >>> 8))
    words.setAt(12, "i32", d)
    // and that by the generator itself, 32 bits at a time, the quotient as above
    let x = 0
    for (let i = 0; i < 16; i += 4) {
        x = (x << 16) ^ (words[i] << 24) ^ (words[i + 1] << 16) ^ (words[i + 2] << 8) ^ words[i + 3]
        x = x ^ (x >>> 16)
        x = x ^ (x >>> 8) ^ (x >>> 22)
        x = x ^ (x >>> 4) ^ (x >>> 11) ^ (x >>> 16)
        x = (x ^ (x << 5) ^ (x << 12)) & 0xffff
    }
    // the other 240 zeros: times x^1920, which is x^16 times 0x0efa
    x = (x << 11) ^ (x << 10) ^ (x << 9) ^ (x << 7) ^ (x << 6) ^ (x << 5) ^ (x << 4) ^ (x << 3) ^ (x << 1)
    x = x ^ (x >>> 16)
    x = x ^ (x >>> 8) ^ (x >>> 22)
    x = x ^ (x >>> 4) ^ (x >>> 11) ^ (x >>> 16)
    return (x ^ (x << 5) ^ (x << 12)) & 0xffff
}
