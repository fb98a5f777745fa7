// Clients of one cabinet and what they were answered: seeded operations on few names with unique contents, each noted with its call, its
// return and its outcome for the checker.

import { JacdacBus } from "../bridge/bus/jacdac-bus"
import { TwinfilerClient } from "../bridge/client"
import { isError, type ErrorCode } from "../bridge/error"
import type { Random } from "../sim/random"
import { sourceOnce, type SimSession } from "../sim/session"
import { VirtualHost } from "../sim/virtual-host"
import type { Action, Operation, Outcome } from "./linear"
import type { Wait } from "./lateness"
import { isRefusal, type Refused } from "./refusals"

const names = ["f", "g", "h"]
const snapshotNames = ["s", "t"]
/** Longer than all faults and the recovery together: such a client sees no error, only lateness. */
const patientMs = 150_000
const impatientMsMin = 1_500
const impatientMsMax = 6_000
const pauseMsMax = 120
/** Of the clients, those that come for an operation or a few, as the command line does; and how often one leaves after an operation. */
const briefShare = 0.5
const leavesShare = 0.5
/**
 * A request that nobody sends any more is not done after this: its copy is abandoned after 6 s (docs/PROTOCOL.md), the rest is for a
 * takeover that began before that.
 */
export const unknownMsMax = 12_000
const contentsMax = 3_000
const contentsLargeMax = 9_000
const markBytes = 16

/** Nobody answered, or nobody can tell: it may be done, now or later. */
const unknownCodes: readonly ErrorCode[] = ["timeout", "noNode", "unknownOutcome", "aborted"]
/** The array failed below; what was asked may be done. */
const arrayCodes: readonly ErrorCode[] = ["ioError", "checksum"]

interface Client {
    name: string
    client: TwinfilerClient
    random: Random
    isPatient: boolean
    /** Says bye after an operation, when that is drawn, and another takes its place. */
    renew?: () => TwinfilerClient
}

export class ClientHistory {
    /** Of each volume. */
    readonly operations: Operation[][]
    /** What no client may see. */
    readonly faults: string[] = []
    /** Turned away for a reason that says nothing of the contents: they did nothing, and are no part of what was done. */
    readonly refused: Refused[] = []
    /** How long each operation of a patient client took, whatever its outcome. */
    readonly waits: Wait[] = []
    answered = 0
    arrayErrors = 0
    private readonly clients: Client[] = []
    private readonly hosts: JacdacBus[] = []
    private readonly contents = new Map<string, Buffer>()
    private made = 0

    constructor(
        private readonly session: SimSession,
        private readonly random: Random,
        /** All clients but the first give up after so long; otherwise some do, each after a time of its own. */
        private readonly impatientMs?: number,
    ) {
        const { simulation, bus } = session
        this.operations = simulation.cabinet.nodeNames.map(() => [])
        const clients = 1 + this.pairs + random.int(2)
        const hosts = 1 + random.int(2)
        for (let i = 0; i < clients; i++) {
            const name = `c${i}`
            const draw = random.fork(`client ${name}`)
            let on: JacdacBus = bus
            if (i > 0 && hosts > 1) {
                const virtual = new VirtualHost(simulation, `host${i}`)
                on = new JacdacBus(virtual, { clock: virtual.clock, random: () => draw.uint32() })
                this.hosts.push(on)
            }
            this.clients.push(
                this.newClient(name, on, draw, i === 0 || (impatientMs === undefined && random.chance(0.5))),
            )
        }
    }

    private get pairs(): number {
        return this.operations.length / 2
    }

    /** Ids on the bus of the clients' hosts. */
    get hostIds(): string[] {
        return ["host", ...this.clients.map((_, i) => `host${i}`).slice(1)]
    }

    private newClient(name: string, bus: JacdacBus, draw: Random, isPatient: boolean): Client {
        const timeoutMs = isPatient
            ? patientMs
            : (this.impatientMs ?? impatientMsMin + Math.floor(draw.float() * (impatientMsMax - impatientMsMin)))
        const given = { clock: this.session.host.clock, random: () => draw.uint32(), timeoutMs }
        const made = () => new TwinfilerClient(bus, given)
        const renew = draw.fork("brief").chance(briefShare) ? made : undefined
        return { name, client: made(), random: draw.fork("work"), isPatient, renew }
    }

    /** All clients work until the time is over or each has done so many operations. */
    async work(untilMs: () => number, operationsMax: number): Promise<void> {
        const isOver = () => this.session.nowMs() >= untilMs()
        const loop = async (client: Client) => {
            const leaving = client.random.fork("leaving")
            while (!(await this.isReady(client))) if (isOver()) return
            for (let done = 0; done < operationsMax && !isOver(); done++) {
                await this.operate(client)
                if (client.renew && leaving.chance(leavesShare)) {
                    await client.client.close()
                    client.client = client.renew()
                    while (!(await this.isReady(client))) if (isOver()) return
                }
                await this.session.sleep(client.random.float() * pauseMsMax)
            }
        }
        await Promise.all(this.clients.map(loop))
    }

    /** Everything there is, read by a client that comes when all others are done. */
    async readEverything(): Promise<void> {
        const last = this.newClient("last", this.session.bus, this.random.fork("last"), true)
        await last.client.ready()
        for (const volume of this.operations.keys()) {
            await this.run(last, volume, { kind: "list", names: [] })
            for (const name of names) await this.run(last, volume, { kind: "read", name })
            const shown = (await last.client.snapshots(volume)).map(({ name }) => name)
            await this.run(last, volume, { kind: "snapshots", names: [] })
            for (const snapshot of shown)
                for (const name of names) await this.run(last, volume, { kind: "read", name, snapshot })
        }
        await last.client.close()
    }

