/** Verbs about boards at this machine's ports: doctor, which finds them and says what to do, and flash, which makes a node of one. */
import type { Command } from "commander"
import { spawn } from "node:child_process"
import { constants } from "node:fs"
import { access, readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { sleep } from "../bus/clock"
import { deploy } from "../bus/manager"
import { boardOf, Runtimes, type RuntimeBoard } from "../bus/runtimes"
import { boardPorts, type BoardPort } from "../bus/serial-ports"
import { TwinfilerClient } from "../client"
import { exitCodes, isError, TwinfilerError } from "../error"
import { readImage } from "../image"
import { volumeLetter } from "../protocol/numbers"
import { busUrl, outputVersion, type CommonOptions, type World } from "./context"
import { parseLetter } from "./paths"
import type { AddVerb } from "./verb"

/** Every board announces itself twice a second, and a node beats soon after its program started. */
const boardMs = 1_500
const beatMs = 10_000
const nodeMajorMin = 20
const projectRoot = fileURLToPath(new URL("../../..", import.meta.url))
/** In a variable: it needs the sources, and only `flash` without --firmware wants it. */
const buildModule = "../../sim/bytecode"

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
    firmware?: string
    elements: string
}

async function flash(world: World, command: Command): Promise<number> {
    const flags = command.optsWithGlobals() as FlashFlags
    const id = { pico: "pico_node", esp32s3: "esp32s3_node" }[flags.board]
    if (!id) throw new TwinfilerError("usage", `--board ${flags.board}: give pico or esp32s3`)
    if (!["nor", "sd"].includes(flags.elements))
        throw new TwinfilerError("usage", `--elements ${flags.elements}: give nor or sd`)
    const node = parseLetter(flags.node, "node")
    const say = (text: string) => void (flags.quiet || world.stderr.write(`twinfiler: ${text}\n`))
    const image = await programImage(flags)
    if (flags.runtime !== false) await flashRuntime(id, flags)
    const bus = await world.openBus(flags.port ? `serial:${flags.port}` : busUrl(world, flags))
    const runtimes = new Runtimes(bus, world.clock)
    const client = new TwinfilerClient(bus, { clock: world.clock, random: world.random })
    try {
        await sleep(world.clock, boardMs)
        const board = chooseBoard(runtimes.boards(), client, node)
        say(`board ${board.device} gets its program, ${image.length} bytes`)
        await deploy(runtimes, board, image, () => undefined, { signal: world.signal })
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

async function programImage({ firmware, elements }: FlashFlags): Promise<Uint8Array> {
    if (firmware !== undefined) {
        const image = await readFile(firmware).catch((error: Error) => {
            throw new TwinfilerError("usage", `cannot read the firmware: ${error.message}`)
        })
        readImage(image, firmware)
        return image
    }
    const { buildProgram, firmwareSources } = (await import(buildModule)) as {
        buildProgram(sources: object): Uint8Array
        firmwareSources(elements: string): object
    }
    return buildProgram(firmwareSources(elements))
}

/** `devs flash` reads the board files of its folder: pins and names go into the runtime it writes. */
function flashRuntime(id: string, { runtime, port }: FlashFlags): Promise<void> {
    const cli = join(
        dirname(createRequire(import.meta.url).resolve("@devicescript/cli/package.json")),
        "built",
        "devicescript-cli.cjs",
    )
    const isEsp = id.startsWith("esp32")
    const args = [cli, "flash", isEsp ? "esp32" : "rp2040", "--board", id]
    if (isEsp && port) args.push("--port", port)
    if (typeof runtime === "string") args.push("--file", runtime)
    return new Promise((resolve, reject) => {
        const child = spawn(process.execPath, args, { cwd: projectRoot, stdio: ["inherit", 2, 2] })
        child.on("error", reject)
        child.on("exit", code =>
            code === 0
                ? resolve()
                : reject(
                      new TwinfilerError("ioError", `the runtime was not flashed: \`devs flash\` ended with ${code}`),
                  ),
        )
    })
}

/** The only one there, or the one that is this node already. */
function chooseBoard(boards: RuntimeBoard[], client: TwinfilerClient, node: number): RuntimeBoard {
    if (boards.length === 1) return boards[0]
    const device = client.nodes().find(state => state.node === node)?.device
    const known = device === undefined ? undefined : boards.find(board => board.device === boardOf(device))
    if (known) return known
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
    const beginMs = world.clock.now()
    await sleep(world.clock, boardMs)
    for (;;) {
        const state = client.nodes().find(({ device, isHeard }) => isHeard && boardOf(device) === board.device)
        if (state && state.node !== node)
            throw new TwinfilerError(
                "badRequest",
                `the board is node ${volumeLetter(state.node)} by its strap, not ${volumeLetter(node)}: NODE low is a, high is b`,
            )
        if (state && state.uptimeMs < world.clock.now() - beginMs + beatMs) {
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
