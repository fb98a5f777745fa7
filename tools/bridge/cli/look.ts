/** Verbs that look: ls, tree, stat, df. */
import type { Command } from "commander"
import type { ListedEntry, VolumeFigures } from "../protocol/answers"
import { serviceFlags, volumeLetter } from "../protocol/numbers"
import { showPath } from "../client"
import type { Context } from "./context"
import { isRemote, parseLetter, parseRemote, parseRemoteOrRoot, type RemotePath } from "./paths"
import type { AddVerb } from "./verb"

/** Deepest tree printed; far beyond use. */
const treeDepthMax = 256

export function addLookVerbs(verb: AddVerb): void {
    verb("ls", "list a directory, or the volumes", command =>
        command.argument("[path]", "like :/a/dir; :/ lists the volumes", ":/").option("-l, --long", "sizes and times"),
    ).does(ls)
    verb("tree", "list a directory and all below it", command => command.argument("[path]", "like :/a/dir", ":/")).does(
        tree,
    )
    verb("stat", "show what is known of a file or directory", command => command.argument("<path>")).does(stat)
    verb("df", "show the space of the volumes; a quarter of each, which cleaning needs, counts as used", command =>
        command.argument("[volume]", "like a; all unless given"),
    ).does(df)
}

async function ls(context: Context, command: Command): Promise<void> {
    const [text] = command.processedArgs as [string]
    const path = parseRemoteOrRoot(text)
    if (!path) return listVolumes(context)
    await context.checkOnBus(path.volume)
    const isLong = (command.optsWithGlobals() as { long?: boolean }).long ?? false
    const entry = await context.client.stat(path.volume, path.names.join("/"), context.call)
    const entries: ListedEntry[] = []
    if (entry.type === "file") entries.push({ ...entry, name: path.names[path.names.length - 1] })
    else for await (const one of listSorted(context, path)) entries.push(one)
    context.show({ path: text, entries: entries.map(shown) }, () =>
        entries.map(one => (isLong ? longLine(one) : nameOf(one))),
    )
}

async function listVolumes(context: Context): Promise<void> {
    await context.settle()
    const volumes = context.client.volumes().map(volume => {
        const controller = context.client.controllerOf(volume)
        return {
            name: volumeLetter(volume),
            controller: controller === undefined ? null : volumeLetter(controller),
        }
    })
    context.show({ path: ":/", volumes }, () => volumes.map(({ name }) => `${name}/`))
}

async function* listSorted(context: Context, path: RemotePath): AsyncGenerator<ListedEntry> {
    const entries: ListedEntry[] = []
    for await (const entry of context.client.list(path.volume, path.names.join("/"), context.call)) entries.push(entry)
    entries.sort((one, other) => (one.name < other.name ? -1 : 1))
    yield* entries
}

async function tree(context: Context, command: Command): Promise<void> {
    const [text] = command.processedArgs as [string]
    const path = parseRemoteOrRoot(text)
    if (!path) await context.settle()
    const starts: RemotePath[] = path ? [path] : context.client.volumes().map(volumeRoot)
    const entries: { path: string; type: string; size: number }[] = []
    const walk = async (directory: RemotePath, indent: string, depth: number) => {
        for await (const entry of listSorted(context, directory)) {
            const names = [...directory.names, entry.name]
            entries.push({ path: showPath(directory.volume, names), type: entry.type, size: entry.size })
            if (!context.options.json) context.print(indent + nameOf(entry))
            if (entry.type === "directory" && depth < treeDepthMax)
                await walk({ ...directory, names }, indent + "    ", depth + 1)
        }
    }
    for (const start of starts) {
        await context.checkOnBus(start.volume)
        if (!context.options.json) context.print(showPath(start.volume, start.names))
        await walk(start, "    ", 1)
    }
    if (context.options.json) context.printJson({ path: text, entries })
}

function volumeRoot(volume: number): RemotePath {
    return { kind: "remote", volume, names: [], text: showPath(volume, []), isDirectory: true }
}

async function stat(context: Context, command: Command): Promise<void> {
    const [text] = command.processedArgs as [string]
    const path = parseRemote(text)
    await context.checkOnBus(path.volume)
    const entry = await context.client.stat(path.volume, path.names.join("/"), context.call)
    const name = path.names[path.names.length - 1] ?? ""
    context.show({ path: text, ...shown({ ...entry, name }) }, () => [
        `${text}`,
        `type ${entry.type}`,
        `size ${entry.size}`,
        `modified ${time(entry.mtime)}`,
        `object ${entry.object}, change ${entry.change}`,
    ])
}

/** `a`, or the volume of any path on it. */
function volumeIn(text: string): number {
    return isRemote(text) ? parseRemote(text).volume : parseLetter(text, "volume")
}

async function df(context: Context, command: Command): Promise<void> {
    const [text] = command.processedArgs as [string | undefined]
    if (text === undefined) await context.settle()
    const volumes = text === undefined ? context.client.volumes() : [volumeIn(text)]
    for (const volume of volumes) await context.checkOnBus(volume)
    const rows: (Omit<VolumeFigures, "controller"> & { volume: string; controller: string; protected: boolean })[] = []
    for (const volume of volumes) {
        const figures = await context.client.statfs(volume, context.call)
        rows.push({
            volume: volumeLetter(volume),
            ...figures,
            controller: volumeLetter(figures.controller),
            protected: !(figures.flags & serviceFlags.unprotected),
        })
    }
    context.show({ volumes: rows }, () => [
        "volume       total        free  used  elements  controller  protected",
        ...rows.map(row => {
            const used = row.bytesTotal ? Math.round(100 * (1 - row.bytesFree / row.bytesTotal)) : 0
            const elements = row.deadElements ? `${row.elements} (${row.deadElements} dead)` : String(row.elements)
            return [
                row.volume.padEnd(6),
                String(row.bytesTotal).padStart(11),
                String(row.bytesFree).padStart(11),
                `${used}%`.padStart(5),
                elements.padStart(9),
                row.controller.padStart(11),
                (row.protected ? "yes" : "no").padStart(10),
            ].join(" ")
        }),
    ])
}

function shown(entry: ListedEntry) {
    const { name, type, size, mtime, object, change } = entry
    return { name, type, size, mtime, object, change }
}

/** A name as a terminal may see it: control characters cannot move its cursor. */
function nameOf(entry: { name: string; type: string }): string {
    const name = entry.name.replace(/[\x00-\x1f\x7f]/g, "?")
    return entry.type === "directory" ? `${name}/` : name
}

function longLine(entry: ListedEntry): string {
    return `${String(entry.size).padStart(10)}  ${time(entry.mtime)}  ${nameOf(entry)}`
}

function time(mtime: number): string {
    return new Date(mtime * 1_000).toISOString().slice(0, 19).replace("T", " ")
}
