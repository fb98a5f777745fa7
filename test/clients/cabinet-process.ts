// A simulated cabinet in a process of its own, and the command line beside it, as a person would run them. Ports are free ones of this
// machine; every process is ended by its own id.

import { spawn, type ChildProcess } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { runClient, type Ended } from "./real-client"

const root = fileURLToPath(new URL("../..", import.meta.url))
const program = join(root, "bin", "twinfiler.mjs")
const startMsMax = 60_000
const endMsMax = 10_000

export class CabinetProcess {
    /** Its folder `chips` holds the chips' contents. */
    readonly folder = mkdtempSync(join(tmpdir(), "twinfiler-clients-"))
    webSocketUrl = ""
    tcpUrl = ""
    private readonly children: ChildProcess[] = []
    private readonly killAll = () => {
        for (const child of this.children) child.kill("SIGKILL")
        this.removeFolder()
    }

    static async start(...more: string[]): Promise<CabinetProcess> {
        const cabinet = new CabinetProcess()
        process.once("exit", cabinet.killAll)
        const chips = join(cabinet.folder, "chips")
        const args = ["sim", "--dir", chips, "--port", "0", "--pace", "max", "--seed", "1", ...more]
        const [, webSocketUrl, tcpUrl] = await cabinet.spawn(args, /bus at (ws:\S+) and (tcp:[\w.:/]+)/)
        return Object.assign(cabinet, { webSocketUrl, tcpUrl })
    }

    /** Opens the WebDAV door; returns its address, which ends in a slash. */
    async serveWebdav(): Promise<string> {
        const [, url] = await this.spawn(["serve", "--webdav", "127.0.0.1:0"], /WebDAV on (http:\S+)/)
        return url
    }

    /** Runs one verb of the command line. */
    twinfiler(...args: string[]): Promise<Ended> {
        return runClient(process.execPath, [program, ...args], { env: this.env })
    }

    /** The same, for verbs that must end with one of `exitCodes`; returns standard output. */
    async verb(args: string[], exitCodes = [0]): Promise<string> {
        const { exitCode, out, err } = await this.twinfiler(...args)
        if (exitCode === null || !exitCodes.includes(exitCode))
            throw new Error(`twinfiler ${args.join(" ")} ended with ${exitCode}\n${out}${err}`)
        return out
    }

    /** Asks for the status until `condition` holds. */
    async until(what: string, condition: (status: Status) => boolean): Promise<void> {
        const tryMax = 30
        let text = ""
        for (let i = 0; i < tryMax; i++) {
            text = await this.verb(["status", "--json"], [0, 4])
            if (condition(JSON.parse(text) as Status)) return
        }
        throw new Error(`${what}: not after ${tryMax} looks; ${text}`)
    }

    async close(): Promise<void> {
        // the doors first, then the cabinet they look into
        for (const child of [...this.children].reverse()) await end(child)
        process.off("exit", this.killAll)
        this.removeFolder()
    }

    private removeFolder(): void {
        rmSync(this.folder, { recursive: true, force: true })
    }

    private get env(): Record<string, string> {
        return { TWINFILER_BUS: this.webSocketUrl }
    }

    /** Starts a verb that stays, and waits for the line that says it is ready. */
    private spawn(args: string[], ready: RegExp): Promise<RegExpExecArray> {
        return new Promise((resolve, reject) => {
            const child = spawn(process.execPath, [program, ...args], {
                env: { ...process.env, ...this.env },
                stdio: ["ignore", "pipe", "pipe"],
            })
            this.children.push(child)
            let text = ""
            const fail = (why: string) => reject(new Error(`twinfiler ${args[0]} ${why}:\n${text}`))
            const timer = setTimeout(() => fail("is not ready"), startMsMax)
            for (const stream of [child.stdout, child.stderr])
                stream.on("data", data => {
                    text += data
                    const found = ready.exec(text)
                    if (!found) return
                    clearTimeout(timer)
                    resolve(found)
                })
            child.on("error", error => fail(error.message))
            child.on("close", code => {
                clearTimeout(timer)
                fail(`ended with ${code}`)
            })
        })
    }
}

export interface Status {
    ok: boolean
    nodes: { node: string; role: string; heard: boolean }[]
    volumes: { volume: string; controller: string | null }[]
}

function end(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
    return new Promise(resolve => {
        const timer = setTimeout(() => child.kill("SIGKILL"), endMsMax)
        child.once("close", () => {
            clearTimeout(timer)
            resolve()
        })
        child.kill("SIGINT")
    })
}
