/** Verbs about what is kept with a volume and its files: snapshot, prop. */
import type { Command } from "commander"
import { showPath, snapshotsName } from "../client"
import { isError, TwinfilerError } from "../error"
import { volumeLetter } from "../protocol/numbers"
import { noteDegraded, type Context } from "./context"
import { parseRemote, parseVolume } from "./paths"
import type { AddVerb, AddVerbs } from "./verb"

export function addSnapshotVerbs(verbs: AddVerbs): void {
    const verb = verbs(
        "snapshot",
        "keep a volume as it is at a moment, read-only: seen at :/VOLUME/.snapshots/NAME, at most eight",
    )
    verb("create", "keep the volume as it is now; takes no time", command =>
        command.argument("<volume>", "like a").argument("<name>", "1 to 100 bytes"),
    ).does(create)
    verb("list", "list the snapshots, the oldest first", command => command.argument("<volume>", "like a")).does(list)
    verb("delete", "delete snapshots; what only they held becomes free", command =>
        command.argument("<volume>", "like a").argument("<names...>"),
    ).does(remove)
}

export function addPropertyVerbs(verbs: AddVerbs): void {
    const verb: AddVerb = verbs(
        "prop",
        "properties kept with a file or directory: names and texts, 200 bytes for all of one file",
    )
    verb("list", "list the properties", command => command.argument("<path>", "like :/a/file")).does(listProperties)
    verb("set", "set a property", command =>
        command.argument("<path>", "like :/a/file").argument("<name>").argument("<value>"),
    ).does(setProperty)
    verb("remove", "remove a property", command => command.argument("<path>", "like :/a/file").argument("<name>")).does(
        removeProperty,
    )
}

async function volumeOf(context: Context, command: Command): Promise<number> {
    const volume = parseVolume(command.processedArgs[0] as string)
    await context.checkOnBus(volume)
    return volume
}

async function create(context: Context, command: Command): Promise<void> {
    const volume = await volumeOf(context, command)
    const name = command.processedArgs[1] as string
    const number = await context.client.createSnapshot(volume, name, context.change)
    const path = showPath(volume, [snapshotsName, name])
    noteDegraded(context)
    context.show({ volume: volumeLetter(volume), name, number, path, exitCode: context.exitCode }, () =>
        context.options.quiet ? [] : [path],
    )
}

async function list(context: Context, command: Command): Promise<void> {
    const volume = await volumeOf(context, command)
    const snapshots = await context.client.snapshots(volume, context.call)
    const { pageDataBytes } = await context.client.statfs(volume, context.call)
    const rows = snapshots.map(({ name, number, mtime, pagesHeld }) => ({
        name,
        number,
        created: new Date(mtime * 1_000).toISOString().slice(0, 19) + "Z",
        bytesHeld: pagesHeld * pageDataBytes,
    }))
    context.show({ volume: volumeLetter(volume), snapshots: rows }, () =>
        rows.length
            ? [
                  "created                      holds  name",
                  ...rows.map(
                      ({ name, created, bytesHeld }) =>
                          `${created.replace("T", " ").slice(0, 19)}  ${String(bytesHeld).padStart(11)}  ${printable(name)}`,
                  ),
              ]
            : [],
    )
}

async function remove(context: Context, command: Command): Promise<void> {
    const volume = await volumeOf(context, command)
    const deleted: string[] = []
    for (const name of command.processedArgs[1] as string[])
        try {
            await context.client.deleteSnapshot(volume, name, context.call)
            deleted.push(name)
        } catch (error) {
            if (deleted.length) context.note(`deleted before that: ${deleted.map(printable).join(", ")}`)
            throw error
        }
    noteDegraded(context)
    if (context.options.json) context.printJson({ volume: volumeLetter(volume), deleted, exitCode: context.exitCode })
}

async function listProperties(context: Context, command: Command): Promise<void> {
    const path = parseRemote(command.processedArgs[0] as string)
    await context.checkOnBus(path.volume)
    const { plain, packed } = await context.client.propertiesOf(path.volume, path.names.join("/"), context.call)
    const sorted = [...plain].sort(([one], [other]) => (one < other ? -1 : 1))
    context.show({ path: path.text, properties: Object.fromEntries(sorted), webdav: packed }, () => [
        ...sorted.map(([name, value]) => `${printable(name)}=${printable(value)}`),
        ...Object.entries(packed).map(([name, value]) => {
            const shown = typeof value === "string" ? value : JSON.stringify(value)
            return `${printable(name.includes("%%") ? name.replace("%%", " ") : `DAV: ${name}`)}=${printable(shown)}`
        }),
    ])
}

async function setProperty(context: Context, command: Command): Promise<void> {
    const [text, name, value] = command.processedArgs as [string, string, string]
    const path = parseRemote(text)
    if (value === "") throw new TwinfilerError("usage", "prop set: the value is empty; `prop remove` removes one")
    await context.checkOnBus(path.volume)
    await context.client.setProperty(path.volume, path.names.join("/"), name, value, context.change)
    done(context, { path: path.text, name, value })
}

async function removeProperty(context: Context, command: Command): Promise<void> {
    const [text, name] = command.processedArgs as [string, string]
    const path = parseRemote(text)
    await context.checkOnBus(path.volume)
    const names = path.names.join("/")
    await context.client.stat(path.volume, names, context.call)
    try {
        await context.client.setProperty(path.volume, names, name, undefined, context.change)
    } catch (error) {
        if (!isError(error, "notFound")) throw error
        throw new TwinfilerError("notFound", `${text}: has no property ${JSON.stringify(name)}`)
    }
    done(context, { path: path.text, removed: name })
}

function done(context: Context, value: object): void {
    noteDegraded(context)
    if (context.options.json) context.printJson({ ...value, exitCode: context.exitCode })
}

/** As a terminal may see it: control characters cannot move its cursor. */
function printable(text: string): string {
    return text.replace(/[\x00-\x1f\x7f]/g, "?")
}
