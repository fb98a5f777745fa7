// A board file as the VM wants it: the configuration block the board would have in flash, and what its pins start as. Compiled
// by the pinned command line, kept in build/ under the hash of its inputs.

import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import type { Level } from "./board-port"
import { inScratchFolder, projectRoot, runCli, writeWhole } from "./devs-cli"

export interface BoardConfig {
    /** The file's name before `.board.json`. */
    id: string
    dcfg: Uint8Array
    /** GPIO by pin name, for the pins a program can use. */
    pins: Map<string, number>
    /** Level by GPIO of the pins that are driven from the start (`sPin`). */
    initial: Map<number, Level>
}

/** The arch.json files of devicescript-pico and devicescript-esp32, the parts that matter to a configuration block. */
const architectures: Record<string, object> = {
    rp2040: { id: "rp2040", name: "RP2040", dcfgOffset: "0x100dc000", pins: { io: "0-29", analogIn: "26-29" } },
    esp32s3: {
        id: "esp32s3",
        name: "ESP32-S3",
        dcfgOffset: "0x9000",
        pins: { io: "0-18,21,33-48", analogIn: "1-10", boot: "0,45,46", debug: "39-42", flash: "26-32", usb: "19,20" },
    },
}

interface BoardJson {
    archId: string
    pins?: Record<string, number | string>
    sPin?: Record<string, number>
}

/** @param kept folder where compiled blocks are kept */
export function boardConfig(boardPath: string, kept = join(projectRoot, "build")): BoardConfig {
    const text = readFileSync(boardPath, "utf8")
    const json = JSON.parse(text) as BoardJson
    const arch = architectures[json.archId]
    if (!arch)
        throw new Error(
            `${boardPath}: the simulator has no architecture "${json.archId}", only ${Object.keys(architectures)}`,
        )
    const id = basename(boardPath, ".board.json")
    const pins = new Map<string, number>()
    const used = new Set<number>()
    collectUsedPins(json, used)
    for (const [name, gpio] of Object.entries(json.pins ?? {}))
        if (!name.startsWith("@") && !used.has(Number(gpio))) pins.set(name, Number(gpio))
    const initial = new Map<number, Level>()
    for (const [name, level] of Object.entries(json.sPin ?? {})) {
        const gpio = json.pins?.[name]
        if (gpio !== undefined && (level === 0 || level === 1)) initial.set(Number(gpio), level)
    }
    return { id, dcfg: compile(id, text, JSON.stringify(arch), kept), pins, initial }
}

/** impl_gpio.c, init_used: a pin named by any `pin…` key outside `pins` is not the program's. */
function collectUsedPins(node: object, used: Set<number>): void {
    for (const [key, value] of Object.entries(node)) {
        if (key === "pins" || key === "sPin") continue
        if (typeof value === "object" && value !== null) collectUsedPins(value, used)
        else if (key.startsWith("pin") && typeof value === "number") used.add(value)
    }
}

function compile(id: string, boardText: string, archText: string, kept: string): Uint8Array {
    const hash = createHash("sha256").update(`2.16.4\0${id}\0${archText}\0${boardText}`).digest("hex").slice(0, 16)
    const cachePath = join(kept, "dcfg", `${id}-${hash}.dcfg`)
    if (existsSync(cachePath)) return readFileSync(cachePath)
    return inScratchFolder(folder => {
        const file = `${id}.board.json`
        writeFileSync(join(folder, "arch.json"), archText)
        writeFileSync(join(folder, file), boardText)
        runCli(folder, ["dcfg", file, "-o", "board.dcfg"])
        const dcfg = readFileSync(join(folder, "board.dcfg"))
        writeWhole(cachePath, dcfg)
        return dcfg
    })
}
