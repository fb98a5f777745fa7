/**
 * A board's DeviceScript manager: which program it holds, and putting another there. Between the first byte and the last the
 * board has no program; what a power cut leaves is a board without one, or with the old or the new one, never a part of it,
 * because the runtime writes the second half of its mark when the last byte is there.
 */
import { createHash } from "node:crypto"
import { isError, TwinfilerError } from "../error"
import type { AskOptions, RuntimeBoard, Runtimes } from "./runtimes"
import type { Packet } from "./jacdac-frame"

// Jacdac, DeviceScript manager
const deployCommand = 0x80
const getRegister = 0x1000
const setRegister = 0x2000
const runningRegister = 0x80
const autostartRegister = 0x81
const sizeRegister = 0x180
const sha256Register = 0x182
const runtimeRegister = 0x183
const nameRegister = 0x184
const versionRegister = 0x185

// Jacdac, pipes: packets to service 0x3e, whose command is port, end, metadata and a counter
const pipeIndex = 0x3e
const pipePortShift = 7
const pipeCounterMask = 0x1f
const pipeEnd = 0x20
const pipeMetadata = 0x40

/** devsmgr.c, DEVSMGR_ALIGN */
const programAlign = 32
/** A multiple of 32 that leaves room in a frame for the question's other packets. */
const pieceBytes = 192
/** The flash is erased before the answer: 28 sectors of 400 ms at most (W25Q16JV §9.6). */
const eraseMs = 12_000
const deploysMax = 4
const asksMax = 4

/** The program of a board as its runtime tells it, whether or not it runs. */
export interface ProgramState {
    /** 0 when there is none, or only a part of one. */
    bytes: number
    /** Of the program padded to 32 bytes; undefined when there is none. */
    sha256?: string
    name: string
    version: string
    /** major.minor.patch of the bytecode format the runtime takes. */
    runtime: string
}

/** The bytes a board is given for an image. */
export function paddedImage(image: Uint8Array): Buffer {
    return Buffer.concat([image, Buffer.alloc(-image.length & (programAlign - 1))])
}

export function imageSha256(image: Uint8Array): string {
    return createHash("sha256").update(paddedImage(image)).digest("hex")
}

export async function programState(
    runtimes: Runtimes,
    board: RuntimeBoard,
    options?: AskOptions,
): Promise<ProgramState> {
    const ask = async (registers: number[]): Promise<Map<number, Buffer>> => {
        const commands = registers.map(register => toManager(board, getRegister | register))
        for (let tried = 1; ; tried++) {
            const reports = await runtimes.ask(board.device, commands, options)
            const found = new Map(
                reports
                    .filter(({ serviceIndex }) => serviceIndex === board.manager)
                    .map(({ code, data }) => [code & 0xfff, Buffer.from(data)]),
            )
            // a frame that answers another host, too, has no room for all; what comes last is missing
            if (found.has(registers[registers.length - 1]) || tried >= asksMax) return found
        }
    }
    // in two frames: the answer to one must fit a frame, or its end stays off the wire
    const figures = await ask([sizeRegister, sha256Register, runtimeRegister])
    const texts = await ask([nameRegister, versionRegister])
    const size = figures.get(sizeRegister)
    const sha256 = figures.get(sha256Register)
    const runtime = figures.get(runtimeRegister)
    const bytes = size?.length === 4 ? size.readUInt32LE(0) : 0
    return {
        bytes,
        sha256: bytes && sha256?.length === 32 ? sha256.toString("hex") : undefined,
        name: texts.get(nameRegister)?.toString("utf8") ?? "",
        version: texts.get(versionRegister)?.toString("utf8") ?? "",
        runtime: runtime?.length === 4 ? `${runtime[3]}.${runtime[2]}.${runtime.readUInt16LE(0)}` : "",
    }
}

/** Lets the board start the program it holds, now and whenever it stops. */
export async function startProgram(runtimes: Runtimes, board: RuntimeBoard, options?: AskOptions): Promise<void> {
    const on = Buffer.of(1)
    const reports = await runtimes.ask(board.device, [toManager(board, getRegister | runningRegister)], options)
    const running = reports.find(
        ({ serviceIndex, code }) => serviceIndex === board.manager && code === (getRegister | runningRegister),
    )
    const commands = [toManager(board, setRegister | autostartRegister, on)]
    // one that runs would start anew
    if (!running?.data[0]) commands.push(toManager(board, setRegister | runningRegister, on))
    await runtimes.ask(board.device, commands, options)
}

