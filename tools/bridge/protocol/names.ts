/**
 * Names and paths. A name is 1 to 200 bytes of UTF-8 without `/` and NUL, and is not `.` or `..`; a path is a list of
 * names, counted from the root of its volume. What cannot be a name never reaches a node.
 */
import { TwinfilerError } from "../error"
import { lookupPathBytesMax, nameBytesMax } from "./numbers"

/** Deepest path accepted; a bound for loops, far beyond use. */
export const pathDepthMax = 256

const isLoneSurrogate = /\p{Surrogate}/u

/** Returns `name`, or throws `badName`. */
export function checkName(name: string): string {
    const problem =
        name.length === 0
            ? "is empty"
            : name === "." || name === ".."
              ? "is reserved"
              : name.includes("/")
                ? "contains a slash"
                : name.includes("\0")
                  ? "contains a NUL"
                  : isLoneSurrogate.test(name)
                    ? "is not valid Unicode"
                    : Buffer.byteLength(name) > nameBytesMax
                      ? `is longer than ${nameBytesMax} bytes of UTF-8`
                      : undefined
    if (problem) throw new TwinfilerError("badName", `the name ${JSON.stringify(shorten(name))} ${problem}`)
    return name
}

/**
 * The names of a path: `/a//b/` and `a/b` are both ["a", "b"], `.` is dropped, `..` goes up.
 * Throws `badName` for a name that cannot be one or a `..` above the root.
 */
export function splitPath(path: string): string[] {
    const names: string[] = []
    for (const part of path.split("/")) {
        if (part === "" || part === ".") continue
        if (part === "..") {
            if (names.length === 0)
                throw new TwinfilerError("badName", `${JSON.stringify(shorten(path))} leads above the root`)
            names.pop()
        } else names.push(checkName(part))
    }
    if (names.length > pathDepthMax)
        throw new TwinfilerError("badName", `the path is deeper than ${pathDepthMax} names`)
    return names
}

/** How many of `names`, from `start` on, fit one lookup; at least 1 when any are left. */
export function lookupStep(names: readonly string[], start: number): number {
    let bytes = 0
    let count = 0
    while (start + count < names.length) {
        bytes += Buffer.byteLength(names[start + count]) + (count ? 1 : 0)
        if (bytes > lookupPathBytesMax) break
        count++
    }
    return count
}

function shorten(text: string): string {
    return text.length > 80 ? text.slice(0, 77) + "..." : text
}
