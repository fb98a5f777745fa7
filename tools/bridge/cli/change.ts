/** Verbs that change names: mkdir, mv, rm. */
import type { Command } from "commander"
import { checkChangeable, showPath } from "../client"
import { exitCodes, TwinfilerError } from "../error"
import { CopiedRemoval } from "./copied-removal"
import { noteDegraded, type Context } from "./context"
import { parseRemote, type RemotePath } from "./paths"
import { Transfers } from "./transfers"
import type { AddVerb } from "./verb"

const treeDepthMax = 256
/** Of what is named in one message. */
const shownMax = 5

export function addChangeVerbs(verb: AddVerb): void {
    verb("mkdir", "make directories", command =>
        command
            .argument("<paths...>", "like :/a/dir")
            .option("-p, --parents", "those above too; fine when it is there"),
    ).does(mkdir)
    verb("mv", "move or rename files and directories", command =>
        command
            .argument("<paths...>", "sources, then the target: :/a/file :/a/dir/")
            .option("-n, --no-clobber", "do not replace a file"),
    ).does(mv)
    verb("rm", "remove files and directories", command =>
        command
            .argument("<paths...>", "like :/a/file")
            .option("-r, --recursive", "directories and all in them")
            .option("-f, --force", "what is not there is fine"),
    ).does(rm)
}

async function mkdir(context: Context, command: Command): Promise<void> {
    const { parents } = command.optsWithGlobals() as { parents?: boolean }
    const made: string[] = []
    for (const path of await remotes(context, command)) {
        const names = path.names.join("/")
        if (parents) await context.client.mkdirs(path.volume, names, context.change)
        else await context.client.mkdir(path.volume, names, context.change)
        made.push(path.text)
    }
    finish(context, { made })
}

async function mv(context: Context, command: Command): Promise<void> {
    const { clobber } = command.optsWithGlobals() as { clobber: boolean }
    const paths = await remotes(context, command)
    const target = paths.pop()
    if (!target || paths.length === 0) throw new TwinfilerError("usage", "mv: give what to move and where to")
    const found = await context.client.find(target.volume, target.names.join("/"), context.call)
    const isInto = found?.type === "directory" || target.isDirectory || paths.length > 1
    if (isInto && found?.type !== "directory")
        throw new TwinfilerError("notDirectory", `${target.text}: is not a directory`)
    const moved: { from: string; to: string }[] = []
    const stayed: string[] = []
    for (const path of paths) {
        if (path.names.length === 0) throw new TwinfilerError("usage", `${path.text}: a volume cannot be moved`)
        const names = isInto ? [...target.names, path.names[path.names.length - 1]] : target.names
        const to = { ...target, names, text: showPath(target.volume, names) }
        const left = await moveOne(context, path, to, clobber)
        stayed.push(...left)
        if (left.length === 0) moved.push({ from: path.text, to: to.text })
    }
    if (stayed.length) context.exitCode = exitCodes.error
    finish(context, { moved, stayed })
    if (stayed.length === 0) return
    const rest = stayed.length - shownMax
    const names = stayed.slice(0, shownMax).join(", ") + (rest > 0 ? ` and ${rest} more (--json names all)` : "")
    throw new TwinfilerError(
        "replaced",
        `changed at the source while it was moved, and left there: ${names}; all else is moved: move that again, or remove it`,
    )
}

/** @returns what stays at the source, as it came or changed while it was copied */
async function moveOne(context: Context, from: RemotePath, to: RemotePath, replace: boolean): Promise<string[]> {
    const isSame = from.volume === to.volume && from.names.join("/") === to.names.join("/")
    if (isSame) throw new TwinfilerError("usage", `${from.text} and ${to.text} are the same`)
    if (from.volume === to.volume) {
        const options = { ...context.change, replace }
        await context.client.rename(from.volume, from.names.join("/"), to.names.join("/"), options)
        return []
    }
    checkChangeable(from.text, from.names)
    // Between volumes: copied whole, then what was copied is removed; cut in between, both are there.
    const transfers = new Transfers(context, { recursive: true, replace })
    await transfers.copyTo(from, { ...to, isDirectory: false })
    transfers.finish()
    return new CopiedRemoval(context, transfers.sources).run()
}

async function rm(context: Context, command: Command): Promise<void> {
    const { recursive, force } = command.optsWithGlobals() as { recursive?: boolean; force?: boolean }
    const removed: string[] = []
    for (const path of await remotes(context, command)) {
        if (path.names.length === 0) throw new TwinfilerError("usage", `${path.text}: a volume cannot be removed`)
        checkChangeable(path.text, path.names)
        const entry = force
            ? await context.client.find(path.volume, path.names.join("/"), context.call)
            : await context.client.stat(path.volume, path.names.join("/"), context.call)
        if (!entry) continue
        if (entry.type === "directory" && !recursive)
            throw new TwinfilerError("isDirectory", `${path.text}: is a directory; give -r to remove it and all in it`)
        await removeTree(context, path, entry.type)
        removed.push(path.text)
    }
    finish(context, { removed })
}

/** Removes from the leaves up: cut at any point, what is left is a whole tree. */
async function removeTree(context: Context, path: RemotePath, type: "file" | "directory", depth = 0): Promise<void> {
    const text = path.names.join("/")
    if (type === "directory" && depth < treeDepthMax) {
        const entries = []
        for await (const entry of context.client.list(path.volume, text, context.call)) entries.push(entry)
        for (const entry of entries)
            await removeTree(context, { ...path, names: [...path.names, entry.name] }, entry.type, depth + 1)
    }
    await context.client.remove(path.volume, text, context.change)
}

async function remotes(context: Context, command: Command): Promise<RemotePath[]> {
    const paths = (command.processedArgs[0] as string[]).map(parseRemote)
    for (const path of paths) await context.checkOnBus(path.volume)
    return paths
}

function finish(context: Context, value: object): void {
    noteDegraded(context)
    if (context.options.json) context.printJson({ ...value, exitCode: context.exitCode })
}