export interface DeployOptions extends AskOptions {
    /** Awaited before the board loses the program it has. What it throws ends the deploy. */
    beforeErase?: () => Promise<void>
    /** The board is about to be told to erase what it has. */
    onErase?: () => void
}

/**
 * Gives the board a program and starts it, which it must not do by itself: a frame's CRC lets one damaged frame in 65,536 pass, and
 * nobody knows what damaged code does. Begins anew, a few times, when the board restarts in the middle or does not hold the
 * program's very bytes in the end. `at` is told of bytes that have arrived.
 */
export async function deploy(
    runtimes: Runtimes,
    board: RuntimeBoard,
    image: Uint8Array,
    at: (bytes: number) => void,
    options: DeployOptions = {},
): Promise<void> {
    const bytes = paddedImage(image)
    const wanted = imageSha256(image)
    for (let tried = 1; ; tried++) {
        // two hosts at one board take the pipe from each other for ever
        const isShared = await runtimes.quiet(board.device, options.signal)
        if (tried === 1) await options.beforeErase?.()
        try {
            if (isShared && (await programState(runtimes, board, options)).sha256 === wanted)
                return await startProgram(runtimes, board, options)
            await deployOnce(runtimes, board, bytes, at, options)
            const { sha256 } = await programState(runtimes, board, options)
            if (sha256 === wanted) return await startProgram(runtimes, board, options)
            // not one that might run after a power cut
            await beginDeploy(runtimes, board, 0, options)
            throw new TwinfilerError("checksum", `the board ${board.device} does not hold the program it was given`)
        } catch (error) {
            // "no room" may be an answer that another host's question cut off
            if (!isError(error, "timeout", "checksum", "tooLarge") || tried >= deploysMax) throw error
            await runtimes.find(board.device, eraseMs, options.signal)
        }
    }
}

async function deployOnce(
    runtimes: Runtimes,
    board: RuntimeBoard,
    bytes: Buffer,
    at: (bytes: number) => void,
    options: DeployOptions,
): Promise<void> {
    const { device } = board
    if (!options.signal?.aborted) options.onErase?.()
    const port = await beginDeploy(runtimes, board, bytes.length, options)
    let counter = 0
    const send = async (flags: number, data: Uint8Array) => {
        const code = (port << pipePortShift) | flags | (counter++ & pipeCounterMask)
        // the pipe takes each count once
        await runtimes.ask(device, [{ serviceIndex: pipeIndex, code, data }], { ...options, isEager: true })
    }
    let announcements = runtimes.board(device)?.announcements ?? 0
    for (let sent = 0; sent < bytes.length; sent += pieceBytes) {
        await send(0, bytes.subarray(sent, sent + pieceBytes))
        const now = runtimes.board(device)?.announcements ?? 0
        if (now < announcements) throw new TwinfilerError("timeout", `the board ${device} restarted`)
        announcements = now
        at(Math.min(sent + pieceBytes, bytes.length))
    }
    await send(pipeEnd | pipeMetadata, Buffer.alloc(0))
}

/** The board's program ends and is erased. Returns the number of the pipe for the new one. */
async function beginDeploy(
    runtimes: Runtimes,
    board: RuntimeBoard,
    bytes: number,
    options: AskOptions,
): Promise<number> {
    const size = Buffer.alloc(4)
    size.writeUInt32LE(bytes)
    const commands = [
        toManager(board, setRegister | autostartRegister, Buffer.of(0)),
        toManager(board, deployCommand, size),
    ]
    // each one ends the one before, so it is sent again only when that cannot be answered any more; nothing has gone into a pipe yet
    const reports = await runtimes.ask(board.device, commands, { ...options, waitMs: eraseMs, tries: asksMax })
    const answer = reports.find(({ serviceIndex, code }) => serviceIndex === board.manager && code === deployCommand)
    if (answer?.data.length !== 2)
        throw new TwinfilerError("tooLarge", `the board ${board.device} has no room for a program of ${bytes} bytes`)
    return Buffer.from(answer.data).readUInt16LE(0)
}

function toManager(board: RuntimeBoard, code: number, data: Uint8Array = Buffer.alloc(0)): Packet {
    return { serviceIndex: board.manager, code, data }
}
