/** Verbs that move bytes: put, get, cp, cat, sha256. */
import type { Command } from "commander"
import * as crypto from "node:crypto"
import { TwinfilerError } from "../error"
import { noteDegraded, type Context } from "./context"
import { parsePath, parseRemote, type AnyPath } from "./paths"
import { Transfers, writeAll } from "./transfers"
import type { AddVerb } from "./verb"

export function addTransferVerbs(verb: AddVerb): void {
    const options = (command: Command) =>
        command
            .option("-r, --recursive", "directories and all in them")
            .option("-n, --no-clobber", "do not replace a file")
    verb("put", "store local files on a volume: put FILE... :/a/dir/", command =>
        options(command.argument("<paths...>", "local files (- is standard input), then the target")),
    ).does((context, command) => transfer(context, command, "put"))
    verb("get", "fetch files from a volume: get :/a/file... [DIR or FILE]", command =>
        options(command.argument("<paths...>", "remote files, then the target (default .; - is standard output)")),
    ).does((context, command) => transfer(context, command, "get"))
    verb("cp", "copy between local files and volumes, either way", command =>
        options(command.argument("<paths...>", "sources, then the target")),
    ).does((context, command) => transfer(context, command, "cp"))
    verb("cat", "print files to standard output", command => command.argument("<paths...>", "like :/a/file")).does(cat)
    verb("sha256", "print the SHA-256 of files, read back from the volume", command =>
        command.argument("<paths...>", "like :/a/file"),
    ).does(sha256)
}

async function transfer(context: Context, command: Command, verb: "put" | "get" | "cp"): Promise<void> {
    const { recursive, clobber } = command.optsWithGlobals() as { recursive?: boolean; clobber: boolean }
    const paths = (command.processedArgs[0] as string[]).map(parsePath)
    if (verb === "get" && paths[paths.length - 1].kind === "remote") paths.push(parsePath("."))
    const target = paths.pop()
    if (!target || paths.length === 0) throw new TwinfilerError("usage", `${verb}: give what to copy and where to`)
    checkSides(verb, paths, target)
    const transfers = new Transfers(context, { recursive: recursive ?? false, replace: clobber })
    await transfers.copy(paths, target)
    if (target.kind === "remote") noteDegraded(context)
    if (!context.options.json || target.kind === "stream") return
    const bytes = transfers.copied.reduce((sum, file) => sum + file.bytes, 0)
    context.printJson({ files: transfers.copied, bytes, exitCode: context.exitCode })
}

function checkSides(verb: "put" | "get" | "cp", sources: AnyPath[], target: AnyPath): void {
    const usage = (message: string) => new TwinfilerError("usage", `${verb}: ${message}`)
    const remoteSource = sources.find(({ kind }) => kind === "remote")
    const localSource = sources.find(({ kind }) => kind !== "remote")
    if (verb === "put" && target.kind !== "remote")
        throw usage(`the target is on a volume, like :/a/dir/ (not ${target.text})`)
    if (verb === "put" && remoteSource) throw usage(`${remoteSource.text} is on a volume: use cp`)
    if (verb === "get" && target.kind === "remote") throw usage("the target is local: use cp")
    if (verb === "get" && localSource) throw usage(`${localSource.text} is not on a volume, like :/a/file`)
    if (verb === "cp" && !remoteSource && target.kind !== "remote")
        throw usage("neither side is on a volume, like :/a/dir")
}

async function cat(context: Context, command: Command): Promise<void> {
    for (const path of (command.processedArgs[0] as string[]).map(parseRemote)) {
        await context.checkOnBus(path.volume)
        await writeAll(
            context.world.stdout as NodeJS.WritableStream,
            context.client.get(path.volume, path.names.join("/"), context.call),
        )
    }
}

async function sha256(context: Context, command: Command): Promise<void> {
    const files: { path: string; sha256: string; bytes: number }[] = []
    for (const path of (command.processedArgs[0] as string[]).map(parseRemote)) {
        await context.checkOnBus(path.volume)
        const hash = crypto.createHash("sha256")
        let bytes = 0
        for await (const piece of context.client.get(path.volume, path.names.join("/"), context.call)) {
            hash.update(piece)
            bytes += piece.length
        }
        files.push({ path: path.text, sha256: hash.digest("hex"), bytes })
    }
    context.show({ files }, () => files.map(file => `${file.sha256}  ${file.path}`))
}
