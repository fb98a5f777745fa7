/** Verbs about the journal memory of a node, `node:offset`: memory. */
import type { Command } from "commander"
import type { HeldCommand, JournalMark } from "../client"
import { TwinfilerError } from "../error"
import { volumeLetter } from "../protocol/numbers"
import type { Context } from "./context"
import { parseLetter } from "./paths"
import type { AddVerbs } from "./verb"

const bytesDefault = 64
const bytesMax = 0x1_0000
const lineBytes = 16

export function addMemoryVerbs(verbs: AddVerbs): void {
    const verb = verbs(
        "memory",
        "look into a node's journal memory: copies of its partner's commands, and its own commands that wait",
    )
    verb("load", "load bytes, as the partner does", command =>
        command
            .argument("<address>", "node and offset, like b:0 or a:0x2000")
            .option("--bytes <count>", `how many (default ${bytesDefault})`),
    ).does(load)
    verb("show", "show the copies a node holds, and what waits", command => command.argument("<node>", "like b")).does(
        show,
    )
}

async function load(context: Context, command: Command): Promise<void> {
    const { node, offset } = parseAddress(command.processedArgs[0] as string)
    const { bytes: text } = command.optsWithGlobals() as { bytes?: string }
    const count = text === undefined ? bytesDefault : parseCount(text)
    await context.checkOnBus(node, "node")
    const bytes = await context.client.loadMemory(node, offset, count, context.call)
    context.show({ node: volumeLetter(node), offset, bytes: bytes.length, hex: bytes.toString("hex") }, () =>
        dump(bytes, offset),
    )
}

async function show(context: Context, command: Command): Promise<void> {
    const node = parseLetter(command.processedArgs[0] as string, "node")
    await context.checkOnBus(node, "node")
    const journal = await context.client.readJournal(node, context.call)
    const letter = volumeLetter(node)
    const shown = {
        node: letter,
        copies: journal.copies.map(shownCommand),
        recorded: journal.marks,
        waiting: journal.waiting.map(shownCommand),
    }
    context.show(shown, () => [
        `copies ${journal.copies.length}`,
        ...journal.copies.map(held => line(letter, held)),
        ...journal.marks.map(markLine),
        `waiting ${journal.waiting.length}`,
        ...journal.waiting.map(held => line(letter, held)),
    ])
}

/** `b:0x100`. Throws `usage`. */
export function parseAddress(text: string): { node: number; offset: number } {
    const [letter, offset, ...rest] = text.split(":")
    if (offset === undefined || rest.length || !/^(\d+|0x[0-9a-f]+)$/i.test(offset))
        throw new TwinfilerError("usage", `${JSON.stringify(text)} is no address: those look like b:0 or a:0x2000`)
    if (Number(offset) > 0xffff_ffff) throw new TwinfilerError("usage", `${text}: offsets have 32 bits`)
    return { node: parseLetter(letter, "node"), offset: Number(offset) }
}

function parseCount(text: string): number {
    const count = Number(text)
    if (!Number.isInteger(count) || count < 1 || count > bytesMax)
        throw new TwinfilerError("usage", `--bytes ${text}: give a whole number from 1 to ${bytesMax}`)
    return count
}

function dump(bytes: Buffer, offset: number): string[] {
    const lines: string[] = []
    for (let at = 0; at < bytes.length; at += lineBytes) {
        const part = bytes.subarray(at, at + lineBytes)
        const text = part.toString("latin1").replace(/[^ -~]/g, ".")
        const hex = part.toString("hex").replace(/(..)/g, "$1 ")
        lines.push(`${(offset + at).toString(16).padStart(4, "0")}  ${hex.padEnd(3 * lineBytes)} ${text}`)
    }
    return lines
}

function shownCommand({ offset, command }: HeldCommand) {
    if (!command) return { offset, kind: "unknown" }
    if (command.kind === "write") {
        const { volume, handle, data } = command
        return { offset, kind: "write", volume: volumeLetter(volume), handle, from: command.offset, bytes: data.length }
    }
    if (command.kind !== "request") return { offset, kind: command.kind }
    const { volume, op, session, sequence } = command
    return { offset, kind: "request", volume: volumeLetter(volume), op, session, sequence }
}

function line(node: string, held: HeldCommand): string {
    const { offset, ...rest } = shownCommand(held)
    const words = Object.entries(rest).map(([name, value]) => (name === "kind" ? `${value}` : `${name} ${value}`))
    return `  ${node}:0x${offset.toString(16)}  ${words.join(", ")}`
}

function markLine(mark: JournalMark): string {
    return mark.kind === "session"
        ? `  recorded: session ${mark.session} to ${mark.sequence}`
        : `  recorded: upload ${mark.handle} of volume ${volumeLetter(mark.volume)} to byte ${mark.end}`
}