    async close(): Promise<void> {
        for (const { client } of this.clients) await client.close()
        for (const bus of this.hosts) await bus.close()
    }

    /** An impatient client, cut off from the bus since it came, gives up and comes again. */
    private async isReady({ name, client, isPatient }: Client): Promise<boolean> {
        try {
            await client.ready()
            return true
        } catch (error) {
            if (!isError(error, "noNode")) throw error
            if (isPatient) this.faults.push(`${name} was not late, but found no node: ${error.message}`)
            return false
        }
    }

    private operate(client: Client): Promise<void> {
        const { random } = client
        const side = random.chance(0.7) ? 0 : 1
        const volume = this.pairs === 1 ? side : 2 * random.int(this.pairs) + side
        return this.run(client, volume, this.draw(client))
    }

    private draw({ name: client, random }: Client): Action {
        const name = names[random.int(names.length)]
        const snapshot = snapshotNames[random.int(snapshotNames.length)]
        const kind = random.int(20)
        if (kind < 8) return { kind: "put", name, value: this.newContents(client, random) }
        if (kind < 11) {
            const others = names.filter(other => other !== name)
            return { kind: "rename", name, to: others[random.int(others.length)] }
        }
        if (kind < 13) return { kind: "remove", name }
        if (kind < 16) return { kind: "read", name }
        if (kind < 17) return random.chance(0.5) ? { kind: "list", names: [] } : { kind: "snapshots", names: [] }
        if (kind < 18) return { kind: "snapshot", name: snapshot }
        if (kind < 19) return { kind: "unsnapshot", name: snapshot }
        return { kind: "read", name, snapshot }
    }

    /** Contents unlike all others; their name is what stands at their start. */
    private newContents(client: string, random: Random): string {
        const value = `${client}.${++this.made}`
        const bytes = random.chance(0.15) ? random.int(contentsLargeMax) : random.int(contentsMax)
        const contents = Buffer.alloc(markBytes + bytes)
        contents.write(value, "latin1")
        contents.set(random.bytes(bytes), markBytes)
        this.contents.set(value, contents)
        return value
    }

    private async run(client: Client, volume: number, wanted: Action): Promise<void> {
        const calledAt = this.session.nowMs()
        let action = wanted
        let outcome: Outcome = "done"
        let failure: unknown
        try {
            action = await this.ask(client.client, volume, wanted)
        } catch (error) {
            failure = error
        }
        const returnedAt = this.session.nowMs()
        const at = { client: client.name, volume, action, calledAt, returnedAt }
        if (client.isPatient) this.waits.push(at)
        if (failure !== undefined) {
            if (isError(failure) && isRefusal(failure.code)) {
                this.refused.push({ ...at, code: failure.code, isPatient: client.isPatient })
                return
            }
            outcome = this.outcomeOf(client, wanted, failure)
        }
        this.answered++
        const until = outcome === "unknown" ? returnedAt + unknownMsMax : returnedAt
        this.operations[volume].push({ client: client.name, calledAt, returnedAt: until, action, outcome })
    }

    private outcomeOf(client: Client, action: Action, error: unknown): Outcome {
        const what = `${client.name} ${action.kind}`
        if (!isError(error)) throw error
        const { code } = error
        if (
            code === "notFound" &&
            (action.kind === "remove" || action.kind === "rename" || action.kind === "unsnapshot")
        )
            return "refused"
        if (code === "exists" && action.kind === "snapshot") return "refused"
        if (arrayCodes.includes(code)) {
            this.arrayErrors++
            return "unknown"
        }
        if (!unknownCodes.includes(code)) this.faults.push(`${what}: ${error.message} (${code})`)
        else if (client.isPatient && code !== "unknownOutcome")
            this.faults.push(`${what} was not late, but failed: ${error.message}`)
        return "unknown"
    }

    private async ask(client: TwinfilerClient, volume: number, action: Action): Promise<Action> {
        const mtime = 1_700_000_000 + this.made
        switch (action.kind) {
            case "put":
                // what the volume lost could be sent anew without a word, and nobody would hear of it
                await client.put(volume, action.name, sourceOnce(this.contents.get(action.value)!), { mtime })
                return action
            case "rename":
                await client.rename(volume, action.name, action.to, { mtime, replace: true })
                return action
            case "remove":
                await client.remove(volume, action.name, { mtime })
                return action
            case "read":
                return { ...action, value: await this.read(client, volume, action.name, action.snapshot) }
            case "list": {
                const found: string[] = []
                for await (const { name } of client.list(volume, "")) found.push(name)
                return { ...action, names: found }
            }
            case "snapshot":
                await client.createSnapshot(volume, action.name, { mtime })
                return action
            case "unsnapshot":
                await client.deleteSnapshot(volume, action.name)
                return action
            case "snapshots":
                return { ...action, names: (await client.snapshots(volume)).map(({ name }) => name) }
        }
    }

    /** The name of what was read; undefined when there is nothing of that name. */
    private async read(
        client: TwinfilerClient,
        volume: number,
        name: string,
        snapshot: string | undefined,
    ): Promise<string | undefined> {
        const path = snapshot === undefined ? name : `.snapshots/${snapshot}/${name}`
        const parts: Uint8Array[] = []
        try {
            for await (const part of client.get(volume, path)) parts.push(part)
        } catch (error) {
            if (isError(error, "notFound")) return undefined
            throw error
        }
        const bytes = Buffer.concat(parts)
        const value = bytes.toString("latin1", 0, markBytes).replace(/\0.*$/s, "")
        const wanted = this.contents.get(value)
        return wanted?.equals(bytes)
            ? value
            : `bytes that nobody wrote (${bytes.length}, from ${JSON.stringify(value)})`
    }
}
