/** Names and their hashes. From docs/FORMAT.md, "Keys and records". */
import { hash } from "node:crypto"
import { u32 } from "./page"

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** As text; bytes that are no UTF-8 become U+FFFD. */
export const nameText = (name: Uint8Array): string => Buffer.from(name).toString("utf8")

/** What is wrong with a name; undefined when nothing is. */
export function nameFault(name: Uint8Array, bytesMax: number): string | undefined {
    if (name.length < 1 || name.length > bytesMax) return `a name of ${name.length} bytes`
    let text: string
    try {
        text = strict.decode(name)
    } catch {
        return "a name that is no UTF-8"
    }
    if (text === "." || text === "..") return `the name ${text}`
    if (text.includes("/") || text.includes("\0")) return "a name with / or NUL"
    return undefined
}

export function nameHash(name: Uint8Array): number {
    return u32(hash("sha256", name, "buffer"), 0) & 0x7fffff || 1
}
