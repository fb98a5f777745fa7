/** A page of the format: its header, its check, and how bytes are read. From docs/FORMAT.md, "Page". */
import { hash } from "node:crypto"

export const pageBytes = 256
export const bodyAt = 20
export const bodyBytes = pageBytes - bodyAt
/** Where a page is named: no page. */
export const none = 0xffffffff

export const pageType = { data: 1, node: 2, root: 3, anchor: 4, label: 5, usage: 6 } as const

export const u16 = (bytes: Uint8Array, at: number): number => bytes[at] | (bytes[at + 1] << 8)
export const u32 = (bytes: Uint8Array, at: number): number =>
    (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0

export function putU16(bytes: Uint8Array, at: number, value: number): void {
    bytes[at] = value
    bytes[at + 1] = value >>> 8
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
    putU16(bytes, at, value & 0xffff)
    putU16(bytes, at + 2, value >>> 16)
}

export const typeOf = (page: Uint8Array): number => page[4]
export const lengthOf = (page: Uint8Array): number => page[5]
export const sinceOf = (page: Uint8Array): number => u16(page, 6)
export const serialOf = (page: Uint8Array): number => u32(page, 8)
export const ownerOf = (page: Uint8Array): number => u32(page, 12)
export const blockOf = (page: Uint8Array): number => u32(page, 16)

const hashed = new Uint8Array(260)

/** The check that page `number` should have. */
export function checkOf(page: Uint8Array, number: number): number {
    hashed.set(page, 4)
    putU32(hashed, 0, number)
    hashed.fill(0, 4, 8)
    return u32(hash("sha256", hashed, "buffer"), 0)
}

export function isGood(page: Uint8Array, number: number): boolean {
    // never programmed, the usual case of what is not good
    if (page[4] === 0xff || page[4] === 0) return false
    return u32(page, 0) === checkOf(page, number)
}

export function isBlank(page: Uint8Array): boolean {
    const first = page[0]
    if (first !== 0 && first !== 0xff) return false
    for (let i = 1; i < pageBytes; i++) if (page[i] !== first) return false
    return true
}

export const samePage = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

// Bytes that are kept are copied with `new Uint8Array`: slice() of a Buffer is no copy.

/** Pages remembered at most: 8 MB. */
const rememberedMax = 32_768

/**
 * Remembers which pages are good, for checks of many images that are nearly the same: comparing a page costs a tenth of
 * hashing it.
 */
export class PageChecks {
    private readonly known = new Map<number, { page: Uint8Array; good: boolean }>()

    isGood(page: Uint8Array, number: number): boolean {
        if (page[4] === 0xff || page[4] === 0) return false
        const known = this.known.get(number)
        if (known && samePage(known.page, page)) return known.good
        const good = isGood(page, number)
        if (this.known.size >= rememberedMax) this.known.clear()
        if (good || !known) this.known.set(number, { page: new Uint8Array(page), good })
        return good
    }
}
