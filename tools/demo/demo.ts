// The demonstration: a real file is put on a simulated pair, a board's power is pulled in mid-write, nothing is lost.

import { readFileSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { Command, CommanderError, InvalidArgumentError } from "commander"
import { exitCodes } from "../bridge/error"
import { pairsMax } from "../sim/cabinet/cabinet"
import { roles, sha256, SimSession, source } from "../sim/session"

import { Neighbours, type NeighboursResult } from "./neighbours"

/** Of the JSON. */
const outputVersion = 1
const defaultFile = fileURLToPath(new URL("../../package-lock.json", import.meta.url))
const cutFractionMin = 0.3
const cutFractionMax = 0.7
/** The cut falls so long after the byte that was chosen, at most: it may hit any step of the write. */
const cutDelayMsMax = 60
const mtime = 1_700_000_000
const volume = 0

export interface DemoResult {
    ok: boolean
    bytes: number
    sha256: string
    cutAtByte: number
    failoverMs: number
    acknowledgedBytesLost: number
    servedBy: string
    givebackMs: number
    seed: number
    /** With `--dead-element`: which died, and whether its replacement was filled. */
    deadElement?: string
    rebuilt?: boolean
    rebuildMs?: number
    /** With `--pairs`: what the clients of the other pairs had of it. */
    neighbours?: NeighboursResult
}

export interface DemoOptions {
    seed: number
    file?: string
    /** Elements of each array. */
    elements?: number
    /** On the bus; it is the first whose board loses its power. */
    pairs?: number
    /** As `a:1`: an element of array a that dies for good while the file is written, before the power is pulled. */
    deadElement?: string
    /** Told as things happen, in virtual milliseconds. */
    tell?(ms: number, what: string): void
    onEnd?(session: SimSession): void
}

/** Runs the demonstration; throws when a step is not possible at all. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
    const { seed, file = defaultFile, elements, pairs = 1, deadElement, tell, onEnd } = options
    const bytes = readFileSync(file)
    const name = basename(file)
    const session = new SimSession({
        seed,
        elements,
        pairs,
        onPanic: (node, code, atNs) => tell?.(atNs / 1e6, `node ${node} panicked (${code})`),
    })
    const { client, random } = session
    const say = (what: string) => tell?.(session.nowMs(), what)
    const wanted = sha256(bytes)
    const result: DemoResult = {
        ok: false,
        bytes: bytes.length,
        sha256: wanted,
        cutAtByte: 0,
        failoverMs: 0,
        acknowledgedBytesLost: 0,
        servedBy: "",
        givebackMs: 0,
        seed,
    }
    await session.run(async () => {
        await session.healthy()
        const all = pairs > 1 ? `all ${2 * pairs} boards serve their` : "both boards serve their"
        say(`${all} own volume and record for each other`)
        const neighbours = pairs > 1 ? new Neighbours(session) : undefined
        neighbours?.begin()
        if (neighbours) say("clients of the other pairs write and read all the time")

        const cutFrom = Math.floor(bytes.length * (cutFractionMin + random.float() * (cutFractionMax - cutFractionMin)))
        const delayMs = random.float() * cutDelayMsMax
        let acknowledged = 0
        let cutMs = 0
        let isArmed = false
        say(`put ${name} (${bytes.length} bytes) to :/a/${name}`)
        await client.put(volume, name, source(bytes), {
            mtime,
            onProgress: sofar => {
                if (cutMs > 0 && result.failoverMs === 0) {
                    result.failoverMs = tenths(session.nowMs() - cutMs)
                    say(`board b acknowledges byte ${sofar}: ${result.failoverMs.toFixed(1)} ms after the cut`)
                }
                acknowledged = sofar
                if (deadElement && !result.deadElement && sofar >= cutFrom / 2) {
                    result.deadElement = deadElement
                    session.simulation.cabinet.element(deadElement).faults.silent = true
                    say(`element ${deadElement} dies; ${sofar} bytes were acknowledged`)
                }
                if (isArmed || sofar < cutFrom) return
                isArmed = true
                session.host.clock.setTimeout(() => {
                    cutMs = session.nowMs()
                    result.cutAtByte = acknowledged
                    session.power("a", false)
                    say(`board a loses its power; ${acknowledged} bytes were acknowledged`)
                }, delayMs)
            },
        })
        say("the file is complete")
        result.servedBy = letter(client.controllerOf(volume))
        const throughB = await session.readAll(volume, name)
        result.acknowledgedBytesLost = differing(bytes, throughB, result.cutAtByte)
        say(
            `read back through board ${result.servedBy}: sha256 ${sha256(throughB) === wanted ? "is the same" : "DIFFERS"}`,
        )
        const second = `${name}.second`
        await client.put(volume, second, source(bytes.subarray(0, 5_000)), { mtime })
        say(`another file is written while board a is dead`)

        session.power("a", true)
        say("board a has its power again")
        await session.until("board a waits for its volume", () => session.roleOf(0) === roles.waiting)
        say("board a is up and waits for its volume")
        const givebackFrom = session.nowMs()
        await client.giveback(1)
        await session.until("board a serves its volume", () => client.controllerOf(volume) === 0)
        result.givebackMs = tenths(session.nowMs() - givebackFrom)
        say(`volume a is back on board a: ${result.givebackMs.toFixed(1)} ms`)
        await session.healthy()
        say("the pair is protected again")
        const throughA = await session.readAll(volume, name)
        const secondBack = await session.readAll(volume, second)
        say(`read back through board a: sha256 ${sha256(throughA) === wanted ? "is the same" : "DIFFERS"}`)
        if (deadElement) await replaceElement(session, deadElement, result, say)
        if (neighbours) {
            const seen = await neighbours.end({ fromMs: cutMs, toMs: cutMs + result.failoverMs })
            result.neighbours = seen
            say(
                `clients of the other pairs: ${seen.operations} operations, the longest ${seen.longestMs.toFixed(1)} ms, ` +
                    `during the failover ${seen.longestDuringFailoverMs.toFixed(1)} ms`,
            )
        }
        result.ok =
            cutMs > 0 &&
            result.rebuilt !== false &&
            !result.neighbours?.differing &&
            result.servedBy === "b" &&
            result.acknowledgedBytesLost === 0 &&
            [throughA, throughB].every(read => sha256(read) === wanted) &&
            secondBack.equals(bytes.subarray(0, 5_000)) &&
            session.simulation.panics.length === 0
        await client.close()
    })
    onEnd?.(session)
    await session.bus.close()
    return result
}

/** A blank element takes the dead one's place and is filled while the pair serves. */
async function replaceElement(session: SimSession, name: string, result: DemoResult, say: (what: string) => void) {
    const { client } = session
    const before = await client.array(volume)
    say(`array a is degraded: ${before.elements - before.members.length} of ${before.elements} elements is missing`)
    session.simulation.cabinet.replace(name, session.simulation.nowNs)
    const from = session.nowMs()
    await client.rebuild(volume)
    say(`a blank element is put in its place, and filled from the others`)
    let after = await client.array(volume)
    while (after.joining !== undefined) {
        await session.sleep(200)
        after = await client.array(volume)
    }
    result.rebuildMs = tenths(session.nowMs() - from)
    result.rebuilt = after.members.length === after.elements
    say(`array a is complete again: ${result.rebuildMs.toFixed(0)} ms`)
}

/** To a tenth of a millisecond, finer than anything here is worth telling. */
function tenths(ms: number): number {
    return Math.round(ms * 10) / 10
}

function letter(node: number | undefined): string {
    return node === undefined ? "" : "ab"[node]
}

/** How many of the first `count` bytes are not as they were. */
function differing(wanted: Uint8Array, found: Uint8Array, count: number): number {
    let differ = 0
    for (let i = 0; i < count; i++) if (wanted[i] !== found[i]) differ++
    return differ
}

function wholeNumber(least: number, most: number): (text: string) => number {
    return text => {
        const value = Number(text)
        if (!Number.isInteger(value) || value < least || value > most)
            throw new InvalidArgumentError(`give a whole number from ${least} to ${most}`)
        return value
    }
}

/** Runs the command. `out` is given the data, `err` all else. @returns the exit code */
export async function demoCommand(
    args: readonly string[],
    out: (text: string) => void,
    err: (text: string) => void,
): Promise<number> {
    const program = new Command("npm start --")
        .description("A simulated pair takes a real file; a board's power is pulled in mid-write; nothing is lost.")
        .argument("[file]", "the file to put; package-lock.json unless said otherwise")
        .option("--json", `the result as JSON (outputVersion ${outputVersion}), as the last line`)
        .option("--elements <n>", "flash chips of each array: 2 a mirror, 3 to 6 with parity", wholeNumber(2, 6), 2)
        .option(
            "--dead-element [name]",
            "a chip dies for good before the power is pulled, and is replaced after; a:1 unless said otherwise",
        )
        .option("--pairs <n>", "pairs on the bus, with clients at each", wholeNumber(1, pairsMax), 1)
        .option("--seed <n>", "seed of all randomness", wholeNumber(0, 0xffffffff), 1)
        .exitOverride()
        .configureOutput({ writeOut: out, writeErr: err })
    try {
        program.parse(args, { from: "user" })
        return await demonstrate(program, out, err)
    } catch (error) {
        if (!(error instanceof CommanderError)) throw error
        return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    }
}

async function demonstrate(
    program: Command,
    out: (text: string) => void,
    err: (text: string) => void,
): Promise<number> {
    const { json, seed, elements, pairs, deadElement } = program.opts<{
        json?: boolean
        seed: number
        elements: number
        pairs: number
        deadElement?: true | string
    }>()
    const dead = deadElement === true ? "a:1" : deadElement
    if (dead !== undefined && !(/^a:[0-5]$/.test(dead) && Number(dead[2]) < elements))
        program.error(`error: --dead-element ${dead}: name one of a:0 to a:${elements - 1}`)
    const tell = (ms: number, what: string) => (json ? err : out)(`${ms.toFixed(1).padStart(9)} ms  ${what}\n`)
    const boards = pairs === 1 ? "two" : String(2 * pairs)
    tell(0, `${boards} boards and ${2 * pairs * elements} flash chips, simulated; seed ${seed}`)
    const result = await runDemo({ seed, file: program.args[0], elements, pairs, deadElement: dead, tell })
    if (json) out(`${JSON.stringify({ outputVersion, ...result })}\n`)
    else
        out(
            result.ok
                ? `\nNothing was lost: ${result.bytes} bytes, power cut at ${result.cutAtByte}, ` +
                      `failover ${result.failoverMs.toFixed(1)} ms, giveback ${result.givebackMs.toFixed(1)} ms of virtual time.\n`
                : `\nSOMETHING WAS LOST: ${JSON.stringify(result)}\n`,
        )
    return result.ok ? exitCodes.done : exitCodes.error
}

if (process.argv[1] === fileURLToPath(import.meta.url))
    demoCommand(
        process.argv.slice(2),
        text => void process.stdout.write(text),
        text => void process.stderr.write(text),
    ).then(
        exitCode => (process.exitCode = exitCode),
        (error: Error) => {
            process.stderr.write(`the demonstration failed: ${error.message}\n`)
            process.exitCode = exitCodes.error
        },
    )
