/** Verbs about boards at this machine's ports: doctor, which finds them and says what to do, and flash, which makes a node of one. */
import type { Command } from "commander"
import { spawn } from "node:child_process"
import { constants } from "node:fs"
import { access, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { sleep } from "../bus/clock"
import type { ServiceBus } from "../bus/jacdac-bus"
import { deploy } from "../bus/manager"
import { boardOf, Runtimes, type RuntimeBoard } from "../bus/runtimes"
import { boardPorts, type BoardPort } from "../bus/serial-ports"
import { TwinfilerClient } from "../client"
import { exitCodes, isError, TwinfilerError } from "../error"
import { readImage } from "../image"
import { volumeLetter } from "../protocol/numbers"
import { busUrl, outputVersion, type CommonOptions, type World } from "./context"
import { ownFirmware, readFirmware, verifyFirmware } from "./firmware"
import { parseLetter } from "./paths"
import type { AddVerb } from "./verb"

/** Every board announces itself twice a second, and a node beats soon after its program started. */
const boardMs = 1_500
const beatMs = 10_000
const nodeMajorMin = 20
const projectRoot = fileURLToPath(new URL("../../..", import.meta.url))
/** A board that got its runtime starts anew, and its port comes with it. */
const portMsMax = 20_000
const nodesMax = 8
/** Where a board's runtime is released, the name `devs flash` downloads it under, and its first bytes. */
const releases = {
    pico: {
        url: "https://github.com/microsoft/devicescript-pico/releases",
        name: "devicescript-rp2040-pico.uf2",
        magic: [0x55, 0x46, 0x32, 0x0a],
    },
    esp32s3: {
        url: "https://github.com/microsoft/devicescript-esp32/releases",
        name: "devicescript-esp32s3-esp32s3_bare-0x0.bin",
        magic: [0xe9],
    },
}
const runtimeCache = join(projectRoot, ".devicescript", "cache")
type BoardKind = keyof typeof releases

export function addBoardVerbs(verb: AddVerb): void {
    verb("doctor", "find the boards at this machine's USB ports, and say what hinders", command => command).doesAlone(
        doctor,
    )
    verb("flash", "make a node of a board: runtime by USB, program over the bus, and a check of both", command =>
        command
            .requiredOption("--board <kind>", "pico or esp32s3")
            .requiredOption("--node <letter>", "which node it is to be; its NODE strap must say the same")
            .option("--port <path>", "its serial port; without it, the bus says where it is")
            .option("--runtime <file>", "this runtime (.uf2 or .bin) instead of the released one, which is downloaded")
            .option("--drive <folder>", "the Pico's boot drive, where it is not found by itself")
            .option("--no-runtime", "the board has its runtime already: only the program")
            .option("--firmware <file>", "this program instead of the one built from this project's sources")
            .option("--elements <kind>", "nor or sd: what the arrays are made of", "nor"),
    ).doesAlone(flash)
}

export interface Found extends BoardPort {
    canUse: boolean
}
export interface Finding {
    ok: boolean
    what: string
    todo?: string
}

/** A pure function of what was found. */
export function advise(nodeVersion: string, platform: string, ports: readonly Found[]): Finding[] {
    const findings: Finding[] = []
    const isNew = Number(nodeVersion.split(".")[0]) >= nodeMajorMin
    findings.push({
        ok: isNew,
        what: `Node ${nodeVersion}`,
        todo: isNew ? undefined : `install Node ${nodeMajorMin} or newer`,
    })
    for (const { path, kind, vendorId, productId, canUse } of ports)
        findings.push({
            ok: canUse,
            what: `${path}: ${kind} (${hex4(vendorId)}:${hex4(productId)})`,
            todo: canUse
                ? undefined
                : platform === "linux"
                  ? "you may not use it: `sudo usermod -aG dialout $USER`, then log in again"
                  : "another program has it, or you may not use it",
        })
    if (ports.length === 0)
        findings.push({
            ok: false,
            what: "no board at a USB port",
            todo:
                "plug one in with a cable that carries data. A new Pico shows itself as a drive: flash it with " +
                "`twinfiler flash --board pico --node a`; an ESP32-S3 goes by the plug named USB",
        })
    return findings
}

const hex4 = (id: number) => id.toString(16).padStart(4, "0")

async function doctor(world: World, command: Command): Promise<number> {
    const { json } = command.optsWithGlobals() as CommonOptions
    const ports: Found[] = await Promise.all(
        (await boardPorts()).map(async port => ({
            ...port,
            canUse: await access(port.path, constants.R_OK | constants.W_OK).then(
                () => true,
                () => process.platform === "win32",
            ),
        })),
    )
    const findings = advise(process.versions.node, process.platform, ports)
    if (json) world.stdout.write(JSON.stringify({ outputVersion, ports, findings }) + "\n")
    else
        for (const { ok, what, todo } of findings) {
            world.stdout.write(`${ok ? "ok" : "!"}  ${what}\n`)
            if (todo) world.stdout.write(`   ${todo}\n`)
        }
    return findings.every(({ ok }) => ok) ? exitCodes.done : exitCodes.error
}

interface FlashFlags extends CommonOptions {
    board: string
    node: string
    port?: string
    runtime: boolean | string
    drive?: string
    firmware?: string
    elements: string
}

async function flash(world: World, command: Command): Promise<number> {
    const flags = command.optsWithGlobals() as FlashFlags
    const kind = flags.board
    if (!isBoardKind(kind)) throw new TwinfilerError("usage", `--board ${kind}: give pico or esp32s3`)
    if (!["nor", "sd"].includes(flags.elements))
        throw new TwinfilerError("usage", `--elements ${flags.elements}: give nor or sd`)
    const node = parseLetter(flags.node, "node")
    if (node >= nodesMax) throw new TwinfilerError("usage", `--node ${flags.node}: straps name the nodes a to h`)
    const say = (text: string) => void (flags.quiet || world.stderr.write(`twinfiler: ${text}\n`))
    // the board that is flashed is at a port, or on a bus that already runs
    const address = flags.port
        ? `serial:${flags.port}`
        : flags.bus || world.env.TWINFILER_BUS
          ? busUrl(world, flags)
          : "auto"
    const firmware = await (flags.firmware === undefined ? ownFirmware(flags.elements) : readFirmware(flags.firmware))
    await verifyFirmware(firmware)
    const { image } = firmware
    if (flags.runtime !== false) await flashRuntime(world, kind, flags)
    const bus = await openWhenThere(world, address, flags.runtime === false ? 0 : portMsMax)
    const runtimes = new Runtimes(bus, world.clock, world.random)
    const client = new TwinfilerClient(bus, { clock: world.clock, random: world.random })
    try {
        await sleep(world.clock, boardMs)
        const board = chooseBoard(runtimes.boards(), client, node)
        say(`board ${board.device} gets its program, ${image.length} bytes`)
        await deploy(runtimes, board, image, () => undefined, { signal: world.signal }).catch((error: unknown) => {
            if (isError(error, "aborted")) say(`the board ${board.device} has no program now: flash it again`)
            throw error
        })
        const wanted = readImage(image, "the program").version
        const version = await checkNode(world, client, board, node)
        if (version !== wanted)
            throw new TwinfilerError("ioError", `the node says it runs firmware ${version}, not ${wanted}`)
        const result = { node: flags.node, device: board.device, firmware: version }
        if (flags.json) world.stdout.write(JSON.stringify({ outputVersion, ok: true, ...result }) + "\n")
        else world.stdout.write(`node ${flags.node}: runs firmware ${version}\n`)
        return exitCodes.done
    } finally {
        runtimes.close()
        await client.close()
        await bus.close()
    }
}

const isBoardKind = (kind: string): kind is BoardKind => Object.hasOwn(releases, kind)

/** Waits for a port that comes back when its board has started. */
async function openWhenThere(world: World, address: string, waitMs: number): Promise<ServiceBus> {
    const endMs = world.clock.now() + waitMs
    for (;;)
        try {
            return await world.openBus(address)
        } catch (error) {
            if (!isError(error, "noBus") || world.clock.now() >= endMs || world.signal.aborted) throw error
            await sleep(world.clock, 500)
        }
}

/** `devs flash` reads the board files of its folder: pins and names go into the runtime it writes. */
async function flashRuntime(world: World, kind: BoardKind, { runtime, port, drive }: FlashFlags): Promise<void> {
    const cli = join(
        dirname(createRequire(import.meta.url).resolve("@devicescript/cli/package.json")),
        "built",
        "devicescript-cli.cjs",
    )
    const isEsp = kind === "esp32s3"
    const args = [cli, "flash", isEsp ? "esp32" : "rp2040", "--board", `${kind}_node`]
    if (isEsp && port) args.push("--port", port)
    // it makes the file then, and leaves the rest to us
    const isOwnDrive = !isEsp && drive !== undefined
    if (isOwnDrive) args.push("--remote")
    const given = typeof runtime === "string" ? await keepRuntime(kind, runtime) : undefined
    const code = await new Promise<number | null>((ended, failed) => {
        const child = spawn(process.execPath, args, { cwd: projectRoot, stdio: ["inherit", 2, 2] })
        child.on("error", failed)
        child.on("exit", ended)
    })
    if (given) await rm(given, { force: true })
    if (world.signal.aborted) throw new TwinfilerError("aborted", "stopped")
    if (code === 0 && isOwnDrive)
        await copyFile(join(runtimeCache, `devicescript-rp2040-${kind}_node.uf2`), join(drive, "fw.uf2")).catch(
            (error: Error) => {
                throw new TwinfilerError("ioError", `the runtime was not copied to ${drive}: ${error.message}`)
            },
        )
    if (code === 0) return
    const instead = `get ${releases[kind].name} from ${releases[kind].url} and give --runtime FILE`
    throw new TwinfilerError(
        "ioError",
        `the runtime was not flashed: \`devs flash\` ended with ${code}, its words are above` +
            `${given ? "" : `. If it could not be downloaded, ${instead}`}; if the board has its runtime already, give --no-runtime`,
    )
}

/**
 * Puts a runtime where `devs flash` looks before it downloads one: what it is given by --file it writes as it is, without the board's pins.
 * @returns where
 */
async function keepRuntime(kind: BoardKind, path: string): Promise<string> {
    const { name, magic, url } = releases[kind]
    const bytes = await readFile(path).catch((error: Error) => {
        throw new TwinfilerError("usage", `cannot read the runtime: ${error.message}`)
    })
    if (!magic.every((byte, i) => bytes[i] === byte))
        throw new TwinfilerError(
            "badRequest",
            `${path}: this is no runtime for a board of the kind ${kind}: its first bytes are others. It is released as ${name} at ${url}`,
        )
    const kept = join(runtimeCache, name)
    await mkdir(runtimeCache, { recursive: true })
    await writeFile(kept, bytes)
    return kept
}

/** The one that is this node already, or the only one that is no other node. */
function chooseBoard(boards: RuntimeBoard[], client: TwinfilerClient, node: number): RuntimeBoard {
    if (boards.length === 1) return boards[0]
    const nodes = client.nodes()
    const isNode = (board: RuntimeBoard, other: (number: number) => boolean) =>
        nodes.some(state => other(state.node) && boardOf(state.device) === board.device)
    const known = boards.find(board => isNode(board, number => number === node))
    if (known) return known
    const nameless = boards.filter(board => !isNode(board, () => true))
    if (nameless.length === 1) return nameless[0]
    throw boards.length === 0
        ? new TwinfilerError("noNode", "no board with a runtime is heard: see `twinfiler doctor`")
        : new TwinfilerError(
              "usage",
              `${boards.length} boards are on the bus, and none is node ${volumeLetter(node)} yet: plug in only the one to flash`,
          )
}

/** Waits for the new program's beats and asks which version it is. */
async function checkNode(world: World, client: TwinfilerClient, board: RuntimeBoard, node: number): Promise<string> {
    const endMs = world.clock.now() + beatMs
    // what is heard after this comes from the new program: the old one ended before the first byte of it went out
    await sleep(world.clock, boardMs)
    for (;;) {
        if (world.signal.aborted) throw new TwinfilerError("aborted", "stopped")
        const state = client.nodes().find(({ device, isHeard }) => isHeard && boardOf(device) === board.device)
        if (state && state.node !== node)
            throw new TwinfilerError(
                "badRequest",
                `the board is node ${volumeLetter(state.node)} by its strap, not ${volumeLetter(node)}: NODE low is a, high is b`,
            )
        if (state) {
            const figures = await client.nodeFigures(node, { timeoutMs: boardMs }).catch((error: unknown) => {
                if (!isError(error)) throw error
            })
            if (figures) return figures.firmware
        }
        if (world.clock.now() > endMs)
            throw new TwinfilerError(
                "noNode",
                `the board has its program but node ${volumeLetter(node)} does not beat: is its ground or bus wire missing?`,
            )
        await sleep(world.clock, 200)
    }
}
