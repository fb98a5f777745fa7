/**
 * Paths on the command line: `:/a/dir/file` is on volume `a`, `:/` is the list of volumes, `-` is standard input or
 * output, everything else is a local file. A remote path is checked before anything is sent.
 */
import { TwinfilerError } from "../error"
import { splitPath } from "../protocol/names"

/** Any letter is read: whoever knows the volumes there are says so of one that is not. */
const letters = 26

export interface RemotePath {
    kind: "remote"
    volume: number
    names: string[]
    /** As the user wrote it. */
    text: string
    /** It ends in a slash: a directory is meant. */
    isDirectory: boolean
}
export interface LocalPath {
    kind: "local"
    path: string
    text: string
    isDirectory: boolean
}
export interface StreamPath {
    kind: "stream"
    text: string
    isDirectory: false
}
export type AnyPath = RemotePath | LocalPath | StreamPath

export const isRemote = (text: string): boolean => text.startsWith(":")

export function parsePath(text: string): AnyPath {
    if (text === "-") return { kind: "stream", text, isDirectory: false }
    if (isRemote(text)) return parseRemote(text)
    if (text === "") throw new TwinfilerError("usage", "a path is empty")
    return { kind: "local", path: text, text, isDirectory: /(^|\/)\.{0,2}$/.test(text) }
}

/** Throws `usage` for what is no remote path, or names no volume. */
export function parseRemote(text: string): RemotePath {
    const remote = parseRemoteOrRoot(text)
    if (!remote) throw new TwinfilerError("usage", `${text}: give a path on a volume, like :/a/dir`)
    return remote
}

/** Undefined for `:/`. */
export function parseRemoteOrRoot(text: string): RemotePath | undefined {
    if (!text.startsWith(":/"))
        throw new TwinfilerError("usage", `${JSON.stringify(text)} is no remote path: those look like :/a/dir/file`)
    const [letter, ...names] = splitPath(text.slice(1))
    if (letter === undefined) return undefined
    const isDirectory = /\/\.{0,2}$/.test(text)
    return { kind: "remote", volume: parseLetter(letter, "volume"), names, text, isDirectory }
}

/** A whole volume: `a`, or `:/a`. Throws `usage`. */
export function parseVolume(text: string): number {
    if (!isRemote(text)) return parseLetter(text, "volume")
    const path = parseRemote(text)
    if (path.names.length) throw new TwinfilerError("usage", `${text}: give a volume, like a`)
    return path.volume
}

/** `a` is 0. Throws `usage`. */
export function parseLetter(text: string, what: "volume" | "node"): number {
    const number = text.length === 1 ? text.charCodeAt(0) - 97 : -1
    if (number < 0 || number >= letters)
        throw new TwinfilerError("usage", `${JSON.stringify(text)} is no ${what}: they are named a, b, c, …`)
    return number
}
